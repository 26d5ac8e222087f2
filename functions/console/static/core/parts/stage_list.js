/** The stages of a job, and how long each one took. */

/** @import { JobView, StageView } from "../../millrace/view.js" */

import { duration } from "../app/format.js";
import { sentenceCase } from "../app/labels.js";
import { h } from "../app/preact.js";
import { useNow } from "../app/use_watch.js";

/** @type {Record<string, string>} */
const STATUSES = { done: "done", running: "running", failed: "failed", cancelled: "cancelled", waiting: "not started" };

/** @param {{ view: JobView, names: readonly string[] }} properties `names`: as `stageRows` takes them */
export function StageList({ view, names }) {
  const all = stageRows(view, names);
  const now = useNow(all.some(({ status }) => status === "running"));
  return h("ol", { class: "stages" }, all.map((row) => h(StageItem, { key: row.name, row, now })));
}

/** @typedef {Pick<StageView, "name" | "attempt" | "startedAt" | "endedAt"> & { status: string }} Row */

/**
 * One row for each stage. The status of a stage whose events the view does not have follows from the job's current stage.
 * @param {JobView} view
 * @param {readonly string[]} names of the pipeline's stages, in order; empty to show the stages that have started
 * @returns {Row[]}
 */
export function stageRows(view, names) {
  const all = names.length > 0 ? names : [...new Set(view.stages.map((each) => each.name))];
  const current = all.indexOf(view.stage ?? "");
  const ends = { complete: "done", error: "failed", cancelled: "cancelled" };
  return all.map((name, index) => {
    const seen = view.stages.find((each) => each.name === name);
    if (seen) return seen;
    const unseen = { name, attempt: 1, startedAt: null, endedAt: null };
    if (view.outcome === "complete" || index < current) return { ...unseen, status: "done" };
    if (index > current) return { ...unseen, status: "waiting" };
    return { ...unseen, status: view.outcome === null ? "running" : ends[view.outcome] };
  });
}

/** @param {{ row: Row, now: number }} properties */
function StageItem({ row: { name, status, attempt, startedAt, endedAt }, now }) {
  const end = endedAt ?? (status === "running" ? now : null);
  const took = startedAt === null || end === null ? null : duration(end - startedAt);
  return h(
    "li",
    { class: "stage", "data-status": status, "aria-current": status === "running" ? "step" : null },
    h("span", { class: "stage-name" }, sentenceCase(name)),
    h("span", { class: "stage-state" }, STATUSES[status], attempt > 1 && `, attempt ${attempt}`),
    took && h("span", { class: "stage-time" }, took),
  );
}
