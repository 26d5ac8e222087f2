/** What was out of the ordinary: every retry, repair and resumption, in the order they came. */

/** @import { ResetNote } from "../../millrace/view.js" */

import { append, h } from "../app/dom.js";
import { resetName } from "../app/labels.js";

/** @param {(text: string) => void} announce to whoever cannot see it */
export function happenings(announce) {
  const list = h("ol", { class: "happenings" });
  const element = h("section", { class: "panel", hidden: true, "aria-labelledby": "happenings" },
    h("h2", { id: "happenings" }, "What happened"), list);
  let shown = 0;
  return {
    element,
    /** @param {readonly ResetNote[]} resets */
    show(resets) {
      for (const reset of resets.slice(shown)) {
        const text = sentence(reset);
        append(list, h("li", { "data-reason": reset.reason }, h("strong", {}, resetName(reset.reason)), h("span", {}, text)));
        announce(`${resetName(reset.reason)}. ${text}`);
      }
      shown = resets.length;
      element.hidden = shown === 0;
    },
  };
}

/** @param {ResetNote} reset */
function sentence({ reason, attempt, retryCount }) {
  if (reason === "REPAIR") return "The text was set back, and the model is asked to write it again.";
  if (reason === "RESUMED") return "It goes on from its last checkpoint.";
  if (reason === "RESTARTED") return "The text was set back to what stands.";
  return `Attempt ${attempt} has begun (retry ${retryCount}). The text was set back to what stands.`;
}
