/** What a job does in parts: its subtasks and the tools that the model calls, each with its state. */

/** @import { Subtask } from "../../../../../docs/api/types" */

import { h } from "../app/preact.js";

/** The most rows. A fan-out may have a thousand parts. */
const MOST = 30;

/** @type {Record<Subtask["status"], "running" | "done" | "failed">} */
const STATES = { started: "running", running: "running", finished: "done", failed: "failed" };

/** @typedef {{ key: string, title: string, state: "running" | "done" | "failed", progress: number | null }} Row */

/** @param {{ subtasks: readonly Subtask[] }} properties */
export function SubtaskList({ subtasks }) {
  const { rows, hidden } = rowsOf(subtasks);
  return [
    h("ol", { class: "stages" }, rows.map((row) => h(SubtaskItem, { ...row, key: row.key }))),
    hidden > 0 && h("p", { class: "subtitle" }, `and ${hidden} more that are done`),
  ];
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
    .map(({ key, title, status, progress }) => ({
      ...{ key, title },
      state: STATES[status],
      progress: status === "finished" ? null : (progress ?? null),
    }));
  return { rows, hidden: subtasks.length - rows.length };
}

/** @param {Row} properties */
function SubtaskItem({ title, state, progress }) {
  return h(
    "li",
    { class: "stage", "data-status": state, "aria-current": state === "running" ? "step" : null },
    h("span", { class: "stage-name" }, title),
    h("span", { class: "stage-state" }, state),
    progress !== null && h("span", { class: "stage-time" }, `${Math.round(progress)}%`),
  );
}
