/** A table of jobs, newest first. */

/** @import { JobSummary } from "../../../../../docs/api/types" */
/** @import { JobFilter } from "../../millrace.js" */
/** @import { Context } from "../app/context.js" */

import { h } from "../app/dom.js";
import { tokensOf, totalCostOf } from "../app/format.js";
import { sentenceCase } from "../app/labels.js";
import { statusBadge, timeOf } from "./facts.js";
import { pagedList } from "./paged_list.js";

/**
 * @param {Context} context
 * @param {{ limit: number, more?: boolean, filter?: () => JobFilter }} options `filter` is called whenever a page is fetched
 */
export function jobList({ applications, millrace, signIn }, { limit, more = true, filter = () => ({}) }) {
  const body = h("tbody", {});
  const head = ["Job", "Status", "Created", "Tokens", "Cost"].map((name) => h("th", { scope: "col" }, name));
  const table = h("table", { class: "list" }, h("caption", { class: "visually-hidden" }, "Jobs, newest first"), h("thead", {}, h("tr", {}, head)), body);
  return pagedList({
    fetch: async (cursor) => {
      const page = await millrace.listJobs({ ...filter(), limit, cursor });
      return { items: page.jobs, cursor: more ? page.cursor : null };
    },
    row: (job) => jobRow(job, applications.of(job.pipeline).label),
    list: body,
    frame: table,
    empty: () => h("p", { class: "empty" }, "No jobs found. ", h("a", { href: applications.defaultFormPath }, "Create one")),
    signIn,
  });
}

/**
 * @param {JobSummary} job
 * @param {string} label of its pipeline
 */
function jobRow({ jobId, title, status, stage, progress, usage, createdAt, failure }, label) {
  const running = status === "in_progress" && stage !== null;
  const tokens = usage.inputTokens + usage.outputTokens;
  const unreported = usage.unreportedCalls ?? 0;
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: `/console/jobs/${jobId}`, dir: "auto" }, title ?? label), h("span", { class: "id" }, jobId)),
    h("td", { "data-label": "Status" }, statusBadge(status),
      running && h("span", { class: "note" }, `${sentenceCase(stage)}, ${Math.floor(progress)}%`),
      failure && h("span", { class: "note" }, failure.code)),
    h("td", { "data-label": "Created" }, timeOf(createdAt)),
    figure("Tokens", tokens > 0 || unreported > 0 ? tokensOf(tokens, unreported) : null),
    figure("Cost", totalCostOf(usage)));
}

/**
 * @param {string} label
 * @param {string | null} value
 */
function figure(label, value) {
  return h("td", { "data-label": label, class: value === null ? "figure none" : "figure" }, value ?? "–");
}
