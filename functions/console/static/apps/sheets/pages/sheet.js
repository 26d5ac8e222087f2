/** One workbook: its grid, its conversation, and what can be done with it. */

/** @import { SessionDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */
/** @import { SessionView } from "../../../millrace/sheet_session.js" */

import { SheetSession } from "../../../millrace/sheet_session.js";
import { fill, h, setText } from "../../../core/app/dom.js";
import { confirmButton } from "../../../core/parts/confirm_dialog.js";
import { errorCard } from "../../../core/parts/problem_card.js";
import { skeleton } from "../../../core/parts/skeleton.js";
import { chat } from "../parts/chat.js";
import { exportControl } from "../parts/export_control.js";
import { helpCard } from "../parts/help_card.js";
import { sheetView } from "../parts/sheet_view.js";
import { stateBadge } from "../parts/states.js";
import { SHEETS } from "../paths.js";

/**
 * @param {Context} context
 * @param {string} [sessionId]
 * @returns {Page}
 */
export function sheetPage(context, sessionId = "") {
  const element = h("div", { class: "sheet-page" }, h("h1", {}, "Workbook"), skeleton("Loading the workbook…"));
  let stop = () => {};
  let left = false;
  const load = async () => {
    try {
      const session = await context.millrace.sheets.get(sessionId);
      if (left) return;
      context.setTitle(session.title);
      stop = showSession(context, session, element);
    } catch (error) {
      fill(element, h("h1", {}, "Workbook"), h("p", { class: "id" }, sessionId), errorCard(error, { signIn: context.signIn, again: load }),
        h("p", {}, h("a", { href: SHEETS }, "All workbooks")));
    }
  };
  void load();
  return {
    title: "Workbook",
    element,
    leave() {
      left = true;
      stop();
    },
  };
}

/**
 * @param {Context} context
 * @param {SessionDetail} first
 * @param {HTMLElement} element
 * @returns {() => void} stops following the session
 */
function showSession(context, first, element) {
  const { millrace, signIn, announce, go } = context;
  const session = new SheetSession(millrace, first);
  const problem = h("div", {});
  /** @type {Promise<unknown>} */
  let latest = Promise.resolve();
  /**
   * Do something that changes the session, after what was begun before: undo must not overtake an edit.
   * @param {() => Promise<unknown>} act
   */
  const attempt = (act) => {
    const mine = latest.then(async () => {
      try {
        fill(problem);
        await act();
        await session.refresh();
      } catch (error) {
        fill(problem, errorCard(error, { signIn, again: () => attempt(act) }));
      }
    });
    latest = mine;
    return mine;
  };
  const undo = () => attempt(() => millrace.sheets.undo(session.id));
  const redo = () => attempt(() => millrace.sheets.redo(session.id));
  const view = sheetView(session, { attempt, announce });
  const conversation = chat(context, {
    send: async (text) => {
      await latest;
      seen = session.view.session.version;
      view.mark([]);
      const selection = view.selection();
      await millrace.sheets.send(session.id, { text, ...(selection && { selection }) });
      await session.refresh();
    },
    select: view.select,
    undo,
  });
  const state = h("span", {});
  const transport = h("span", { class: "note", role: "status" });
  const undoButton = h("button", { type: "button", class: "button small", onclick: undo }, "Undo");
  const redoButton = h("button", { type: "button", class: "button small", onclick: redo }, "Redo");
  const exporting = exportControl(context, session, () => latest);
  const help = helpCard(context, session, attempt);
  const close = confirmButton({
    ...{ label: "Close", question: "Close this workbook?", yes: "Close it", signIn },
    text: "Its jobs are cancelled, and it can no longer be read or changed. Export it first if you want to keep its changes.",
    act: async () => {
      await millrace.sheets.close(session.id);
      await session.refresh();
    },
  });
  const remove = confirmButton({
    ...{ label: "Delete", question: "Delete this workbook?", yes: "Delete it", signIn },
    text: `“${first.title}” is deleted permanently, with its versions and its conversation.`,
    act: async () => {
      if (session.view.session.state !== "CLOSED") await millrace.sheets.close(session.id);
      await millrace.sheets.delete(session.id);
      go(SHEETS);
    },
  });
  fill(element,
    h("p", { class: "crumbs" }, h("a", { href: SHEETS }, "Sheets")),
    h("div", { class: "page-head" }, h("h1", { tabindex: "-1" }, first.title), h("p", { class: "actions" },
      undoButton, redoButton, exporting.element, close, remove)),
    h("p", { class: "subtitle" }, state, " ", transport),
    problem, help.element,
    h("div", { class: "sheet-columns" }, view.element, conversation.element));

  /** The newest version when the last message was sent: what is newer is marked. */
  let seen = first.version;
  let announced = 0;
  /** @param {SessionView} now */
  const show = ({ session: current, messages, versions, transport: how, problem: lost }) => {
    const active = current.state === "ACTIVE";
    const busy = current.activeJobId !== null;
    fill(state, stateBadge(current.state));
    setText(transport, lost !== null ? "Not connected; trying again." : how === "polling" ? "This network blocks WebSockets: changes that others make appear within three seconds." : "");
    undoButton.disabled = !active || busy || current.undoTo === null;
    redoButton.disabled = !active || busy || current.redoTo === null;
    help.show(current);
    exporting.show(current);
    view.show(current, active && !busy);
    conversation.allow(active && !busy);
    conversation.show(messages);
    conversation.follow(active ? current.activeJobId : null);
    const newest = versions.at(-1);
    if (newest !== undefined && newest.version !== announced) {
      announced = newest.version;
      view.mark(versions.filter((each) => each.version > seen));
      announce(`Version ${newest.version}: ${newest.title}`);
    }
    conversation.showChange(busy ? null : changeOf(current, messages, versions));
  };
  const unsubscribe = session.subscribe(show);
  show(session.view);
  session.start();
  return () => {
    unsubscribe();
    session.stop();
    conversation.stop();
    view.stop();
    exporting.stop();
  };
}

/**
 * Return what the last answer has changed, if nothing was changed since; null otherwise.
 * @param {SessionDetail} session
 * @param {SessionView["messages"]} messages
 * @param {SessionView["versions"]} versions
 */
function changeOf({ version }, messages, versions) {
  const made = messages.at(-1)?.versions ?? [];
  if (made.length === 0 || Math.max(...made) !== version) return null;
  const known = versions.filter((each) => made.includes(each.version));
  const cells = known.flatMap(({ changed }) => changed).reduce((sum, each) => sum + each.cells, 0);
  return { cells: known.length === made.length ? cells : null, title: known.at(-1)?.title ?? null };
}
