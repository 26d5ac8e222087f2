/** Brainstorming runs: ideas spread over genres, kept until the user deletes the run. */

/** @import { Application } from "../../core/app/applications.js" */

import { lazyOutput } from "../../core/app/outputs.js";
import { ARRANGEMENTS } from "./labels.js";
import { FORM, RUNS, runPath } from "./paths.js";

/** @type {Application} */
export const ideation = {
  pipeline: "ideation",
  label: "Brainstorm",
  stages: ["prepare_ideas", "generate_ideas", "arrange_ideas"],
  form: {
    path: FORM,
    label: "Brainstorm",
    title: "Brainstorm",
    description: "As many ideas as you like, spread over genres in the proportions you choose, ranked or grouped at the end.",
  },
  lists: [{ path: RUNS, label: "Runs", icon: "bulb" }],
  retention: "Brainstorming runs are kept until you delete them.",
  routes: [
    { pattern: /^\/console\/brainstorm$/, load: async () => (await import("./pages/brainstorm.js")).brainstormPage },
    { pattern: /^\/console\/ideations$/, load: async () => (await import("./pages/runs.js")).runsPage },
    { pattern: /^\/console\/ideations\/([^/]+)$/, load: async () => (await import("./pages/run.js")).runPage },
  ],
  valueLabels: { arrangement: ARRANGEMENTS },
  output: lazyOutput(async () => (await import("./parts/idea_output.js")).ideaOutput),
  runPath,
};
