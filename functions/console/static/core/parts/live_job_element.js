/** A watched job's components as elements, for a page that is not a component. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { Watch } from "../../millrace.js" */
/** @import { Context } from "../app/context.js" */
/** @import { Action } from "./problem_card.js" */

import { mounted } from "../app/mounted.js";
import { h } from "../app/preact.js";
import { useWatch } from "../app/use_watch.js";
import { JobControls } from "./job_controls.js";
import { JobPanels } from "./live_job.js";

/**
 * `header` goes above the job's output, `side` beside it. `stop` ends the watch; the job continues.
 * @param {Context} context
 * @param {Watch} watch
 * @param {JobDetail} job
 * @param {readonly Action[]} alternatives
 */
export function liveJob(context, watch, job, alternatives) {
  const { signIn } = context;
  const header = mounted(() => h(JobControls, { watch, snapshot: useWatch(watch), signIn, alternatives }), {});
  const side = mounted(() => h(JobPanels, { context, job, snapshot: useWatch(watch) }), {});
  const stop = () => {
    header.stop();
    side.stop();
    watch.stop();
  };
  return { header: header.element, side: side.element, stop };
}
