/** What things are called on the page. */

/** @type {Record<string, { label: string, stages: string[] }>} */
export const PIPELINES = {
  suggestion: { label: "Feature suggestions", stages: ["generate_suggestions", "validate_suggestions"] },
  ideation: { label: "Brainstorm", stages: ["prepare_ideas", "generate_ideas", "arrange_ideas"] },
};

/** @type {Record<string, string>} */
export const STATUSES = {
  pending: "Waiting",
  in_progress: "Running",
  running: "Running",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** @type {Record<string, string>} */
const RESETS = {
  REPAIR: "The answer is being repaired",
  RESTARTED: "The stage was started again",
  RESUMED: "The job was resumed",
  WORKER_LOST: "The stage’s process was lost",
  STAGE_TIMEOUT: "The stage took too long",
  MODEL_RATE_LIMITED: "The model was busy",
  MODEL_TIMEOUT: "The model stopped answering",
  MODEL_UNAVAILABLE: "The model could not be reached",
  MODEL_DISCONNECTED: "The connection to the model broke",
};

/** @param {string} pipeline */
export function pipelineName(pipeline) {
  return PIPELINES[pipeline]?.label ?? words(pipeline);
}

/** @param {string} stage */
export function stageName(stage) {
  return words(stage);
}

/** @param {string} reason */
export function resetName(reason) {
  return RESETS[reason] ?? words(reason.toLowerCase());
}

/**
 * `generate_ideas` → `Generate ideas`.
 * @param {string} name
 */
export function words(name) {
  const text = name.replaceAll(/[_-]/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
