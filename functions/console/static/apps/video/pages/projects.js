/** All video projects of the user, and the form that creates one. */

/** @import { ProjectSummary } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { h } from "../../../core/app/dom.js";
import { keyPerContent } from "../../../core/app/idempotency_key.js";
import { h as component } from "../../../core/app/preact.js";
import { TimeAgo } from "../../../core/parts/fact_components.js";
import { selectField, textField } from "../../../core/parts/fields.js";
import { form } from "../../../core/parts/form.js";
import { cell, titleCell } from "../../../core/parts/item_table.js";
import { Empty, liveList } from "../../../core/parts/live_list.js";
import { ListWatch } from "../../../millrace.js";
import { projectPath } from "../paths.js";

const PAGE = 50;
/** @type {readonly (readonly [string, string])[]} */
const FORMATS = [["landscape", "Landscape, 1280 × 720"], ["portrait", "Portrait, 720 × 1280"], ["square", "Square, 1080 × 1080"]];

/**
 * @param {Context} context
 * @returns {Page}
 */
export function projectsPage(context) {
  const { millrace, signIn } = context;
  /** @type {ListWatch<ProjectSummary, {}>} */
  const list = new ListWatch(async ({ cursor }) => {
    const page = await millrace.projects.list({ limit: PAGE, cursor });
    return { items: page.projects, cursor: page.cursor };
  }, {}, { idOf: ({ projectId }) => projectId, updatedAt: (project) => project.updatedAt });
  const projects = liveList({
    ...{ list, name: "videos", signIn, caption: "Videos, newest first", columns: ["Video", "Scenes", "Length", "Changed"] },
    empty: component(Empty, { icon: "film", text: "No videos yet. Create one with the form above." }),
    idOf: ({ projectId }) => projectId,
    cells: ({ projectId, title, scenes, durationInFrames, format, updatedAt }) => [
      titleCell(title, projectPath(projectId), projectId),
      cell("Scenes", String(scenes), "figure"),
      cell("Length", `${(durationInFrames / format.fps).toFixed(1)} s`, "figure"),
      cell("Changed", component(TimeAgo, { iso: updatedAt })),
    ],
  });
  return {
    title: "Videos",
    element: h("div", {}, h("h1", {}, "Videos"),
      h("p", { class: "lead" }, "Say what a video should show. Every scene is played before it is kept, and every change can be undone."),
      newProjectForm(context), projects.element),
    leave: projects.stop,
  };
}

/** @param {Context} context */
function newProjectForm({ millrace, go, signIn }) {
  const title = textField({ name: "title", label: "Title", required: true, max: 200, placeholder: "Launch video" });
  const format = selectField({ name: "format", label: "Format", value: "landscape", choices: FORMATS });
  const keyOf = keyPerContent();
  return form({
    fields: [title, format],
    content: [title.element, format.element],
    submit: "Create a video",
    busy: "Creating…",
    send: async () => {
      const project = { title: title.value() ?? "", format: format.value() };
      const { projectId } = await millrace.projects.create(project, { idempotencyKey: keyOf(project) });
      go(projectPath(projectId));
    },
    signIn,
  });
}
