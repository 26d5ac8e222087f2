/** The client of the API for the signed-in user: imported on demand, because the first pages do without it. */

/** @import { Session } from "./session.js" */

import { Millrace } from "../../millrace.js";

/** @param {Session} session */
export function newClient(session) {
  return new Millrace(session.clientOptions);
}
