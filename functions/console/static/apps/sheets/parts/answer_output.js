/** The answer of a job of sheet chat, as text that grows. */

/** @import { Output } from "../../../core/app/applications.js" */
/** @import { Watch } from "../../../millrace.js" */

import { h } from "../../../core/app/dom.js";
import { eachFrame } from "../../../core/app/frames.js";
import { growingText } from "../../../core/parts/live_text.js";

/**
 * @param {Watch} watch
 * @returns {Output}
 */
export function answerOutput(watch) {
  const text = growingText("p", { class: "answer" });
  const stop = eachFrame(watch, ({ view }) => text.show(view));
  text.show(watch.view);
  return { element: h("section", { class: "panel", "aria-label": "Answer" }, text.element), stop };
}
