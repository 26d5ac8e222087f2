/** The home page of a signed-in user: the forms and the latest jobs. */

/** @import { Context } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { h } from "../app/dom.js";
import { jobList } from "../parts/job_list.js";

/**
 * @param {Context} context
 * @returns {Page}
 */
export function homePage(context) {
  return { title: "Millrace", element: overview(context) };
}

/** @param {Context} context */
function overview(context) {
  const recent = jobList(context, { limit: 5, more: false });
  void recent.reload();
  return h("div", {},
    h("h1", {}, "What would you like to create?"),
    h("ul", { class: "forms" }, [...context.applications].map(({ form }) => form &&
      h("li", { class: "form-card" }, h("a", { href: form.path }, h("h2", {}, form.title), h("p", {}, form.description))))),
    h("section", { "aria-labelledby": "recent" }, h("h2", { id: "recent" }, "Latest jobs"), recent.element,
      h("p", {}, h("a", { href: "/console/jobs" }, "All jobs"))));
}
