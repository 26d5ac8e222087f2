/** Where everybody arrives: what Millrace does, and, once signed in, what to do next. */

/** @import { App } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { h } from "../app/dom.js";
import { jobList } from "../parts/job_list.js";

/**
 * @param {App} app
 * @returns {Page}
 */
export function homePage(app) {
  return { title: "Millrace", element: app.session.signedIn ? desk(app) : welcome(app) };
}

/** @param {App} app */
function welcome({ signIn }) {
  return h("div", { class: "welcome" },
    h("h1", {}, "Long model jobs, live and in one piece"),
    h("p", { class: "lead" },
      "Start a job and watch it being written. Reload the page, lose the network, open it on your phone: ",
      "you see the same text, nothing lost and nothing twice."),
    h("p", { class: "actions" }, h("button", { type: "button", class: "button main", onclick: signIn }, "Sign in")),
    h("ul", { class: "promises" },
      promise("It goes on without you", "A durable pipeline runs every stage, and starts a stage again that fails, from its checkpoint."),
      promise("It shows what happens", "Retries and repairs are told as they happen, never hidden in a spinner."),
      promise("It can be stopped", "Cancel within a second; resume a failed or cancelled job from where it stood.")));
}

/**
 * @param {string} title
 * @param {string} text
 */
function promise(title, text) {
  return h("li", {}, h("h2", {}, title), h("p", {}, text));
}

/** @param {App} app */
function desk(app) {
  const recent = jobList(app, { limit: 5, more: false });
  void recent.reload();
  return h("div", {},
    h("h1", {}, "What shall it be?"),
    h("ul", { class: "starts" },
      start("/console/suggest", "Suggest features", "Ideas for improving one page or component of a product, each with its reason and what to keep in mind."),
      start("/console/brainstorm", "Brainstorm", "As many ideas as you like, spread over genres in the proportions you choose, ranked or grouped at the end.")),
    h("section", { "aria-labelledby": "recent" }, h("h2", { id: "recent" }, "Latest jobs"), recent.element,
      h("p", {}, h("a", { href: "/console/jobs" }, "All jobs"))));
}

/**
 * @param {string} address
 * @param {string} title
 * @param {string} text
 */
function start(address, title, text) {
  return h("li", { class: "start" }, h("a", { href: address }, h("h2", {}, title), h("p", {}, text)));
}
