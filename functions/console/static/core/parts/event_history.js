/** The irregular events of a job: every retry, repair and resumption, in order. */

/** @import { ResetNote } from "../../millrace/view.js" */

import { append, h } from "../app/dom.js";
import { resetLabel } from "../app/labels.js";

/** @param {(text: string) => void} announce gives the text to screen readers */
export function eventHistory(announce) {
  const list = h("ol", { class: "event-history" });
  const element = h("section", { class: "panel", hidden: true, "aria-labelledby": "event-history" },
    h("h2", { id: "event-history" }, "What happened"), list);
  let shown = 0;
  return {
    element,
    /** @param {readonly ResetNote[]} resets */
    show(resets) {
      for (const reset of resets.slice(shown)) {
        const text = explanation(reset);
        append(list, h("li", { "data-reason": reset.reason }, h("strong", {}, resetLabel(reset.reason)), h("span", {}, text)));
        announce(`${resetLabel(reset.reason)}. ${text}`);
      }
      shown = resets.length;
      element.hidden = shown === 0;
    },
  };
}

/** @param {ResetNote} reset */
function explanation({ reason, attempt, retryCount }) {
  if (reason === "REPAIR") return "The text was reset, and the model writes it again.";
  if (reason === "RESUMED") return "The job continues from its last checkpoint.";
  if (reason === "RESTARTED") return "The text was reset to the part that is saved.";
  return `Attempt ${attempt} has started (retry ${retryCount}). The text was reset to the part that is saved.`;
}
