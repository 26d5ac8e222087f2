/** All jobs of the user, by pipeline and status. */

/** @import { App } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { h } from "../app/dom.js";
import { filterBar } from "../parts/filters.js";
import { jobList } from "../parts/job_list.js";
import { PIPELINES, STATUSES } from "../app/labels.js";

const PAGE = 20;

/** @type {[string, string][]} */
const JOB_STATUSES = ["pending", "in_progress", "completed", "failed", "cancelled"].map((each) => [each, STATUSES[each] ?? each]);
/** @type {[string, string][]} */
const KINDS = Object.entries(PIPELINES).map(([name, { label }]) => [name, label]);

/**
 * @param {App} app
 * @returns {Page}
 */
export function jobsPage(app) {
  const filters = filterBar(
    [
      { name: "status", label: "Status", choices: JOB_STATUSES },
      { name: "pipeline", label: "Kind", choices: KINDS },
    ],
    (query) => {
      app.setQuery(query);
      void jobs.reload();
    },
  );
  const jobs = jobList(app, { limit: PAGE, filter: filters.values });
  void jobs.reload();
  return {
    title: "Jobs",
    element: h("div", {},
      h("div", { class: "page-head" }, h("h1", {}, "Jobs"), h("a", { class: "button main", href: "/console/suggest" }, "New job")),
      h("p", { class: "lead" }, "Finished jobs are kept for ten minutes, failed ones for an hour. Brainstorming runs are kept until you delete them."),
      filters.element, jobs.element),
  };
}
