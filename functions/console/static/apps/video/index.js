/** Video: projects of scenes, and the chat that changes them. */

/** @import { Application } from "../../core/app/applications.js" */

import { jsonOutput } from "../../core/app/outputs.js";
import { PROJECTS } from "./paths.js";

/** @type {Application} */
export const render = {
  ...{ pipeline: "render", label: "Video render", stages: ["await_turn", "plan_render", "render_chunk", "join_chunks"] },
  ...{ form: null, lists: [], routes: [], output: jsonOutput },
};

/** @type {Application} */
export const video = {
  pipeline: "video_chat",
  label: "Video chat",
  stages: ["decide_tool", "brief_scenes", "make_scenes", "save_scenes"],
  form: {
    path: PROJECTS,
    label: "Videos",
    title: "Make a video by chat",
    description: "Say what the video should show. Every scene is played before it is kept, and every change can be undone.",
  },
  lists: [{ path: PROJECTS, label: "Videos", icon: "film" }],
  routes: [
    { pattern: /^\/console\/projects$/, load: async () => (await import("./pages/projects.js")).projectsPage },
    { pattern: /^\/console\/projects\/([^/]+)$/, load: async () => (await import("./pages/project.js")).projectPage },
  ],
  output: jsonOutput,
};
