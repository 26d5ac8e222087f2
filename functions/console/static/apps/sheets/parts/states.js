/** The states of a session in plain words, and what the user can do in each. */

/** @import { SessionDetail } from "../../../../../../docs/api/types" */

import { h as element } from "../../../core/app/dom.js";
import { Icon } from "../../../core/app/icon_component.js";
import { icon, iconOfStatus } from "../../../core/app/icons.js";
import { h } from "../../../core/app/preact.js";

/** @type {Record<string, string>} */
export const STATES = { INITIALIZING: "Waiting for its file", ACTIVE: "Active", ERROR: "Needs help", CLOSED: "Closed" };

/** The colours of the states are those of jobs' statuses. @type {Record<string, string>} */
const STATUSES = { INITIALIZING: "in_progress", ACTIVE: "completed", ERROR: "failed", CLOSED: "cancelled" };

/** @param {string} state */
export function stateBadge(state) {
  const status = STATUSES[state] ?? "pending";
  return element("span", { class: "badge", "data-status": status }, icon(iconOfStatus(status)), STATES[state] ?? state);
}

/** The badge as a component. @param {{ state: string }} properties */
export function StateBadge({ state }) {
  const status = STATUSES[state] ?? "pending";
  return h("span", { class: "badge", "data-status": status }, h(Icon, { name: iconOfStatus(status) }), STATES[state] ?? state);
}

/**
 * Return why the session cannot be used now; null if it can.
 * @param {SessionDetail} session
 */
export function obstacleOf({ state, errors, activeJobId }) {
  if (state === "ACTIVE") return null;
  if (state === "CLOSED") return "This workbook is closed. You can only delete it.";
  if (activeJobId !== null) return "The workbook is being read…";
  return errors.at(-1)?.message ?? "The file of this workbook is not uploaded yet.";
}
