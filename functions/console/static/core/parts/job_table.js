/** The table of jobs: rows that can be selected, and change while their jobs run. */

/** @import { JobSummary } from "../../../../../docs/api/types" */
/** @import { Applications } from "../app/applications.js" */

import { ago, duration, time, totalCostOf } from "../app/format.js";
import { sentenceCase } from "../app/labels.js";
import { h, useEffect, useMemo, useRef } from "../app/preact.js";
import { useNow } from "../app/use_watch.js";
import { StatusBadge } from "./facts.js";

const COLUMNS = ["Subject", "Status", "Kind", "Model", "Duration", "Cost", "Created"];

/**
 * @typedef {object} JobTableProperties
 * @property {readonly JobSummary[]} jobs
 * @property {Applications} applications
 * @property {ReadonlySet<string>} selected ids of jobs
 * @property {(jobIds: readonly string[], selected: boolean) => void} select
 */
/** @param {JobTableProperties} properties */
export function JobTable({ jobs, applications, selected, select }) {
  const now = useNow();
  const count = jobs.filter(({ jobId }) => selected.has(jobId)).length;
  const all = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    if (all.current) all.current.indeterminate = count > 0 && count < jobs.length;
  }, [count, jobs.length]);
  return h("table", { class: "list jobs" },
    h("caption", { class: "visually-hidden" }, "Jobs, newest first"),
    h("thead", {}, h("tr", {},
      h("td", {}, h("input", { ref: all, type: "checkbox", "aria-label": "Select all jobs that are shown", checked: count > 0 && count === jobs.length,
        onchange: (/** @type {any} */ event) => select(jobs.map((job) => job.jobId), event.target.checked) })),
      COLUMNS.map((name) => h("th", { key: name, scope: "col" }, name)))),
    h("tbody", {}, jobs.map((job) => h(JobRow, {
      ...{ key: job.jobId, job, select, label: applications.of(job.pipeline).label, isSelected: selected.has(job.jobId) },
      ...{ created: ago(job.createdAt, Math.max(now, Date.parse(job.createdAt))), took: durationOf(job, now) },
    }))));
}

/**
 * A row is drawn again only if something that it shows has changed: a list may have thousands.
 * @param {{ job: JobSummary, label: string, isSelected: boolean, created: string, took: string | null, select: JobTableProperties["select"] }} properties
 */
function JobRow({ job, label, isSelected, created, took, select }) {
  return useMemo(() => {
    const { jobId, title, status, stage, progress, failure, model, usage, createdAt } = job;
    const running = status === "in_progress" && stage !== null;
    return h("tr", { "aria-selected": isSelected ? "true" : null },
      h("td", {}, h("input", { type: "checkbox", checked: isSelected, "aria-label": `Select ${title ?? label}`,
        onchange: (/** @type {any} */ event) => select([jobId], event.target.checked) })),
      h("th", { scope: "row" }, h("a", { href: `/console/jobs/${jobId}`, dir: "auto" }, title ?? label), " ", h("span", { class: "id" }, jobId)),
      h("td", { "data-label": "Status" }, h(StatusBadge, { status }), " ",
        running && h("span", { class: "note" }, `${sentenceCase(stage)}, ${Math.floor(progress)}%`),
        failure && h("span", { class: "note" }, failure.code)),
      h("td", { "data-label": "Kind" }, label),
      h("td", { "data-label": "Model" }, model),
      figure("Duration", took),
      figure("Cost", totalCostOf(usage)),
      h("td", { "data-label": "Created" }, h("time", { datetime: createdAt, title: time(createdAt) }, created)));
  }, [job, label, isSelected, created, took, select]);
}

/**
 * @param {JobSummary} job
 * @param {number} now milliseconds since 1970
 */
function durationOf({ startedAt, endedAt }, now) {
  if (startedAt === null) return null;
  return duration((endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt));
}

/**
 * @param {string} label
 * @param {string | null} value
 */
function figure(label, value) {
  return h("td", { "data-label": label, class: value === null ? "figure none" : "figure" }, value ?? "–");
}
