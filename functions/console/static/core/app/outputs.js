/** The outputs of jobs: their modules are imported when a job is shown, so that no other page waits for them. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { Watch } from "../../millrace.js" */
/** @import { Application, Output } from "./applications.js" */

import { Unreachable } from "../../millrace/errors.js";
import { errorCard } from "../parts/problem_card.js";
import { h } from "./dom.js";

/**
 * Return an output that is empty until its module is imported. If the import fails, it shows a card that offers to load the
 * document again: a deployment may have replaced the files that this document knows.
 * @param {() => Promise<Application["output"]>} load
 * @returns {Application["output"]}
 */
export function lazyOutput(load) {
  return (/** @type {Watch} */ watch, /** @type {JobDetail} */ job) => {
    const element = h("div", { "aria-busy": "true" });
    /** @type {Output | null} */
    let output = null;
    let stopped = false;
    const show = (/** @type {Node} */ child) => {
      element.removeAttribute("aria-busy");
      element.replaceChildren(child);
    };
    const again = () => location.reload();
    load().then(
      (make) => {
        if (stopped) return;
        output = make(watch, job);
        show(output.element);
      },
      (cause) => show(errorCard(new Unreachable("The output could not be loaded", { cause }), { again, signIn: again })),
    );
    const stop = () => {
      stopped = true;
      output?.stop();
    };
    return { element, stop };
  };
}

/** The output of a job whose pipeline the console does not know. */
export const jsonOutput = lazyOutput(async () => (await import("../parts/json_output.js")).jsonOutput);
