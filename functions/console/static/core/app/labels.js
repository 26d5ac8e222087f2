/** Labels for the names that the API uses. */

/** @type {Record<string, string>} */
export const STATUSES = {
  pending: "Waiting",
  in_progress: "Running",
  running: "Running",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  enabled: "Enabled",
  paused: "Paused",
  disabled: "Disabled",
  delivered: "Delivered",
  discarded: "Not sent",
  erasing: "Erasing",
  settling: "Waiting to check again",
};

/** @type {Record<string, string>} */
const RESETS = {
  REPAIR: "The model’s output is being repaired",
  RESTARTED: "The stage was started again",
  RESUMED: "The job was resumed",
  WORKER_LOST: "The stage’s process was lost",
  NO_PROGRESS: "The job made no progress for too long",
  STAGE_TIMEOUT: "The stage took too long",
  MODEL_RATE_LIMITED: "The model was busy",
  MODEL_NOT_READY: "The model was still being loaded",
  MODEL_TIMEOUT: "The model stopped responding",
  MODEL_UNAVAILABLE: "The model could not be reached",
  MODEL_DISCONNECTED: "The connection to the model was lost",
};

/** @param {string} status */
export function statusLabel(status) {
  return STATUSES[status] ?? status;
}

/** @param {string} reason */
export function resetLabel(reason) {
  return RESETS[reason] ?? sentenceCase(reason.toLowerCase());
}

/**
 * `generate_ideas` → `Generate ideas`.
 * @param {string} name
 */
export function sentenceCase(name) {
  const text = name.replaceAll(/[_-]/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @type {Record<string, string>} */
const MARKS = { connecting: "▶", streaming: "▶", complete: "✓", error: "✗", cancelled: "■" };

/**
 * The title of a tab that shows a job, with a mark of its state: `▶ Checkout`, `✓ Checkout`.
 * @param {string} title
 * @param {string} state of the watch
 */
export function titleWithState(title, state) {
  const mark = MARKS[state];
  return mark ? `${mark} ${title}` : title;
}
