/** The addresses of the pages of brainstorming runs. */

export const FORM = "/console/brainstorm";
export const RUNS = "/console/ideations";

/** @param {string} runId */
export function runPath(runId) {
  return `${RUNS}/${runId}`;
}
