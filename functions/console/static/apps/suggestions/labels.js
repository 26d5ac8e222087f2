/** Labels for the values of a suggestion job's input. */

/** @type {Record<string, string>} */
export const TYPES = {
  enhancement: "Enhancement of an existing feature",
  "new-capability": "New capability",
  optimization: "Optimisation",
  "ui-improvement": "Better user interface",
  integration: "Integration with another product",
};
/** @type {Record<string, string>} */
export const PRIORITIES = { low: "Low", medium: "Medium", high: "High", critical: "Critical" };
