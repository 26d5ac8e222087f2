/** The figures of a job: how long it took, what it used, what it cost. */

/** @import { JobDetail } from "../../../../../docs/api/types" */
/** @import { JobView } from "../../millrace/view.js" */
/** @import { ConsoleConfig } from "../app/context.js" */

import { awsCostOf, costOf, duration, number, tokensOf } from "../app/format.js";
import { h } from "../app/preact.js";
import { FactList } from "./fact_components.js";

/** @param {{ job: JobDetail, view: JobView, config: ConsoleConfig }} properties */
export function Statistics({ job, view, config }) {
  const unreported = view.usage?.unreportedCalls ?? 0;
  const compute = view.usage?.compute ?? null;
  return h(FactList, { facts: [
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
  ] });
}

/**
 * The time from the job's creation to its end; null if the job has not ended or the page does not know when.
 * @param {JobDetail} job
 * @param {JobView} view
 */
function durationOf({ createdAt, endedAt }, view) {
  const end = view.stages.at(-1)?.endedAt ?? (endedAt === null ? null : Date.parse(endedAt));
  return view.outcome !== null && end ? duration(end - Date.parse(createdAt)) : null;
}
