/** Brainstorming runs: ideas spread over genres, kept until the user deletes the run. */

/** @import { Application } from "../../core/app/applications.js" */

import { brainstormPage } from "./pages/brainstorm.js";
import { runPage } from "./pages/run.js";
import { runsPage } from "./pages/runs.js";
import { ideaOutput } from "./parts/idea_output.js";
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
  lists: [{ path: RUNS, label: "Runs" }],
  retention: "Brainstorming runs are kept until you delete them.",
  routes: [
    { pattern: /^\/console\/brainstorm$/, page: brainstormPage },
    { pattern: /^\/console\/ideations$/, page: runsPage },
    { pattern: /^\/console\/ideations\/([^/]+)$/, page: runPage },
  ],
  titleOf: ({ platform }) => platform,
  output: ideaOutput,
  runPath,
};
