/** All video projects of the user, and the form that creates one. */

/** @import { ProjectSummary } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { h } from "../../../core/app/dom.js";
import { keyPerContent } from "../../../core/app/idempotency_key.js";
import { timeOf } from "../../../core/parts/facts.js";
import { selectField, textField } from "../../../core/parts/fields.js";
import { form } from "../../../core/parts/form.js";
import { pagedList } from "../../../core/parts/paged_list.js";
import { projectPath } from "../paths.js";

const PAGE = 20;
/** @type {readonly (readonly [string, string])[]} */
const FORMATS = [["landscape", "Landscape, 1280 × 720"], ["portrait", "Portrait, 720 × 1280"], ["square", "Square, 1080 × 1080"]];

/**
 * @param {Context} context
 * @returns {Page}
 */
export function projectsPage(context) {
  const body = h("tbody", {});
  const head = ["Video", "Scenes", "Length", "Changed"].map((name) => h("th", { scope: "col" }, name));
  const projects = pagedList({
    fetch: async (cursor) => {
      const page = await context.millrace.projects.list({ limit: PAGE, cursor });
      return { items: page.projects, cursor: page.cursor };
    },
    row,
    list: body,
    frame: h("table", { class: "list" }, h("caption", { class: "visually-hidden" }, "Videos, newest first"), h("thead", {}, h("tr", {}, head)), body),
    empty: () => h("p", { class: "empty" }, "No videos yet."),
    signIn: context.signIn,
  });
  void projects.reload();
  return {
    title: "Videos",
    element: h("div", {}, h("h1", {}, "Videos"),
      h("p", { class: "lead" }, "Say what a video should show. Every scene is played before it is kept, and every change can be undone."),
      newProjectForm(context), projects.element),
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

/** @param {ProjectSummary} project */
function row({ projectId, title, scenes, durationInFrames, format, updatedAt }) {
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: projectPath(projectId) }, title), h("span", { class: "id" }, projectId)),
    h("td", { "data-label": "Scenes" }, scenes),
    h("td", { "data-label": "Length" }, `${(durationInFrames / format.fps).toFixed(1)} s`),
    h("td", { "data-label": "Changed" }, timeOf(updatedAt)));
}
