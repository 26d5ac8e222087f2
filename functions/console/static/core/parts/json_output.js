/** The output of a job whose pipeline the console does not know: the result as JSON, and the text of the model. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { Watch } from "../../millrace.js" */
/** @import { JobView } from "../../millrace/view.js" */
/** @import { Output } from "../app/applications.js" */

import { append, h, setText } from "../app/dom.js";
import { eachFrame } from "../app/frames.js";
import { copyButton, downloadButton, pretty } from "./export_buttons.js";
import { growingText } from "./live_text.js";

/**
 * @param {Watch} watch
 * @param {JobDetail} job
 * @returns {Output}
 */
export function jsonOutput(watch, job) {
  const json = h("pre", { class: "raw", role: "region", "aria-label": "Result as JSON", tabindex: "0" });
  const text = growingText("pre", { class: "raw" });
  const waiting = h("p", { class: "waiting" });
  const actions = h("p", { class: "actions" });
  append(actions, [
    copyButton("Copy", () => jsonOf(watch.view), "the result, as JSON"),
    downloadButton("Download", `${job.jobId}.json`, "application/json", () => jsonOf(watch.view)),
  ]);
  const element = h("section", { "aria-labelledby": "output" },
    h("div", { class: "section-head" }, h("h2", { id: "output" }, "Result"), actions),
    waiting, json,
    h("details", { class: "more" }, h("summary", {}, "Model output"), text.element));
  /** @type {Pick<JobView, "result" | "items"> | null} */
  let drawn = null;
  const stop = eachFrame(watch, ({ view, live }) => {
    // Most frames have only more text.
    if (drawn === null || drawn.result !== view.result || drawn.items !== view.items) setText(json, jsonOf(view));
    drawn = view;
    json.hidden = view.result === null && view.items.length === 0;
    actions.hidden = view.outcome !== "complete";
    text.show(view);
    setText(waiting, live ? "The result appears when the job is complete." : "The job has no result.");
    waiting.hidden = !json.hidden;
    element.setAttribute("aria-busy", String(live));
  });
  return { element, stop };
}

/**
 * The result; before there is one, the items that the stages have finished. Empty if there is neither.
 * @param {JobView} view
 */
export function jsonOf({ result, items }) {
  if (result !== null) return pretty(result);
  return items.length > 0 ? pretty(items.map(({ data }) => data)) : "";
}
