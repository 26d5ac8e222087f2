/** A job while it runs: its state, progress, stages, subtasks, event history and statistics. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { Watch } from "../../millrace.js" */
/** @import { JobView } from "../../millrace/view.js" */
/** @import { ConsoleConfig, Context } from "../app/context.js" */
/** @import { Action } from "./problem_card.js" */

import { fill, h } from "../app/dom.js";
import { awsCostOf, costOf, duration, number, tokensOf } from "../app/format.js";
import { eachFrame } from "../app/frames.js";
import { eventHistory } from "./event_history.js";
import { factList } from "./facts.js";
import { jobControls } from "./job_controls.js";
import { stageList } from "./stage_list.js";
import { subtaskList } from "./subtask_list.js";

/** How often the durations of running stages are updated, in milliseconds. */
const TICK = 1_000;

/**
 * The elements around a job's output: `header` goes above it, `side` beside it. `stop` ends the watch; the job continues.
 * @param {Context} context
 * @param {Watch} watch
 * @param {JobDetail} job when the page was loaded
 * @param {readonly Action[]} alternatives to resuming a job that has failed or was cancelled
 */
export function liveJob({ applications, announce, config, signIn }, watch, job, alternatives) {
  const controls = jobControls(watch, signIn, alternatives);
  const stages = stageList(applications.of(job.pipeline).stages);
  const history = eventHistory(announce);
  const stagesPanel = panel("stages", "Stages", stages.element);
  const subtasks = subtaskList();
  const subtasksPanel = panel("subtasks", "Tools and subtasks", subtasks.element);
  const statistics = h("div", {});
  const stopShowing = eachFrame(watch, ({ view }) => {
    controls.show();
    stages.show(view, Date.now());
    stagesPanel.hidden = stages.element.childElementCount === 0;
    subtasksPanel.hidden = !subtasks.show(view);
    history.show(view.resets);
    fill(statistics, statisticsOf(job, view, config));
  });
  const ticking = setInterval(() => watch.live && stages.show(watch.view, Date.now()), TICK);
  return {
    header: controls.element,
    side: [stagesPanel, subtasksPanel, history.element, panel("statistics", "Statistics", statistics)],
    stop() {
      stopShowing();
      clearInterval(ticking);
      controls.stop();
      watch.stop();
    },
  };
}

/**
 * @param {string} id
 * @param {string} heading
 * @param {HTMLElement} content
 */
function panel(id, heading, content) {
  return h("section", { class: "panel", "aria-labelledby": id }, h("h2", { id }, heading), content);
}

/**
 * @param {JobDetail} job
 * @param {JobView} view
 * @param {ConsoleConfig} config
 */
function statisticsOf(job, view, config) {
  const unreported = view.usage?.unreportedCalls ?? 0;
  const compute = view.usage?.compute ?? null;
  return factList([
    ["Duration", durationOf(job, view)],
    ["Attempt", view.attempt > 1 ? String(view.attempt) : null],
    ["Retries", view.retryCount > 0 ? String(view.retryCount) : null],
    ["Tokens in", view.usage && tokensOf(view.usage.inputTokens, unreported)],
    ["Tokens out", view.usage && tokensOf(view.usage.outputTokens, unreported)],
    ["Calls without a token report", unreported > 0 ? number(unreported) : null],
    ["Cost of the model", view.usage && costOf(view.usage, config)],
    ["Cost of AWS", view.usage && awsCostOf(view.usage)],
    ["Function time", compute && duration(compute.lambdaMs)],
    ["Database units", compute && `${number(compute.writeUnits)} written, ${number(compute.readUnits)} read`],
    ["State transitions", compute && number(compute.transitions)],
    ["Tool calls", compute && compute.toolCalls > 0 ? number(compute.toolCalls) : null],
    ["Streamed for", compute && compute.watcherSeconds > 0 ? duration(compute.watcherSeconds * 1000) : null],
    ["Events", number(view.lastEventId)],
  ]);
}

/**
 * The time from the job's creation to its end; null if the job has not ended or the page does not know when.
 * @param {JobDetail} job
 * @param {JobView} view
 */
function durationOf({ createdAt, endedAt }, view) {
  const end = endedAt === null ? view.stages.at(-1)?.endedAt : Date.parse(endedAt);
  return view.outcome !== null && end ? duration(end - Date.parse(createdAt)) : null;
}
