/** A place to drop a workbook, or to choose one: creates a session, sends the file, and starts to load it. */

/** @import { Context } from "../../../core/app/context.js" */

import { fill, h, setText } from "../../../core/app/dom.js";
import { errorCard } from "../../../core/parts/problem_card.js";
import { sheetPath } from "../paths.js";
import { uploadFile } from "./upload.js";

const ACCEPT = ".xlsx,.csv,.tsv,.txt";

/**
 * Send the file of a session and start to load it.
 * @param {Context} context
 * @param {() => Promise<{ sessionId: string, upload: { url: string, method: string, headers: Record<string, string> } }>} prepare
 * @param {File} file
 * @param {(words: string, share: number | null) => void} tell
 */
export async function sendWorkbook({ millrace }, prepare, file, tell) {
  tell("Preparing the upload…", null);
  const { sessionId, upload } = await prepare();
  await uploadFile(upload, file, (share) => tell(`Sending ${file.name}`, share));
  tell("Starting to read the workbook…", null);
  await millrace.sheets.load(sessionId);
  return sessionId;
}

/**
 * @param {{ label: string, onFile: (file: File) => Promise<unknown>, signIn: () => void }} options
 */
export function dropZone({ label, onFile, signIn }) {
  const input = h("input", { type: "file", accept: ACCEPT, id: "workbook", class: "visually-hidden", onchange: () => void take(input.files?.[0]) });
  const status = h("p", { class: "note", role: "status" });
  const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
  const problem = h("div", {});
  /** @type {HTMLElement} */
  const element = h("div", {
    class: "drop-zone",
    ondragover: (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      element.dataset.over = "";
    },
    ondragleave: () => delete element.dataset.over,
    ondrop: (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      delete element.dataset.over;
      void take(event.dataTransfer?.files[0]);
    },
  }, h("p", {}, label), h("p", { class: "actions" }, input, h("label", { class: "button main", for: "workbook" }, "Choose a file")), bar, status, problem);
  let busy = false;

  /** @param {File} [file] */
  const take = async (file) => {
    if (file === undefined || busy) return;
    busy = true;
    fill(problem);
    try {
      await onFile(file);
    } catch (error) {
      fill(problem, errorCard(error, { signIn, again: () => take(file) }));
      tell("", null);
    } finally {
      busy = false;
      input.value = "";
    }
  };
  /**
   * @param {string} words
   * @param {number | null} share
   */
  const tell = (words, share) => {
    setText(status, words);
    bar.hidden = share === null;
    bar.value = share ?? 0;
  };
  return { element, tell };
}

/**
 * The drop zone that creates a session and goes to its page.
 * @param {Context} context
 */
export function newSheetZone(context) {
  const zone = dropZone({
    label: "Drop an XLSX or CSV file here, of up to 50 MB.",
    signIn: context.signIn,
    onFile: async (file) => {
      const announced = { name: file.name, bytes: file.size };
      const id = await sendWorkbook(context, () => context.millrace.sheets.create({ file: announced }), file, zone.tell);
      context.go(sheetPath(id));
    },
  });
  return zone.element;
}
