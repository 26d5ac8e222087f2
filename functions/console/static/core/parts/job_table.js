/** The table of jobs: rows that change while their jobs run, and that can be selected. */

/** @import { JobSummary } from "../../../../../docs/api/types" */
/** @import { Applications } from "../app/applications.js" */

import { duration, totalCostOf } from "../app/format.js";
import { sentenceCase } from "../app/labels.js";
import { h, useEffect, useRef } from "../app/preact.js";
import { useNow } from "../app/use_watch.js";
import { StatusBadge, TimeAgo } from "./fact_components.js";
import { cell, ItemTable, titleCell } from "./item_table.js";

/** Those that a page of less than 64 rem does not show have the class `extra`. */
const EXTRA = new Set(["Kind", "Model", "Cost"]);
const COLUMNS = ["Subject", "Status", "Kind", "Model", "Duration", "Cost", "Created"].map((name) =>
  h("th", { key: name, scope: "col", class: EXTRA.has(name) ? "extra" : null }, name));
const idOf = (/** @type {JobSummary} */ { jobId }) => jobId;

/** @typedef {{ ids: ReadonlySet<string>, select: (jobIds: readonly string[], selected: boolean) => void }} Selection */

/** @param {{ jobs: readonly JobSummary[], applications: Applications, selection?: Selection }} properties without a selection, rows have no checkbox */
export function JobTable({ jobs, applications, selection }) {
  const latest = useRef(/** @type {string | null} */ (null));
  /** @param {JobSummary} job @param {string} title */
  const checkbox = ({ jobId }, title) => selection && h("td", { key: "select" }, h("input", {
    ...{ type: "checkbox", checked: selection.ids.has(jobId), "aria-label": `Select ${title}`, "data-job": jobId },
    onclick: (/** @type {MouseEvent & { currentTarget: HTMLInputElement }} */ event) => {
      const ids = event.shiftKey && latest.current !== null ? between(jobs, latest.current, jobId) : [jobId];
      selection.select(ids, event.currentTarget.checked);
      latest.current = jobId;
    },
  }));
  return h(ItemTable, {
    ...{ caption: "Jobs, newest first", class: selection ? "list jobs selectable" : "list jobs", items: jobs, idOf },
    columns: selection ? [h(All, { key: "select", jobs, selection }), ...COLUMNS] : COLUMNS,
    onkeydown: selection && ((/** @type {KeyboardEvent} */ event) => moveSelection(event, selection)),
    rowOf: (/** @type {JobSummary} */ job) => ({ "aria-selected": selection?.ids.has(job.jobId) ? "true" : null }),
    cells: (/** @type {JobSummary} */ job) => {
      const { label } = applications.of(job.pipeline);
      return [checkbox(job, job.title ?? label), ...cellsOf(job, label)];
    },
  });
}

/** Selects all jobs, or none. @param {{ jobs: readonly JobSummary[], selection: Selection }} properties */
function All({ jobs, selection }) {
  const box = useRef(/** @type {HTMLInputElement | null} */ (null));
  const count = jobs.filter((job) => selection.ids.has(job.jobId)).length;
  useEffect(() => {
    if (box.current) box.current.indeterminate = count > 0 && count < jobs.length;
  }, [count, jobs.length]);
  return h("td", {}, h("input", {
    ...{ ref: box, type: "checkbox", "aria-label": "Select all jobs that are shown", checked: count > 0 && count === jobs.length },
    onchange: (/** @type {any} */ event) => selection.select(jobs.map(idOf), event.target.checked),
  }));
}

/**
 * @param {JobSummary} job
 * @param {string} label of its pipeline
 */
function cellsOf({ jobId, title, status, stage, progress, failure, model, usage, createdAt, startedAt, endedAt }, label) {
  const running = status === "in_progress" && stage !== null;
  const took = startedAt === null ? null
    : endedAt === null ? h(Elapsed, { since: startedAt }) : duration(Date.parse(endedAt) - Date.parse(startedAt));
  return [
    titleCell(title ?? label, `/console/jobs/${jobId}`, jobId),
    cell("Status", [h(StatusBadge, { status }), " ",
      running && h("span", { class: "note" }, `${sentenceCase(stage)}, ${Math.floor(progress)}%`),
      failure && h("span", { class: "note" }, failure.code)]),
    cell("Kind", label, "extra"),
    cell("Model", model, "extra"),
    cell("Duration", took, "figure"),
    cell("Cost", totalCostOf(usage), "figure extra"),
    cell("Created", h(TimeAgo, { iso: createdAt })),
  ];
}

/** How long a job has run. Only this is drawn again every second. @param {{ since: string }} properties */
function Elapsed({ since }) {
  return duration(useNow() - Date.parse(since));
}

/**
 * The ids from one job to the other, in the order of the list.
 * @param {readonly JobSummary[]} jobs
 * @param {string} one
 * @param {string} other
 */
function between(jobs, one, other) {
  const ids = jobs.map(idOf);
  const [from = 0, to = 0] = [ids.indexOf(one), ids.indexOf(other)].map((each) => Math.max(0, each)).sort((a, b) => a - b);
  return ids.slice(from, to + 1);
}

/**
 * Arrow keys move the focus from one row's checkbox to the next; with Shift they select that row as the one before.
 * @param {KeyboardEvent} event
 * @param {Selection} selection
 */
function moveSelection(event, { ids, select }) {
  const { key, shiftKey, target } = event;
  if ((key !== "ArrowDown" && key !== "ArrowUp") || !(target instanceof HTMLElement)) return;
  const boxes = /** @type {HTMLElement[]} */ ([...(target.closest("table")?.querySelectorAll("[data-job]") ?? [])]);
  const at = boxes.indexOf(target);
  const from = target.dataset["job"];
  const next = at < 0 ? null : boxes[at + (key === "ArrowDown" ? 1 : -1)];
  if (!next || from === undefined) return;
  event.preventDefault();
  if (shiftKey) select([from, next.dataset["job"] ?? ""], ids.has(from));
  next.focus();
}
