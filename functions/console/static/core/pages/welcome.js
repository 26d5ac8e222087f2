/** The home page of a user who is not signed in: what Millrace does. */

/** @import { PublicContext } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { h } from "../app/dom.js";

/**
 * @param {PublicContext} context
 * @returns {Page}
 */
export function welcomePage({ signIn }) {
  return { title: "Millrace", element: welcome(signIn) };
}

/** @param {() => void} signIn */
function welcome(signIn) {
  return h("div", { class: "welcome" },
    h("h1", {}, "Long model jobs, live and complete"),
    h("p", { class: "lead" },
      "Start a job and watch the model write. Reload the page, lose the network, or open the job on your phone: ",
      "you see the same text, nothing is lost and nothing appears twice."),
    h("p", { class: "actions" }, h("button", { type: "button", class: "button main", onclick: signIn }, "Sign in")),
    h("ul", { class: "promises" },
      promise("It runs without you", "Jobs keep running when you close the page. A failed stage restarts from its last checkpoint."),
      promise("It shows every step", "You see every retry and every repair when it happens."),
      promise("It can be stopped", "Cancel a job within a second. Resume a failed or cancelled job from its last checkpoint.")));
}

/**
 * @param {string} title
 * @param {string} text
 */
function promise(title, text) {
  return h("li", {}, h("h2", {}, title), h("p", {}, text));
}
