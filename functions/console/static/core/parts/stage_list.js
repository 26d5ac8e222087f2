/** The stages of a job, with how long each has taken. */

/** @import { JobView, StageView } from "../../millrace/view.js" */

import { fill, h } from "../app/dom.js";
import { duration } from "../app/format.js";
import { PIPELINES, stageName } from "../app/labels.js";

/** @type {Record<string, string>} */
const SAID = { done: "done", running: "running", failed: "failed", cancelled: "cancelled", waiting: "not yet" };

export function stageList() {
  const element = h("ol", { class: "stages" });
  return {
    element,
    /**
     * @param {JobView} view
     * @param {number} now milliseconds since 1970
     */
    show(view, now) {
      fill(element, rows(view).map((row) => stageItem(row, now)));
    },
  };
}

/** @typedef {Pick<StageView, "name" | "attempt" | "startedAt" | "endedAt"> & { status: string }} Row */

/**
 * Every stage of the pipeline: as it was seen, or, where nobody watched, as the job's own state tells.
 * @param {JobView} view
 * @returns {Row[]}
 */
function rows(view) {
  const names = PIPELINES[view.pipeline ?? ""]?.stages ?? [...new Set(view.stages.map((each) => each.name))];
  const current = names.indexOf(view.stage ?? "");
  const ends = { complete: "done", error: "failed", cancelled: "cancelled" };
  return names.map((name, index) => {
    const seen = view.stages.find((each) => each.name === name);
    if (seen) return seen;
    const unseen = { name, attempt: 1, startedAt: null, endedAt: null };
    if (view.outcome === "complete" || index < current) return { ...unseen, status: "done" };
    if (index > current) return { ...unseen, status: "waiting" };
    return { ...unseen, status: view.outcome === null ? "running" : ends[view.outcome] };
  });
}

/**
 * @param {Row} row
 * @param {number} now
 */
function stageItem({ name, status, attempt, startedAt, endedAt }, now) {
  const end = endedAt ?? (status === "running" ? now : null);
  const took = startedAt === null || end === null ? null : duration(end - startedAt);
  return h(
    "li",
    { class: "stage", "data-status": status, "aria-current": status === "running" ? "step" : null },
    h("span", { class: "stage-name" }, stageName(name)),
    h("span", { class: "stage-state" }, SAID[status], attempt > 1 && `, attempt ${attempt}`),
    took && h("span", { class: "stage-time" }, took),
  );
}
