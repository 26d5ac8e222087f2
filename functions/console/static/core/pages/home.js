/** The home page: what Millrace does; for a signed-in user, the forms and the latest jobs. */

/** @import { Context } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { h } from "../app/dom.js";
import { jobList } from "../parts/job_list.js";

/**
 * @param {Context} context
 * @returns {Page}
 */
export function homePage(context) {
  return { title: "Millrace", element: context.session.signedIn ? overview(context) : welcome(context) };
}

/** @param {Context} context */
function welcome({ signIn }) {
  return h("div", { class: "welcome" },
    h("h1", {}, "Long model jobs, live and complete"),
    h("p", { class: "lead" },
      "Start a job and watch the model write. Reload the page, lose the network, or open the job on your phone: ",
      "you see the same text, nothing is lost and nothing appears twice."),
    h("p", { class: "actions" }, h("button", { type: "button", class: "button main", onclick: signIn }, "Sign in")),
    h("ul", { class: "promises" },
      promise("It runs without you", "A durable pipeline runs every stage. A stage that fails starts again from its checkpoint."),
      promise("It shows what happens", "You see every retry and every repair when it happens."),
      promise("It can be stopped", "Cancel a job within a second. Resume a failed or cancelled job from its last checkpoint.")));
}

/**
 * @param {string} title
 * @param {string} text
 */
function promise(title, text) {
  return h("li", {}, h("h2", {}, title), h("p", {}, text));
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
