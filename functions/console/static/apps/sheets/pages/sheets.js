/** All sheet sessions of the user, and the place to drop a new workbook. */

/** @import { SessionDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { h } from "../../../core/app/dom.js";
import { bytes } from "../../../core/app/format.js";
import { timeOf } from "../../../core/parts/facts.js";
import { filterBar } from "../../../core/parts/filters.js";
import { pagedList } from "../../../core/parts/paged_list.js";
import { newSheetZone } from "../parts/drop_zone.js";
import { STATES, stateBadge } from "../parts/states.js";
import { sheetPath } from "../paths.js";

const PAGE = 20;

/**
 * @param {Context} context
 * @returns {Page}
 */
export function sheetsPage(context) {
  const filters = filterBar([{ name: "state", label: "State", choices: Object.entries(STATES) }], (query) => {
    context.setQuery(query);
    void sessions.reload();
  });
  const body = h("tbody", {});
  const head = ["Workbook", "State", "Size", "Changed"].map((name) => h("th", { scope: "col" }, name));
  const sessions = pagedList({
    fetch: async (cursor) => {
      const page = await context.millrace.sheets.list({ ...filters.values(), limit: PAGE, cursor });
      return { items: page.sessions, cursor: page.cursor };
    },
    row,
    list: body,
    frame: h("table", { class: "list" }, h("caption", { class: "visually-hidden" }, "Workbooks, newest first"), h("thead", {}, h("tr", {}, head)), body),
    empty: () => h("p", { class: "empty" }, "No workbooks yet."),
    signIn: context.signIn,
  });
  void sessions.reload();
  return {
    title: "Sheets",
    element: h("div", {}, h("h1", {}, "Sheets"),
      h("p", { class: "lead" }, "Drop a workbook, ask about it, and let the model change it. Every change can be undone."),
      newSheetZone(context), filters.element, sessions.element),
  };
}

/** @param {SessionDetail} session */
function row({ sessionId, title, state, file, updatedAt }) {
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: sheetPath(sessionId) }, title), h("span", { class: "id" }, sessionId)),
    h("td", { "data-label": "State" }, stateBadge(state)),
    h("td", { "data-label": "Size" }, bytes(file.bytes)),
    h("td", { "data-label": "Changed" }, timeOf(updatedAt)));
}
