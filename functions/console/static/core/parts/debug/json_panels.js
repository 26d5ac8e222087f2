/** Shows the input, the result, and the usage with its cost, as JSON. */

/** @import { JobFeed } from "./job_feed.js" */

import { h, useMemo } from "../../app/preact.js";
import { pretty } from "../export_buttons.js";
import { CopyButton } from "../export_components.js";

/** @param {{ feed: JobFeed }} properties */
export function JsonPanel({ feed: { job, watch } }) {
  return h("div", {},
    h(Json, { label: "Input", value: job.input }),
    h(Json, { label: "Result", value: watch.view.result, none: watch.view.outcome === null ? "There is no result yet." : "There is no result." }),
    h(Json, { label: "Usage and cost", value: watch.view.usage ?? job.usage }));
}

/** @param {{ label: string, value: unknown, none?: string }} properties `none` is shown instead of a value that is null */
function Json({ label, value, none = "" }) {
  const text = useMemo(() => pretty(value), [value]);
  return h("div", {},
    h("div", { class: "section-head" }, h("h3", {}, label), h(CopyButton, { label: "Copy", text: () => text, about: `the ${label.toLowerCase()}, as JSON` })),
    h("pre", { class: "debug-text", tabindex: "0", role: "region", "aria-label": `${label} as JSON` }, value === null ? none : text));
}
