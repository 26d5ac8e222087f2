/** Takes what a job was asked for over to a new form. */

const KEY = "millrace.prefill";

/**
 * @param {string} pipeline
 * @param {unknown} input
 */
export function prefill(pipeline, input) {
  sessionStorage.setItem(KEY, JSON.stringify({ pipeline, input }));
}

/**
 * What was left for a form of this pipeline, once.
 * @param {string} pipeline
 * @returns {object}
 */
export function prefilled(pipeline) {
  const left = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  sessionStorage.removeItem(KEY);
  return left?.pipeline === pipeline ? left.input : {};
}
