/** Shows the text that each reset has discarded, and how what was written afterwards differs from it. */

/** @import { Discard } from "./job_record.js" */
/** @import { JobFeed } from "./job_feed.js" */

import { fill, h } from "../../app/dom.js";
import { number } from "../../app/format.js";
import { resetLabel } from "../../app/labels.js";
import { copyButton } from "../export_buttons.js";
import { diff } from "./diff.js";

/** @param {JobFeed} feed */
export function discardedText(feed) {
  const element = h("div", {});
  let shown = "";
  return {
    element,
    show() {
      const discards = feed.record.discards.filter(({ text }) => text !== "");
      const resets = feed.record.history.filter(({ type }) => type === "reset").length;
      const key = JSON.stringify([resets, feed.isLoading, feed.isWhole, discards.map(({ id, replacement }) => [id, replacement.length])]);
      if (key === shown) return;
      shown = key;
      const load = h("button", { type: "button", class: "button small", onclick: () => void feed.loadAll(), disabled: feed.isLoading }, "Load all events");
      fill(element, discards.map(discardItem),
        discards.length === 0 && h("p", { class: "subtitle" }, resets === 0 || feed.isWhole ? "No text was discarded." : "This page has not seen the discarded text."),
        resets > 0 && !feed.isWhole && h("p", { class: "actions" }, load));
    },
  };
}

/** @param {Discard} discard */
function discardItem({ id, reason, text, replacement, cut }) {
  const heading = `${resetLabel(reason)} (event ${id})`;
  const parts = replacement === "" ? [{ kind: "removed", text }] : diff(text, replacement);
  return h("section", { class: "discard", "aria-label": heading },
    h("div", { class: "section-head" }, h("h3", {}, heading), copyButton("Copy", () => text, "the discarded text")),
    h("p", { class: "subtitle" }, `${number(text.length)} characters were discarded.`, cut && " Only their beginning is kept.",
      replacement === "" && " Nothing has replaced them yet."),
    h("pre", { class: "debug-text diff", tabindex: "0", role: "region", "aria-label": `Difference: ${heading}` },
      parts.map((part) => (part.kind === "same" ? part.text : h(part.kind === "removed" ? "del" : "ins", {}, part.text)))));
}
