/** A table of jobs, newest first. */

/** @import { JobSummary } from "../../../../../docs/api/types" */
/** @import { App } from "../app/context.js" */
/** @import { JobFilter } from "../../millrace.js" */

import { h } from "../app/dom.js";
import { cost, number } from "../app/format.js";
import { STATUSES, pipelineName, stageName } from "../app/labels.js";
import { badge, timeOf } from "./facts.js";
import { pagesOf } from "./paged_list.js";

/**
 * @param {App} app
 * @param {{ limit: number, more?: boolean, filter?: () => JobFilter }} options `filter` is asked at every loading
 */
export function jobList({ millrace, signIn }, { limit, more = true, filter = () => ({}) }) {
  const body = h("tbody", {});
  const head = ["Job", "Status", "Created", "Tokens", "Cost"].map((name) => h("th", { scope: "col" }, name));
  const table = h("table", { class: "list" }, h("caption", { class: "unseen" }, "Jobs, newest first"), h("thead", {}, h("tr", {}, head)), body);
  return pagesOf({
    fetch: async (cursor) => {
      const page = await millrace.listJobs({ ...filter(), limit, cursor });
      return { items: page.jobs, cursor: more ? page.cursor : null };
    },
    row: jobRow,
    list: body,
    frame: table,
    empty: () => h("p", { class: "empty" }, "No jobs here. ", h("a", { href: "/console/suggest" }, "Start one")),
    signIn,
  });
}

/** @param {JobSummary} job */
function jobRow(job) {
  const { jobId, pipeline, status, stage, progress, usage, createdAt, failure } = job;
  const running = status === "in_progress" && stage !== null;
  const tokens = usage.inputTokens + usage.outputTokens;
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: `/console/jobs/${jobId}` }, pipelineName(pipeline)), h("span", { class: "id" }, jobId)),
    h("td", { "data-label": "Status" }, badge(status, STATUSES[status] ?? status),
      running && h("span", { class: "note" }, `${stageName(stage)}, ${Math.floor(progress)} %`),
      failure && h("span", { class: "note" }, failure.code)),
    h("td", { "data-label": "Created" }, timeOf(createdAt)),
    figure("Tokens", tokens > 0 ? number(tokens) : null),
    figure("Cost", tokens > 0 && usage.costUsd !== null ? cost(usage.costUsd) : null));
}

/**
 * @param {string} label
 * @param {string | null} value
 */
function figure(label, value) {
  return h("td", { "data-label": label, class: value === null ? "figure none" : "figure" }, value ?? "–");
}
