/** Exports the workbook and offers the file. It says before what the file will not have. */

/** @import { SessionDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { SheetSession } from "../../../millrace/sheet_session.js" */

import { fill, h } from "../../../core/app/dom.js";
import { errorCard } from "../../../core/parts/problem_card.js";

/**
 * @param {Context} context
 * @param {SheetSession} session
 * @param {() => Promise<unknown>} settled resolves when what was begun before has changed the workbook
 */
export function exportControl({ millrace, signIn }, session, settled) {
  const button = h("button", { type: "button", class: "button small" }, "Export");
  const content = h("div", {});
  /** @type {HTMLDialogElement} */
  const dialog = h("dialog", { "aria-label": "Export the workbook" }, h("h2", {}, "Export the workbook"), content,
    h("p", { class: "actions" }, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Close")));
  let stop = () => {};
  /** @param {"xlsx" | "csv"} format */
  const run = async (format) => {
    fill(content, h("p", { role: "status" }, "Writing the file…"));
    try {
      await settled();
      const job = await millrace.sheets.export(session.id, { format });
      const watch = millrace.watch(job);
      stop();
      stop = watch.subscribe(({ view, problem }) => {
        if (view.outcome === "complete") fill(content, finished(/** @type {any} */ (view.result)));
        else if (view.outcome !== null) fill(content, h("p", { role: "alert" }, view.failure?.message ?? "The export was cancelled."));
        else if (problem !== null) fill(content, h("p", { role: "alert" }, problem.message));
      });
    } catch (error) {
      fill(content, errorCard(error, { signIn, again: () => run(format) }));
    }
  };
  button.addEventListener("click", () => {
    fill(content, choices(session.view.session, run));
    dialog.showModal();
  });
  return {
    element: [button, dialog],
    /** @param {SessionDetail} current */
    show: (current) => {
      button.disabled = current.state !== "ACTIVE" || current.activeJobId !== null;
    },
    stop: () => stop(),
  };
}

/**
 * @param {SessionDetail} session
 * @param {(format: "xlsx" | "csv") => unknown} run
 */
function choices({ file, inventory }, run) {
  return [
    inventory.notes.map((note) => h("p", { class: "note" }, note)),
    h("p", { class: "actions" },
      file.format === "xlsx" && h("button", { type: "button", class: "button main", onclick: () => run("xlsx") }, "As XLSX"),
      h("button", { type: "button", class: file.format === "xlsx" ? "button" : "button main", onclick: () => run("csv") }, "As CSV")),
  ];
}

/** @param {{ downloadUrl: string, losses?: readonly string[] }} result */
function finished({ downloadUrl, losses = [] }) {
  return [
    losses.length > 0 && h("div", {}, h("p", {}, "The file does not have:"), h("ul", {}, losses.map((loss) => h("li", {}, loss)))),
    h("p", { class: "actions" }, h("a", { class: "button main", href: downloadUrl, download: "" }, "Download")),
    h("p", { class: "note" }, "The link works for five minutes."),
  ];
}
