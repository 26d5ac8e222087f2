/** A watched job's components as elements, for a page that is not a component. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { Watch } from "../../millrace.js" */
/** @import { Context } from "../app/context.js" */
/** @import { Action } from "./problem_card.js" */

import { mounted } from "../app/mounted.js";
import { h } from "../app/preact.js";
import { useWatch } from "../app/use_watch.js";
import { FollowWriting } from "./follow_writing.js";
import { JobControls } from "./job_controls.js";
import { JobPanels } from "./live_job.js";

/**
 * `header` goes above the job's output, `side` beside it; the page follows `output` while the job writes. `stop` ends the watch; the job continues.
 * @param {Context} context
 * @param {Watch} watch
 * @param {JobDetail} job
 * @param {readonly Action[]} alternatives
 * @param {HTMLElement} output
 */
export function liveJob(context, watch, job, alternatives, output) {
  const { signIn } = context;
  const header = mounted(() => h(JobControls, { watch, snapshot: useWatch(watch), signIn, alternatives }), {});
  const side = mounted(() => h(JobPanels, { context, job, snapshot: useWatch(watch) }), {});
  header.element.classList.add("live-host");
  side.element.classList.add("live-host"); // its panels have the gaps of the column
  const follow = mounted(() => h(FollowWriting, { live: useWatch(watch).live, output: () => output }), {});
  output.append(follow.element);
  const stop = () => {
    follow.stop();
    header.stop();
    side.stop();
    watch.stop();
  };
  return { header: header.element, side: side.element, stop };
}
