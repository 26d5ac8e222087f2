/** Shows the input, the result, and the usage with its cost, as JSON. */

/** @import { JobFeed } from "./job_feed.js" */

import { h, setText } from "../../app/dom.js";
import { copyButton, pretty } from "../export_buttons.js";

/** @param {JobFeed} feed */
export function jsonPanel({ job, watch }) {
  const values = {
    Input: () => job.input,
    Result: () => watch.view.result,
    "Usage and cost": () => watch.view.usage ?? job.usage,
  };
  const shown = Object.entries(values).map(([label, value]) => {
    const json = h("pre", { class: "debug-text", tabindex: "0", role: "region", "aria-label": `${label} as JSON` });
    const element = h("div", {},
      h("div", { class: "section-head" }, h("h3", {}, label), copyButton("Copy", () => pretty(value()), `${label.toLowerCase()}, as JSON`)), json);
    /** @type {unknown} */
    let last;
    const show = () => {
      if (value() === last) return;
      last = value();
      setText(json, last === null ? "There is no result yet." : pretty(last));
    };
    return { element, show };
  });
  return { element: h("div", {}, shown.map(({ element }) => element)), show: () => shown.forEach(({ show }) => show()) };
}
