/** The cells of one sheet, read in blocks when they are first shown. */

/** @import { SheetSession } from "../../../millrace/sheet_session.js" */
/** @import { Cell } from "../../../millrace/sheets.js" */

import { BLOCK_COLUMNS, BLOCK_ROWS } from "../../../millrace/sheet_session.js";

/** How many blocks are kept: more than a window shows, but not all of a sheet with a million rows. */
const MOST_BLOCKS = 64;

export class CellStore {
  #session;
  #sheet;
  #onChange;
  #onProblem;
  /** Blocks that have arrived, by position. @type {Map<string, Cell[][]>} */
  #blocks = new Map();
  /** @type {Set<string>} */
  #asked = new Set();
  /** Cells that were written and are not published yet. @type {Map<string, Cell>} */
  #written = new Map();
  #generation = 0;

  /**
   * @param {SheetSession} session
   * @param {string} sheet
   * @param {{ onChange: () => void, onProblem: (error: unknown) => void }} handlers `onChange` is called when cells arrive
   */
  constructor(session, sheet, { onChange, onProblem }) {
    this.#session = session;
    this.#sheet = sheet;
    this.#onChange = onChange;
    this.#onProblem = onProblem;
  }

  /**
   * Return a cell; undefined while its block is being read.
   * @param {number} row from 1
   * @param {number} column from 1
   * @returns {Cell | undefined}
   */
  at(row, column) {
    const written = this.#written.get(`${row} ${column}`);
    if (written !== undefined) return written;
    const first = [start(row, BLOCK_ROWS), start(column, BLOCK_COLUMNS)];
    const key = first.join(" ");
    if (!this.#asked.has(key)) void this.#read(key, first[0] ?? 1, first[1] ?? 1);
    const block = this.#blocks.get(key);
    if (block === undefined) return undefined;
    return block[row - (first[0] ?? 1)]?.[column - (first[1] ?? 1)] ?? null;
  }

  /**
   * Show a cell as it was written until `settle` is called.
   * @param {number} row
   * @param {number} column
   * @param {Cell} cell
   */
  write(row, column, cell) {
    this.#written.set(`${row} ${column}`, cell);
    this.#onChange();
  }

  /**
   * @param {number} row
   * @param {number} column
   */
  settle(row, column) {
    this.#written.delete(`${row} ${column}`);
    this.#onChange();
  }

  /** Ask for all blocks again when they are next shown. What is shown stays until then. */
  renew() {
    this.#generation += 1;
    this.#asked.clear();
    this.#onChange();
  }

  /**
   * Keep a block, and drop the one that was read first: it is read again when it is shown again.
   * @param {string} key
   * @param {Cell[][]} rows
   */
  #keep(key, rows) {
    this.#blocks.delete(key);
    this.#blocks.set(key, rows);
    if (this.#blocks.size <= MOST_BLOCKS) return;
    const [oldest = ""] = this.#blocks.keys();
    this.#blocks.delete(oldest);
    this.#asked.delete(oldest);
  }

  /**
   * @param {string} key
   * @param {number} row
   * @param {number} column
   */
  async #read(key, row, column) {
    this.#asked.add(key);
    const generation = this.#generation;
    try {
      const rows = await this.#session.block(this.#sheet, row, column);
      if (generation === this.#generation) this.#keep(key, rows);
    } catch (error) {
      if (generation === this.#generation) this.#onProblem(error);
    }
    this.#onChange();
  }
}

/**
 * @param {number} number
 * @param {number} size
 */
function start(number, size) {
  return Math.floor((number - 1) / size) * size + 1;
}
