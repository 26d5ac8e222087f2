/** The client of the API for the signed-in user: imported on demand, because a first visit does without it. */

/** @import { Session } from "./session.js" */

import { Millrace } from "../../millrace.js";

/** @param {Session} session */
export function newClient(session) {
  return new Millrace({ api: location.origin, token: (stale) => session.token(stale) });
}
