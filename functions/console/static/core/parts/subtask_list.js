/** What a job does in parts: its subtasks and the tools that the model calls, each with its state. */

/** @import { Subtask } from "../../../../../docs/api/types" */
/** @import { JobView } from "../../millrace/view.js" */

import { fill, h } from "../app/dom.js";

/** The most rows. A fan-out may have a thousand parts. */
const MOST = 30;

/** @type {Record<Subtask["status"], "running" | "done" | "failed">} */
const STATES = { started: "running", running: "running", finished: "done", failed: "failed" };

/** @typedef {{ title: string, state: "running" | "done" | "failed", progress: number | null }} Row */

export function subtaskList() {
  const list = h("ol", { class: "stages" });
  const summary = h("p", { class: "subtitle" });
  /** @type {readonly Subtask[]} */
  let shown = [];
  return {
    element: h("div", {}, list, summary),
    /**
     * @param {JobView} view
     * @returns {boolean} whether there is anything to show
     */
    show({ subtasks }) {
      if (subtasks !== shown) {
        shown = subtasks;
        const { rows, hidden } = rowsOf(subtasks);
        fill(list, rows.map(item));
        fill(summary, hidden > 0 ? `and ${hidden} more that are done` : "");
        summary.hidden = hidden === 0;
      }
      return subtasks.length > 0;
    },
  };
}

/**
 * Return the rows in the order in which the subtasks began, and how many finished ones are left out.
 * @param {readonly Subtask[]} subtasks
 * @param {number} most
 * @returns {{ rows: Row[], hidden: number }}
 */
export function rowsOf(subtasks, most = MOST) {
  const open = subtasks.filter((each) => each.status !== "finished");
  const finished = subtasks.filter((each) => each.status === "finished");
  const room = Math.max(0, most - open.length);
  const kept = new Set([...open, ...finished.slice(Math.max(0, finished.length - room))]);
  const rows = subtasks
    .filter((each) => kept.has(each))
    .map(({ title, status, progress }) => ({
      title,
      state: STATES[status],
      progress: status === "finished" ? null : (progress ?? null),
    }));
  return { rows, hidden: subtasks.length - rows.length };
}

/** @param {Row} row */
function item({ title, state, progress }) {
  return h(
    "li",
    { class: "stage", "data-status": state, "aria-current": state === "running" ? "step" : null },
    h("span", { class: "stage-name" }, title),
    h("span", { class: "stage-state" }, state),
    progress !== null && h("span", { class: "stage-time" }, `${Math.round(progress)} %`),
  );
}
