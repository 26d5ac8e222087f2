/** The states of a session in plain words, and what the user can do in each. */

/** @import { SessionDetail } from "../../../../../../docs/api/types" */

import { h } from "../../../core/app/dom.js";

/** @type {Record<string, string>} */
export const STATES = { INITIALIZING: "Waiting for its file", ACTIVE: "Active", ERROR: "Needs help", CLOSED: "Closed" };

/** The colours of the states are those of jobs' statuses. @type {Record<string, string>} */
const STATUSES = { INITIALIZING: "in_progress", ACTIVE: "completed", ERROR: "failed", CLOSED: "cancelled" };

/** @param {string} state */
export function stateBadge(state) {
  return h("span", { class: "badge", "data-status": STATUSES[state] ?? "pending" }, STATES[state] ?? state);
}

/**
 * Return why the session cannot be used now; null if it can.
 * @param {SessionDetail} session
 */
export function obstacleOf({ state, errors, activeJobId }) {
  if (state === "ACTIVE") return null;
  if (state === "CLOSED") return "This workbook is closed. It can be read and exported no more, only deleted.";
  if (activeJobId !== null) return "The workbook is being read…";
  return errors.at(-1)?.message ?? "The file of this workbook was not uploaded yet.";
}
