/** Copies the input of a job into the form for a new one. */

const KEY = "millrace.prefill";

/**
 * @param {string} pipeline
 * @param {unknown} input
 */
export function prefill(pipeline, input) {
  sessionStorage.setItem(KEY, JSON.stringify({ pipeline, input }));
}

/**
 * Return the input that `prefill` stored for this pipeline, and delete it; an empty object if there is none.
 * @param {string} pipeline
 * @returns {object}
 */
export function prefilled(pipeline) {
  const stored = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  sessionStorage.removeItem(KEY);
  return stored?.pipeline === pipeline ? stored.input : {};
}
