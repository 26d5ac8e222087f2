/** All brainstorming runs of the user. */

/** @import { RunSummary } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { ListWatch } from "../../../millrace.js";
import { h } from "../../../core/app/dom.js";
import { statusLabel } from "../../../core/app/labels.js";
import { h as component } from "../../../core/app/preact.js";
import { StatusBadge, TimeAgo } from "../../../core/parts/fact_components.js";
import { filterBar } from "../../../core/parts/filters.js";
import { cell, titleCell } from "../../../core/parts/item_table.js";
import { Empty, liveList, NoMatch } from "../../../core/parts/live_list.js";
import { FORM, runPath } from "../paths.js";

const PAGE = 50;
/** @type {[string, string][]} */
const STATUSES = ["running", "completed", "failed", "cancelled"].map((each) => [each, statusLabel(each)]);

/** @typedef {{ status?: string }} RunFilter */

/**
 * @param {Context} context
 * @returns {Page}
 */
export function runsPage({ millrace, setQuery, signIn }) {
  const filters = filterBar([{ name: "status", label: "Status", choices: STATUSES }], (query) => {
    setQuery(query);
    list.setFilter(filters.values());
  });
  /** @type {ListWatch<RunSummary, RunFilter>} */
  const list = new ListWatch(async (page) => {
    const { runs, cursor } = await millrace.listIdeations({ ...page, limit: PAGE });
    return { items: runs, cursor };
  }, filters.values(), {
    idOf: ({ runId }) => runId,
    isLive: ({ status }) => status === "running",
    updatedAt: (run) => run.updatedAt,
    matches: (run, { status }) => !status || run.status === status,
  });
  const runs = liveList({
    ...{ list, name: "runs", signIn, caption: "Runs, newest first", columns: ["Run", "Status", "Created"] },
    empty: (/** @type {RunFilter} */ { status }) => status
      ? component(NoMatch, { icon: "bulb", text: `No runs match status “${statusLabel(status)}”.`, clear: filters.clear })
      : component(Empty, { icon: "bulb", text: "No runs yet.", action: component("a", { class: "button main", href: FORM }, "Create a run") }),
    idOf: ({ runId }) => runId,
    cells: ({ runId, title, status, createdAt }) => [
      titleCell(title, runPath(runId), runId),
      cell("Status", component(StatusBadge, { status })),
      cell("Created", component(TimeAgo, { iso: createdAt })),
    ],
  });
  return {
    title: "Runs",
    element: h("div", {},
      h("div", { class: "page-head" }, h("h1", {}, "Runs"), h("a", { class: "button main", href: FORM }, "New run")),
      h("p", { class: "lead" }, "Brainstorming runs are kept until you delete them."), filters.element, runs.element),
    leave: runs.stop,
  };
}
