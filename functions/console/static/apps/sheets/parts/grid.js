/** The grid of a sheet: AG Grid draws it, which is loaded when the first sheet is opened (decision 0033). */

/** @import { SheetInfo } from "../../../../../../docs/api/types" */
/** @import { Area } from "./ranges.js" */
/** @import { CellStore } from "./cell_store.js" */

import { h } from "../../../core/app/dom.js";
import { columnName } from "../../../millrace/sheet_session.js";
import { contains } from "./ranges.js";
import { editText, fieldsOf, shownText } from "./typed_input.js";

const VENDOR = new URL("../../../vendor/ag_grid/", import.meta.url);
const STYLES = ["ag_grid.css", "theme.css"];
/** How many empty rows and columns are shown behind the last ones, to write into. */
const SPARE_ROWS = 50;
const SPARE_COLUMNS = 4;
const LEAST_COLUMNS = 12;
const MOST_ROWS = 1_048_576;
const MOST_COLUMNS = 16_384;
/** In pixels. */
const ROW_HEIGHT = 26;

/**
 * @typedef {object} Grid
 * @property {HTMLElement} element
 * @property {(sheet: SheetInfo, cells: CellStore) => void} show
 * @property {() => void} redraw draws the cells again
 * @property {(areas: readonly Area[], kind: "changed" | "selected") => void} mark replaces the marked areas of this kind
 * @property {(row: number, column: number) => void} reveal scrolls to a cell and gives it the focus
 * @property {(editable: boolean) => void} allow
 * @property {() => void} destroy
 */

/**
 * @param {{ onFocus: (row: number, column: number) => void, onEdit: (row: number, column: number, typed: string) => void }} handlers
 * @returns {Promise<Grid>}
 */
export async function sheetGrid({ onFocus, onEdit }) {
  await Promise.all(STYLES.map(loadStyles));
  const { createGrid } = await import(new URL("ag_grid.js", VENDOR).href);
  const element = h("div", { class: "sheet-grid ag-theme-quartz ag-theme-quartz-auto-dark" });
  /** @type {CellStore | null} */
  let cells = null;
  let editable = false;
  /** @type {Record<"changed" | "selected", readonly Area[]>} */
  const marks = { changed: [], selected: [] };

  /** @param {"changed" | "selected"} kind */
  const marked = (kind) => (/** @type {any} */ { node, colDef }) =>
    marks[kind].some((area) => contains(area, node.rowIndex + 1, colDef.context));
  /** @param {any} params */
  const cellOf = ({ node, colDef }) => (typeof colDef.context === "number" ? cells?.at(node.rowIndex + 1, colDef.context) : null);

  const api = createGrid(element, {
    theme: "legacy",
    rowModelType: "infinite",
    rowHeight: ROW_HEIGHT,
    headerHeight: ROW_HEIGHT,
    cacheBlockSize: 512,
    maxBlocksInCache: 20,
    suppressMovableColumns: true,
    stopEditingWhenCellsLoseFocus: true,
    enterNavigatesVerticallyAfterEdit: true,
    columnDefs: [],
    defaultColDef: {
      width: 110,
      sortable: false,
      suppressHeaderMenuButton: true,
      editable: () => editable,
      cellEditor: "agTextCellEditor",
      valueGetter: (/** @type {any} */ params) => editText(cellOf(params)),
      valueFormatter: (/** @type {any} */ params) => shownText(cellOf(params)),
      valueSetter: (/** @type {any} */ { node, colDef, newValue }) => {
        onEdit(node.rowIndex + 1, colDef.context, newValue ?? "");
        return false;
      },
      cellClassRules: {
        "cell-number": (/** @type {any} */ params) => typeof fieldsOf(cellOf(params)).value === "number",
        "cell-error": (/** @type {any} */ params) => fieldsOf(cellOf(params)).error === true,
        "cell-frozen": (/** @type {any} */ params) => fieldsOf(cellOf(params)).frozen === true,
        "cell-changed": marked("changed"),
        "cell-selected": marked("selected"),
      },
    },
    onCellFocused: (/** @type {any} */ { rowIndex, column }) => {
      const context = typeof column === "object" ? column?.getColDef().context : null;
      if (rowIndex !== null && typeof context === "number") onFocus(rowIndex + 1, context);
    },
  });
  const redraw = frame(() => api.isDestroyed() || api.refreshCells({ force: true }));
  element.addEventListener("copy", (event) => copyCell(event, api, cellOf));
  return {
    element,
    show(sheet, store) {
      cells = store;
      const rows = Math.min(MOST_ROWS, sheet.rows + SPARE_ROWS);
      api.setGridOption("columnDefs", columnsOf(sheet));
      api.setGridOption("datasource", datasourceOf(rows));
    },
    redraw,
    mark(areas, kind) {
      marks[kind] = areas;
      redraw();
    },
    reveal(row, column) {
      api.ensureIndexVisible(row - 1, "middle");
      api.ensureColumnVisible(`c${column}`);
      api.setFocusedCell(row - 1, `c${column}`);
    },
    allow(value) {
      editable = value;
    },
    destroy: () => api.destroy(),
  };
}

/** @param {SheetInfo} sheet */
function columnsOf({ columns }) {
  const count = Math.min(MOST_COLUMNS, Math.max(LEAST_COLUMNS, columns + SPARE_COLUMNS));
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  return [
    {
      ...{ colId: "row", headerName: "Row", headerClass: "row-head", cellClass: "row-number", pinned: "left", width: 76 },
      ...{ editable: false, resizable: false, cellClassRules: {}, valueFormatter: null },
      valueGetter: (/** @type {any} */ { node }) => node.rowIndex + 1,
    },
    ...numbers.map((number) => ({ colId: `c${number}`, headerName: columnName(number), context: number })),
  ];
}

/**
 * The rows of the grid have no data: their cells are read from the store when they are drawn.
 * @param {number} rowCount
 */
function datasourceOf(rowCount) {
  return {
    rowCount,
    /** @param {{ startRow: number, endRow: number, successCallback: (rows: object[], last: number) => void }} wanted */
    getRows({ startRow, endRow, successCallback }) {
      const count = Math.max(0, Math.min(endRow, rowCount) - startRow);
      successCallback(Array.from({ length: count }, () => ({})), rowCount);
    },
  };
}

/**
 * @param {ClipboardEvent} event
 * @param {any} api
 * @param {(params: any) => import("../../../millrace/sheets.js").Cell | undefined} cellOf
 */
function copyCell(event, api, cellOf) {
  if (event.target instanceof HTMLInputElement) return;
  const focused = api.getFocusedCell();
  if (focused === null || event.clipboardData === null) return;
  const params = { node: { rowIndex: focused.rowIndex }, colDef: focused.column.getColDef() };
  if (typeof params.colDef.context !== "number") return;
  event.clipboardData.setData("text/plain", shownText(cellOf(params)));
  event.preventDefault();
}

/** @param {string} name */
function loadStyles(name) {
  const href = new URL(name, VENDOR).href;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const link = h("link", { rel: "stylesheet", href, onload: resolve, onerror: () => reject(new Error("the grid’s styles cannot be loaded")) });
    document.head.prepend(link);
  });
}

/**
 * Return a function that calls `act` once, with the next frame, however often it is called.
 * @param {() => void} act
 */
function frame(act) {
  let requested = 0;
  return () => {
    requested ||= requestAnimationFrame(() => {
      requested = 0;
      act();
    });
  };
}
