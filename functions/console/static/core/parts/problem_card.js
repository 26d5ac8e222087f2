/** What went wrong, in a card with what can be done about it. */

/** @import { Problem } from "../../millrace/watch.js" */

import { problemOf } from "../../millrace.js";
import { h } from "../app/dom.js";

/** @typedef {{ label: string, act: () => unknown, main?: boolean }} Action */

/** @type {Record<string, string>} */
const HEADINGS = {
  job: "The job has failed",
  refused: "That is not possible",
  unreachable: "The server cannot be reached",
  unreadable: "The answer could not be read",
  idle: "Nothing has been heard for two minutes",
  UNAUTHENTICATED: "Your sign-in has ended",
  FORBIDDEN: "This belongs to somebody else",
  NOT_FOUND: "This is not there any more",
  STREAM_LIMIT_EXCEEDED: "Five live streams are open already",
  RATE_LIMIT_EXCEEDED: "That was a lot in one minute",
};

/** @type {Record<string, string>} */
const ADVICE = {
  NOT_FOUND: "Finished jobs are kept for a while and are then removed; the address may also be mistyped.",
  STREAM_LIMIT_EXCEEDED: "Close another tab that shows a running job. This page tries again by itself.",
};

/**
 * @param {Problem} problem
 * @param {readonly Action[]} actions
 * @param {readonly (readonly [string, string | null | undefined])[]} [facts] what to quote
 */
export function problemCard(problem, actions, facts = []) {
  const { code, kind, message, requestId } = problem;
  const known = [["Code", code], ...facts, ["Request", requestId]].filter(([, value]) => value);
  return h(
    "section",
    { class: "problem", role: "alert" },
    h("h2", {}, HEADINGS[code ?? ""] ?? HEADINGS[kind]),
    h("p", {}, sentence(message), " ", ADVICE[code ?? ""]),
    known.length > 0 &&
      h("dl", { class: "facts" }, known.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    actions.length > 0 &&
      h("p", { class: "actions" }, actions.map(({ label, act, main = false }) =>
        h("button", { type: "button", class: main ? "button main" : "button", onclick: act }, label))),
  );
}

/**
 * A page's own problem: of an answer that did not come, with another try, or the way to sign in.
 * @param {unknown} error
 * @param {{ again?: () => unknown, signIn: () => unknown }} ways
 */
export function errorCard(error, { again, signIn }) {
  const problem = problemOf(error);
  if (problem.code === "UNAUTHENTICATED") return problemCard(problem, [{ label: "Sign in", act: signIn, main: true }]);
  return problemCard(problem, problem.retryable && again ? [{ label: "Try again", act: again, main: true }] : []);
}

/** @param {string} text */
function sentence(text) {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(upper) ? upper : `${upper}.`;
}
