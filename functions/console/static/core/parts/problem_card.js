/** A card that shows a problem and what the user can do about it. */

/** @import { Problem } from "../../millrace/watch.js" */

import { problemOf } from "../../millrace/problems.js";
import { h } from "../app/dom.js";

/** @typedef {{ label: string, act: () => unknown, main?: boolean }} Action */

/** By the error's code or, if its code is not here, by the problem's kind. @type {Record<string, string>} */
const HEADINGS = {
  job: "The job has failed",
  refused: "The request was refused",
  unreachable: "The server cannot be reached",
  unreadable: "The response could not be read",
  idle: "No data for two minutes",
  UNAUTHENTICATED: "Your session has ended",
  FORBIDDEN: "Another user owns this",
  NOT_FOUND: "Not found",
  STREAM_LIMIT_EXCEEDED: "Too many live streams are open",
  RATE_LIMIT_EXCEEDED: "Too many requests in one minute",
};

/** @type {Record<string, string>} */
const ADVICE = {
  NOT_FOUND: "If you typed the address, check it.",
  STREAM_LIMIT_EXCEEDED: "Close another tab that shows a running job. This page then tries again automatically.",
};

/** @typedef {readonly (readonly [string, string | null | undefined])[]} Details further facts for a bug report */

/**
 * The card as an element.
 * @param {Problem} problem
 * @param {readonly Action[]} actions
 * @param {Details} [details]
 * @returns {HTMLElement}
 */
export function problemCard(problem, actions, details = []) {
  return describeProblem(/** @type {any} */ (h), problem, actions, details);
}

/**
 * Describe the card with a function `h`: that of `dom.js` creates its element, that of Preact returns it to a component.
 * @template T
 * @param {(tag: string, attributes: Record<string, any>, ...children: any[]) => T} create
 * @param {Problem} problem
 * @param {readonly Action[]} actions
 * @param {Details} details
 */
export function describeProblem(create, { code, kind, message, requestId }, actions, details) {
  const known = [["Code", code], ...details, ["Request", requestId]].filter(([, value]) => value);
  return create(
    "section",
    { class: "problem", role: "alert" },
    create("h2", {}, HEADINGS[code ?? ""] ?? HEADINGS[kind]),
    create("p", {}, sentence(message), " ", ADVICE[code ?? ""]),
    known.length > 0 &&
      create("dl", { class: "facts" }, known.map(([name, value]) => create("div", {}, create("dt", {}, name), create("dd", {}, value)))),
    actions.length > 0 &&
      create("p", { class: "actions" }, actions.map(({ label, act, main = false }) =>
        create("button", { type: "button", class: main ? "button main" : "button", onclick: act }, label))),
  );
}

/**
 * The card of a request that failed. It offers to sign in if the session has ended, or to try again if that can help.
 * @param {unknown} error
 * @param {{ again?: () => unknown, signIn: () => unknown }} actions
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
