/** Says of an error or of a failed job what went wrong, in the form that a watch has. */

/** @import { JobView } from "./view.js" */
/** @import { Problem } from "./watch.js" */

import { Refused, Unreachable } from "./errors.js";

/** @type {Omit<Problem, "kind" | "message">} */
const NO_PROBLEM = { code: null, status: null, retryable: false, retryAfter: null, requestId: null };

/**
 * @param {unknown} error
 * @returns {Problem}
 */
export function problemOf(error) {
  if (error instanceof Refused) {
    const { message, code, status, retryable, retryAfter, requestId } = error;
    return { kind: "refused", message, code, status, retryable: retryable || retryAfter !== null, retryAfter, requestId };
  }
  if (error instanceof Unreachable) {
    return { ...NO_PROBLEM, kind: "unreachable", message: error.message, retryable: true, retryAfter: error.retryAfter };
  }
  return { ...NO_PROBLEM, kind: "unreadable", message: error instanceof Error ? error.message : String(error) };
}

/**
 * @param {JobView} view
 * @returns {Problem}
 */
export function problemOfJob(view) {
  const { message = "The job has failed.", code = null, retryable = false, requestId = null } = view.failure ?? {};
  return { ...NO_PROBLEM, kind: "job", message, code, retryable, requestId };
}
