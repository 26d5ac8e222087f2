/** The home page of a signed-in user: the forms and the latest jobs. It needs one operation, and not the whole client. */

/** @import { JobSummary } from "../../../../../docs/api/types" */
/** @import { PublicContext } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { createClient } from "../../millrace/calls.js";
import { JobListWatch } from "../../millrace/job_list.js";
import { listJobs } from "../../millrace/operations.js";
import { h } from "../app/dom.js";
import { mounted } from "../app/mounted.js";
import { h as component } from "../app/preact.js";
import { JobTable } from "../parts/job_table.js";
import { Empty, ListFrame } from "../parts/live_list.js";

/** The number of jobs on the page. */
const LATEST = 5;

/**
 * @param {PublicContext} context
 * @returns {Page}
 */
export function homePage({ applications, session, signIn }) {
  const client = createClient(session.clientOptions);
  const latest = mounted(ListFrame, {
    ...{ list: new JobListWatch((page) => listJobs(client, page), { limit: LATEST }), name: "jobs", signIn, more: false },
    empty: component(Empty, { icon: "list", text: "No jobs yet. Choose above what to create." }),
    rows: (/** @type {readonly JobSummary[]} */ jobs) => component(JobTable, { jobs: jobs.slice(0, LATEST), applications }),
  });
  const element = h("div", {},
    h("h1", {}, "What would you like to create?"),
    h("ul", { class: "forms" }, [...applications].map(({ form }) => form &&
      h("li", { class: "form-card" }, h("a", { href: form.path }, h("h2", {}, form.title), h("p", {}, form.description))))),
    h("section", { "aria-labelledby": "recent" }, h("h2", { id: "recent" }, "Latest jobs"), latest.element,
      h("p", {}, h("a", { href: "/console/jobs" }, "All jobs"))));
  return { title: "Millrace", element, leave: latest.stop };
}
