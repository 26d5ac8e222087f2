/** All jobs of the user, filtered by pipeline and status. */

/** @import { Context } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { h } from "../app/dom.js";
import { statusLabel } from "../app/labels.js";
import { filterBar } from "../parts/filters.js";
import { jobList } from "../parts/job_list.js";

const PAGE = 20;
/** @type {[string, string][]} */
const STATUSES = ["pending", "in_progress", "completed", "failed", "cancelled"].map((each) => [each, statusLabel(each)]);

/**
 * @param {Context} context
 * @returns {Page}
 */
export function jobsPage(context) {
  const applications = [...context.applications];
  const kinds = applications.map(({ pipeline, label }) => /** @type {[string, string]} */ ([pipeline, label]));
  const filters = filterBar(
    [
      { name: "status", label: "Status", choices: STATUSES },
      { name: "pipeline", label: "Kind", choices: kinds },
    ],
    (query) => {
      context.setQuery(query);
      void jobs.reload();
    },
  );
  const jobs = jobList(context, { limit: PAGE, filter: filters.values });
  void jobs.reload();
  const retention = ["Completed jobs are kept for ten minutes, failed jobs for an hour.", ...applications.flatMap((each) => each.retention ?? [])];
  return {
    title: "Jobs",
    element: h("div", {},
      h("div", { class: "page-head" }, h("h1", {}, "Jobs"),
        h("a", { class: "button main", href: context.applications.defaultFormPath }, "New job")),
      h("p", { class: "lead" }, retention.join(" ")),
      filters.element, jobs.element),
  };
}
