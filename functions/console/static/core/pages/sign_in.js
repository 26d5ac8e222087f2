/** The pages of whoever is not signed in yet, or has come somewhere that is not there. */

/** @import { App } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { append, h } from "../app/dom.js";
import { errorCard } from "../parts/problem_card.js";

/**
 * @param {App} app
 * @returns {Page}
 */
export function signInPage({ signIn }) {
  return {
    title: "Sign in",
    element: h("div", { class: "narrow" },
      h("h1", {}, "Sign in to see this page"),
      h("p", { class: "lead" }, "Jobs and runs are their owner’s: this page needs to know who you are."),
      h("p", { class: "actions" }, h("button", { type: "button", class: "button main", onclick: signIn }, "Sign in"))),
  };
}

/**
 * Where the provider's sign-in leads back to.
 * @param {App} app
 * @returns {Page}
 */
export function signedInPage({ session, go }) {
  const element = h("div", { class: "narrow" }, h("h1", {}, "Signing in …"));
  const query = new URLSearchParams(location.search);
  // The code is used up at once; it shall not stand in the address, or be used again by a reload.
  history.replaceState(null, "", location.pathname);
  session.comeBack(query).then(
    (to) => go(to, { replace: true }),
    (error) => {
      const signIn = () => void session.signIn("/", { again: true });
      append(element, errorCard(error, { signIn, again: signIn }));
      append(element, h("p", { class: "actions" }, h("button", { type: "button", class: "button main", onclick: signIn }, "Sign in again")));
    },
  );
  return { title: "Signing in", element };
}

/** @returns {Page} */
export function missingPage() {
  return {
    title: "Not found",
    element: h("div", { class: "narrow" },
      h("h1", {}, "There is no such page"),
      h("p", { class: "lead" }, "The address may be mistyped. ", h("a", { href: "/" }, "Back to the start"))),
  };
}
