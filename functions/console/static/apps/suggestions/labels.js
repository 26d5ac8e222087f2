/** Labels for the values of a suggestion job's input. */

/** @type {Record<string, string>} */
export const TYPES = {
  enhancement: "Enhancement",
  "new-capability": "New capability",
  optimization: "Optimisation",
  "ui-improvement": "UI improvement",
  integration: "Integration",
};
/** @type {Record<string, string>} */
export const PRIORITIES = { low: "Low", medium: "Medium", high: "High", critical: "Critical" };
