/** The answer of a job of sheet chat, as text that grows. */

/** @import { Output } from "../../../core/app/applications.js" */
/** @import { Watch } from "../../../millrace.js" */

import { h, setText } from "../../../core/app/dom.js";
import { eachFrame } from "../../../core/app/frames.js";

/**
 * @param {Watch} watch
 * @returns {Output}
 */
export function answerOutput(watch) {
  const text = h("p", { class: "answer" });
  const stop = eachFrame(watch, ({ view }) => setText(text, view.text));
  setText(text, watch.view.text);
  return { element: h("section", { class: "panel", "aria-label": "Answer" }, text), stop };
}
