/** All sheet sessions of the user, and the place to drop a new workbook. */

/** @import { SessionDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { h } from "../../../core/app/dom.js";
import { bytes } from "../../../core/app/format.js";
import { h as component } from "../../../core/app/preact.js";
import { TimeAgo } from "../../../core/parts/fact_components.js";
import { filterBar } from "../../../core/parts/filters.js";
import { cell, titleCell } from "../../../core/parts/item_table.js";
import { Empty, liveList, NoMatch } from "../../../core/parts/live_list.js";
import { ListWatch } from "../../../millrace.js";
import { newSheetZone } from "../parts/drop_zone.js";
import { STATES, StateBadge } from "../parts/states.js";
import { sheetPath } from "../paths.js";

const PAGE = 50;

/** @typedef {{ state?: string }} SheetFilter */

/**
 * @param {Context} context
 * @returns {Page}
 */
export function sheetsPage(context) {
  const { millrace, setQuery, signIn } = context;
  const filters = filterBar([{ name: "state", label: "State", choices: Object.entries(STATES) }], (query) => {
    setQuery(query);
    list.setFilter(filters.values());
  });
  /** @type {ListWatch<SessionDetail, SheetFilter>} */
  const list = new ListWatch(async (page) => {
    const { sessions, cursor } = await millrace.sheets.list({ ...page, limit: PAGE });
    return { items: sessions, cursor };
  }, filters.values(), {
    idOf: ({ sessionId }) => sessionId,
    isLive: ({ activeJobId }) => activeJobId !== null,
    updatedAt: (session) => session.updatedAt,
    matches: (session, { state }) => !state || session.state === state,
  });
  const sessions = liveList({
    ...{ list, name: "workbooks", signIn, caption: "Workbooks, newest first", columns: ["Workbook", "State", "Size", "Changed"] },
    empty: (/** @type {SheetFilter} */ { state }) => state
      ? component(NoMatch, { icon: "grid", text: `No workbooks match state “${STATES[state] ?? state}”.`, clear: filters.clear })
      : component(Empty, { icon: "grid", text: "No workbooks yet. Choose a file above." }),
    idOf: ({ sessionId }) => sessionId,
    cells: ({ sessionId, title, state, file, updatedAt }) => [
      titleCell(title, sheetPath(sessionId), sessionId),
      cell("State", component(StateBadge, { state })),
      cell("Size", bytes(file.bytes), "figure"),
      cell("Changed", component(TimeAgo, { iso: updatedAt })),
    ],
  });
  return {
    title: "Sheets",
    element: h("div", {}, h("h1", {}, "Sheets"),
      h("p", { class: "lead" }, "Drop a workbook, ask about it, and let the model change it. Every change can be undone."),
      newSheetZone(context), filters.element, sessions.element),
    leave: sessions.stop,
  };
}
