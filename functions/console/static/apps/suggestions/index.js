/** Feature suggestions: ideas for improving one page or component of a product. */

/** @import { Application } from "../../core/app/applications.js" */

import { lazyOutput } from "../../core/app/outputs.js";
import { PRIORITIES, TYPES } from "./labels.js";

/** @type {Application} */
export const suggestions = {
  pipeline: "suggestion",
  label: "Feature suggestions",
  stages: ["generate_suggestions", "validate_suggestions"],
  form: {
    path: "/console/suggest",
    label: "Suggest",
    title: "Suggest features",
    description: "Ideas for improving one page or component of a product, each with its rationale and considerations.",
  },
  lists: [],
  routes: [{ pattern: /^\/console\/suggest$/, load: async () => (await import("./pages/suggest.js")).suggestPage }],
  valueLabels: { featureType: TYPES, priorityLevel: PRIORITIES },
  output: lazyOutput(async () => (await import("./parts/suggestion_output.js")).suggestionOutput),
};
