/** The sheets of a workbook: formula bar, grid and tabs. */

/** @import { SessionDetail, SheetInfo } from "../../../../../../docs/api/types" */
/** @import { SheetSession, Version } from "../../../millrace/sheet_session.js" */
/** @import { Grid } from "./grid.js" */

import { fill, h } from "../../../core/app/dom.js";
import { skeleton } from "../../../core/parts/skeleton.js";
import { columnName } from "../../../millrace/sheet_session.js";
import { CellStore } from "./cell_store.js";
import { sheetGrid } from "./grid.js";
import { areaOf } from "./ranges.js";
import { editText, typedInput } from "./typed_input.js";

/**
 * @param {SheetSession} session
 * @param {{ attempt: (act: () => Promise<unknown>) => Promise<void>, announce: (text: string) => void }} page
 */
export function sheetView(session, { attempt, announce }) {
  const address = h("output", { class: "address", for: "formula" });
  const formula = h("input", { id: "formula", class: "formula", "aria-label": "Formula or value of the cell", autocomplete: "off", disabled: true });
  const bar = h("form", { class: "formula-bar", onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    if (focused !== null) void write(focused.row, focused.column, formula.value);
  } }, address, formula);
  const place = h("div", { class: "grid-place" }, skeleton("Loading the cells…", 8));
  const tabs = h("div", { class: "sheet-tabs", role: "tablist", "aria-label": "Sheets" });
  const element = h("section", { class: "sheet-view", "aria-label": "Workbook" }, bar, place, tabs);

  /** @type {Promise<Grid> | null} */
  let loading = null;
  /** @type {Grid | null} */
  let grid = null;
  /** @type {CellStore | null} */
  let cells = null;
  /** @type {SheetInfo | null} */
  let shown = null;
  /** @type {readonly SheetInfo[]} */
  let sheets = [];
  /** @type {{ row: number, column: number } | null} */
  let focused = null;
  /** The versions whose changes are marked. @type {readonly Version[]} */
  let marked = [];
  let version = 0;
  let editable = false;
  let stopped = false;

  /** @param {number} row @param {number} column */
  const onFocus = (row, column) => {
    focused = { row, column };
    drawBar();
  };
  const drawBar = () => {
    if (focused === null || cells === null) return;
    address.value = `${columnName(focused.column)}${focused.row}`;
    if (document.activeElement !== formula) formula.value = editText(cells.at(focused.row, focused.column));
    formula.disabled = !editable;
  };
  /** @param {number} row @param {number} column @param {string} typed */
  const write = async (row, column, typed) => {
    const store = cells;
    if (store === null || shown === null || typed === editText(store.at(row, column))) return;
    const { name } = shown;
    const input = typedInput(typed);
    store.write(row, column, "formula" in input ? { value: null, formula: input.formula, text: "…" } : input.value);
    await attempt(() => session.edit(name, [{ at: `${columnName(column)}${row}`, ...input }]));
    store.settle(row, column);
    store.renew();
  };
  /** @param {string} [wanted] name of a sheet */
  const open = async (wanted) => {
    const sheet = sheets.find(({ name }) => name === wanted) ?? sheets.find(({ hidden }) => !hidden) ?? sheets[0];
    if (sheet === undefined || stopped) return;
    const other = sheet.id !== shown?.id || sheet.name !== shown.name;
    const resized = shown === null || sheet.rows !== shown.rows || sheet.columns !== shown.columns;
    shown = sheet;
    drawTabs();
    loading ??= sheetGrid({ onFocus, onEdit: (row, column, typed) => void write(row, column, typed) });
    const ready = (grid ??= await loading);
    if (stopped || shown !== sheet) return;
    if (!ready.element.isConnected) fill(place, ready.element);
    ready.allow(editable);
    if (other) {
      const onChange = () => {
        ready.redraw();
        drawBar();
      };
      cells = new CellStore(session, sheet.name, { onChange, onProblem: (error) => void attempt(() => Promise.reject(error)) });
    }
    if (cells !== null && (other || resized)) ready.show(sheet, cells);
    markChanges();
  };
  const drawTabs = () => {
    fill(tabs, sheets.filter(({ hidden }) => !hidden).map((sheet) =>
      h("button", { type: "button", role: "tab", "aria-selected": sheet.id === shown?.id ? "true" : "false", onclick: () => open(sheet.name) }, sheet.name)));
  };
  const markChanges = () => {
    const changed = marked.flatMap((version) => version.changed).filter(({ sheet }) => sheet === shown?.name);
    grid?.mark(changed.flatMap(({ range }) => areaOf(range) ?? []), "changed");
  };

  return {
    element,
    /**
     * @param {SessionDetail} current
     * @param {boolean} canEdit
     */
    show(current, canEdit) {
      editable = canEdit;
      element.hidden = current.version === 0 || current.state === "CLOSED";
      sheets = current.sheets;
      grid?.allow(canEdit);
      drawBar();
      if (current.version === version || element.hidden) return;
      version = current.version;
      cells?.renew();
      void open(shown === null ? undefined : (sheets.find(({ id }) => id === shown?.id)?.name ?? undefined));
    },
    /**
     * Read the cells again, and mark what these versions have changed.
     * @param {readonly Version[]} versions
     */
    mark(versions) {
      marked = versions;
      if (versions.length > 0) cells?.renew();
      else grid?.mark([], "selected");
      markChanges();
    },
    /** @param {string} sheet @param {string} range */
    async select(sheet, range) {
      const area = areaOf(range);
      if (area === null) return;
      await open(sheet);
      grid?.mark([area], "selected");
      grid?.reveal(area.top, area.left);
      announce(`${sheet} ${range}`);
    },
    /** The cell that has the focus, as the model is told of it. */
    selection() {
      return focused && shown && { sheet: shown.name, range: `${columnName(focused.column)}${focused.row}` };
    },
    stop() {
      stopped = true;
      grid?.destroy();
    },
  };
}
