/** The irregular events of a job: every retry, repair and resumption, in order. */

/** @import { ResetNote } from "../../millrace/view.js" */

import { resetLabel } from "../app/labels.js";
import { h, useEffect, useRef } from "../app/preact.js";
import { Panel } from "./panel.js";

/**
 * @param {{ resets: readonly ResetNote[], announce: ((text: string) => void) | null }} properties `announce` gives what is
 *   new to screen readers; null while the page shows what happened earlier
 */
export function EventHistory({ resets, announce }) {
  const announced = useRef(0);
  useEffect(() => {
    for (const reset of announce ? resets.slice(announced.current) : []) announce?.(`${resetLabel(reset.reason)}. ${explanation(reset)}`);
    announced.current = resets.length;
  }, [resets]);
  if (resets.length === 0) return null;
  return h(Panel, { id: "event-history", heading: "Retries and repairs" }, h("ol", { class: "event-history" }, resets.map((reset) =>
    h("li", { key: reset.id, "data-reason": reset.reason }, h("strong", {}, resetLabel(reset.reason)), h("span", {}, explanation(reset))))));
}

/** @param {ResetNote} reset */
function explanation({ reason, attempt, retryCount }) {
  if (reason === "REPAIR") return "The text was reset, and the model writes it again.";
  if (reason === "RESUMED") return "The job continues from its last checkpoint.";
  if (reason === "RESTARTED") return "The text was reset to the part that is saved.";
  return `Attempt ${attempt} has started (retry ${retryCount}). The text was reset to the part that is saved.`;
}
