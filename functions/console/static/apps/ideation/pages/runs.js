/** All brainstorming runs of the user. */

/** @import { RunSummary } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { h } from "../../../core/app/dom.js";
import { statusLabel } from "../../../core/app/labels.js";
import { statusBadge, timeOf } from "../../../core/parts/facts.js";
import { filterBar } from "../../../core/parts/filters.js";
import { pagedList } from "../../../core/parts/paged_list.js";
import { FORM, runPath } from "../paths.js";

const PAGE = 20;
/** @type {[string, string][]} */
const STATUSES = ["running", "completed", "failed", "cancelled"].map((each) => [each, statusLabel(each)]);

/**
 * @param {Context} context
 * @returns {Page}
 */
export function runsPage(context) {
  const filters = filterBar([{ name: "status", label: "Status", choices: STATUSES }], (query) => {
    context.setQuery(query);
    void runs.reload();
  });
  const body = h("tbody", {});
  const head = ["Run", "Status", "Created"].map((name) => h("th", { scope: "col" }, name));
  const runs = pagedList({
    fetch: async (cursor) => {
      const page = await context.millrace.listIdeations({ ...filters.values(), limit: PAGE, cursor });
      return { items: page.runs, cursor: page.cursor };
    },
    row: runRow,
    list: body,
    frame: h("table", { class: "list" }, h("caption", { class: "visually-hidden" }, "Runs, newest first"), h("thead", {}, h("tr", {}, head)), body),
    empty: () => h("p", { class: "empty" }, "No runs found. ", h("a", { href: FORM }, "Create one")),
    signIn: context.signIn,
  });
  void runs.reload();
  return {
    title: "Runs",
    element: h("div", {},
      h("div", { class: "page-head" }, h("h1", {}, "Runs"), h("a", { class: "button main", href: FORM }, "New run")),
      h("p", { class: "lead" }, "Brainstorming runs are kept until you delete them."), filters.element, runs.element),
  };
}

/** @param {RunSummary} run */
function runRow({ runId, title, status, createdAt }) {
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: runPath(runId) }, title), h("span", { class: "id" }, runId)),
    h("td", { "data-label": "Status" }, statusBadge(status)),
    h("td", { "data-label": "Created" }, timeOf(createdAt)));
}
