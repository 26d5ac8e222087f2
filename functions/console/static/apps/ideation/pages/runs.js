/** All brainstorming runs of the user. */

/** @import { RunSummary } from "../../../../../../docs/api/types" */
/** @import { App } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { h } from "../../../core/app/dom.js";
import { badge, timeOf } from "../../../core/parts/facts.js";
import { filterBar } from "../../../core/parts/filters.js";
import { pagesOf } from "../../../core/parts/paged_list.js";
import { STATUSES } from "../../../core/app/labels.js";

const PAGE = 20;
/** @type {[string, string][]} */
const RUN_STATUSES = ["running", "completed", "failed", "cancelled"].map((each) => [each, STATUSES[each] ?? each]);

/**
 * @param {App} app
 * @returns {Page}
 */
export function ideationsPage(app) {
  const filters = filterBar([{ name: "status", label: "Status", choices: RUN_STATUSES }], (query) => {
    app.setQuery(query);
    void runs.reload();
  });
  const body = h("tbody", {});
  const head = ["Run", "Status", "Created"].map((name) => h("th", { scope: "col" }, name));
  const runs = pagesOf({
    fetch: async (cursor) => {
      const page = await app.millrace.listIdeations({ ...filters.values(), limit: PAGE, cursor });
      return { items: page.runs, cursor: page.cursor };
    },
    row: runRow,
    list: body,
    frame: h("table", { class: "list" }, h("caption", { class: "unseen" }, "Runs, newest first"), h("thead", {}, h("tr", {}, head)), body),
    empty: () => h("p", { class: "empty" }, "No runs here. ", h("a", { href: "/console/brainstorm" }, "Start one")),
    signIn: app.signIn,
  });
  void runs.reload();
  return {
    title: "Runs",
    element: h("div", {},
      h("div", { class: "page-head" }, h("h1", {}, "Runs"), h("a", { class: "button main", href: "/console/brainstorm" }, "New run")),
      h("p", { class: "lead" }, "Brainstorming runs, kept until you delete them."), filters.element, runs.element),
  };
}

/** @param {RunSummary} run */
function runRow({ runId, title, status, createdAt }) {
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: `/console/ideations/${runId}` }, title), h("span", { class: "id" }, runId)),
    h("td", { "data-label": "Status" }, badge(status, STATUSES[status] ?? status)),
    h("td", { "data-label": "Created" }, timeOf(createdAt)));
}
