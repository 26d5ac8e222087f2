/** The addresses of the pages of sheets. */

export const SHEETS = "/console/sheets";

/** @param {string} sessionId */
export function sheetPath(sessionId) {
  return `${SHEETS}/${sessionId}`;
}
