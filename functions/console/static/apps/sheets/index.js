/** Sheet chat: sessions over workbooks. */

/** @import { Application } from "../../core/app/applications.js" */

import { jsonOutput, lazyOutput } from "../../core/app/outputs.js";
import { SHEETS } from "./paths.js";

/** @type {Application} */
const chat = {
  pipeline: "sheet_chat",
  label: "Sheet answer",
  stages: ["prepare_message", "answer_message"],
  form: {
    path: SHEETS,
    label: "Sheets",
    title: "Talk to a workbook",
    description: "Drop an XLSX or CSV file, ask about it, and let the model change it. Every change can be undone.",
  },
  lists: [{ path: SHEETS, label: "Sheets", icon: "grid" }],
  routes: [
    { pattern: /^\/console\/sheets$/, load: async () => (await import("./pages/sheets.js")).sheetsPage },
    { pattern: /^\/console\/sheets\/([^/]+)$/, load: async () => (await import("./pages/sheet.js")).sheetPage },
  ],
  output: lazyOutput(async () => (await import("./parts/answer_output.js")).answerOutput),
};

/** @type {Application} */
const load = {
  ...{ pipeline: "sheet_load", label: "Sheet load", stages: ["inspect_workbook", "load_workbook"] },
  ...{ form: null, lists: [], routes: [], output: jsonOutput },
};

/** @type {Application} */
const exporting = {
  ...{ pipeline: "sheet_export", label: "Sheet export", stages: ["export_workbook"] },
  ...{ form: null, lists: [], routes: [], output: jsonOutput },
};

export const sheets = [chat, load, exporting];
