/** The pages for users who are not signed in, for addresses without a page, and for pages that cannot be loaded. */

/** @import { PublicContext } from "../app/context.js" */
/** @import { Page } from "../app/router.js" */

import { append, h } from "../app/dom.js";
import { errorCard } from "../parts/problem_card.js";

/**
 * @param {PublicContext} context
 * @returns {Page}
 */
export function signInPage({ signIn }) {
  return {
    title: "Sign in",
    element: h("div", { class: "narrow" },
      h("h1", {}, "Sign in to see this page"),
      h("p", { class: "lead" }, "Jobs and runs belong to one user. Sign in to see yours."),
      h("p", { class: "actions" }, h("button", { type: "button", class: "button main", onclick: signIn }, "Sign in"))),
  };
}

/**
 * The page to which the provider's sign-in redirects.
 * @param {PublicContext} context
 * @returns {Page}
 */
export function signedInPage({ session, go }) {
  const element = h("div", { class: "narrow" }, h("h1", {}, "Signing in…"));
  const query = new URLSearchParams(location.search);
  // The code is valid once. Without it in the address, a reload does not send it again.
  history.replaceState(null, "", location.pathname);
  session.finishSignIn(query).then(
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
      h("h1", {}, "Page not found"),
      h("p", { class: "lead" }, "Check the address, or go to the ", h("a", { href: "/" }, "home page"), ".")),
  };
}

/**
 * The page that is shown if the console or one of its pages cannot be loaded.
 * @param {unknown} error
 * @param {{ title?: string, again?: () => void }} [how]
 * @returns {Page}
 */
export function failedPage(error, { title = "Millrace", again = () => location.reload() } = {}) {
  return { title, element: h("div", {}, h("h1", {}, title), errorCard(error, { signIn: again, again })) };
}
