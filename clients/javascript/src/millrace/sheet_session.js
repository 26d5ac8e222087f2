/** Follows one sheet session: its state, its conversation, and blocks of cells that are never stale. */

/** @import { SessionDetail, MessageDetail } from "../../../../docs/api/types" */
/** @import { Channel } from "./channel.js" */
/** @import { Cell, CellWrite, Sheets } from "./sheets.js" */

import { Refused } from "./errors.js";

/** A block of cells, as the server stores them. */
export const BLOCK_ROWS = 512;
export const BLOCK_COLUMNS = 64;

/** How many blocks are kept: each has at most 32,768 cells. */
const MOST_BLOCKS = 96;
/** How often a session is read again when no channel tells of its changes, in milliseconds. */
const POLL = 3_000;
const MESSAGES = 50;
const MOST_VERSIONS = 100;

/** @typedef {"channel" | "polling"} Transport how changes of the session become known */
/** @typedef {{ sheet: string, range: string, cells: number }} ChangedRange */
/**
 * @typedef {object} Version
 * @property {number} version
 * @property {string} by `user` or `model`
 * @property {string} title
 * @property {readonly ChangedRange[]} changed
 */
/**
 * What a listener gets: the session and its conversation. `versions` are those that were published since the session is
 * followed, the newest last, at most 100.
 * @typedef {object} SessionView
 * @property {SessionDetail} session
 * @property {readonly MessageDetail[]} messages the newest, the oldest of them first
 * @property {readonly Version[]} versions
 * @property {Transport} transport
 * @property {unknown} problem the last failure to follow the session; null while all is well
 */

export class SheetSession {
  /** @type {SessionView} */
  view;

  #sheets;
  #channel;
  /** @type {Set<(view: SessionView) => void>} */
  #listeners = new Set();
  /** @type {Map<string, Promise<Cell[][]>>} */
  #blocks = new Map();
  #unsubscribe = () => {};
  #timer = 0;
  #stopped = false;
  #polling = false;
  #wanted = false;
  #reading = false;

  /**
   * @param {{ sheets: Sheets, channel: Channel }} millrace
   * @param {SessionDetail} session
   */
  constructor({ sheets, channel }, session) {
    this.#sheets = sheets;
    this.#channel = channel;
    this.view = { session, messages: [], versions: [], transport: "channel", problem: null };
  }

  get id() {
    return this.view.session.sessionId;
  }

  /**
   * @param {(view: SessionView) => void} listener
   * @returns {() => void} removes it
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Follow the session until `stop` is called. */
  start() {
    this.#unsubscribe = this.#channel.subscribe(`session:${this.id}`, {
      after: this.view.session.lastEventId,
      onEvents: (events) => this.#receive(events.map(([, event]) => /** @type {any} */ (event))),
      onSnapshot: () => this.#readAll(),
      onOpen: () => this.#poll(false),
      onBehind: () => this.#readAll(),
      onBlocked: () => this.#poll(true),
      onError: () => this.#poll(true),
    });
    void this.#readMessages();
  }

  stop() {
    this.#stopped = true;
    this.#unsubscribe();
    clearTimeout(this.#timer);
    this.#listeners.clear();
  }

  /** Read the session and its conversation again, whatever is known. */
  async refresh() {
    this.#wanted = true;
    if (this.#reading) return;
    this.#reading = true;
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      await this.#read();
    }
    this.#reading = false;
  }

  /**
   * Return the rows of one block, of the newest version. Rows and cells at the end that are empty may be missing.
   * @param {string} sheet
   * @param {number} row of its first cell, from 1
   * @param {number} column of its first cell, from 1
   */
  block(sheet, row, column) {
    const key = JSON.stringify([sheet, row, column]);
    const kept = this.#blocks.get(key);
    if (kept !== undefined) {
      this.#blocks.delete(key);
      this.#blocks.set(key, kept); // it is the newest again
      return kept;
    }
    const asked = this.#readRows(sheet, row, column, BLOCK_ROWS);
    this.#blocks.set(key, asked);
    asked.catch(() => this.#blocks.get(key) === asked && this.#blocks.delete(key));
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= MOST_BLOCKS) break;
      this.#blocks.delete(oldest);
    }
    return asked;
  }

  /**
   * Write cells as one change.
   * @param {string} sheet
   * @param {readonly CellWrite[]} cells
   */
  async edit(sheet, cells) {
    await this.#sheets.edit(this.id, { sheet, cells });
    if (this.#polling) await this.refresh();
  }

  // ---- internals -----------------------------------------------------------------------------------------------------

  /** @param {Partial<SessionView>} change */
  #change(change) {
    this.view = { ...this.view, ...change };
    for (const listener of this.#listeners) listener(this.view);
  }

  /**
   * Read rows of a block; in halves if their text is too long for one response.
   * @param {string} sheet
   * @param {number} row
   * @param {number} column
   * @param {number} count of rows
   * @returns {Promise<Cell[][]>}
   */
  async #readRows(sheet, row, column, count) {
    const range = `${columnName(column)}${row}:${columnName(column + BLOCK_COLUMNS - 1)}${row + count - 1}`;
    try {
      const { rows } = await this.#sheets.cells(this.id, { sheet, range });
      return /** @type {Cell[][]} */ (rows);
    } catch (error) {
      const tooLong = error instanceof Refused && error.fields.some(({ field }) => field === "range");
      if (!tooLong || count === 1) throw error;
      const half = count / 2;
      const [first, second] = await Promise.all([
        this.#readRows(sheet, row, column, half),
        this.#readRows(sheet, row + half, column, half),
      ]);
      return [...first, ...Array.from({ length: half - first.length }, () => []), ...second];
    }
  }

  /** @param {readonly any[]} events */
  #receive(events) {
    const published = events.filter(({ type }) => type === "version");
    for (const version of published) this.#drop(version);
    this.view = { ...this.view, versions: [...this.view.versions, ...published].slice(-MOST_VERSIONS) };
    void this.refresh();
  }

  /**
   * Drop the blocks that a version has changed.
   * @param {{ sheets: readonly { id: number, name: string }[], blocks: readonly { sheet: number, row: number, column: number }[] | null }} version
   */
  #drop({ sheets, blocks }) {
    const names = new Map(sheets.map(({ id, name }) => [id, name]));
    const known = this.view.session.sheets;
    const renamed = known.length !== sheets.length || known.some(({ id, name }) => names.get(id) !== name);
    if (blocks === null || renamed) this.#blocks.clear();
    for (const { sheet, row, column } of blocks ?? []) this.#blocks.delete(JSON.stringify([names.get(sheet), row, column]));
  }

  /** Read everything again when it is next asked for: events are missing, so it is not known which blocks have changed. */
  #readAll() {
    this.#blocks.clear();
    void this.refresh();
  }

  /** @param {boolean} on */
  #poll(on) {
    if (this.#stopped || this.#polling === on) return;
    this.#polling = on;
    clearTimeout(this.#timer);
    this.#change({ transport: on ? "polling" : "channel" });
    if (on) this.#pollSoon();
  }

  #pollSoon() {
    this.#timer = /** @type {any} */ (
      setTimeout(async () => {
        await this.refresh();
        if (this.#polling && !this.#stopped) this.#pollSoon();
      }, POLL)
    );
  }

  async #read() {
    const before = this.view.session;
    try {
      const session = await this.#sheets.getIfChanged(this.id, before.lastEventId);
      if (this.#stopped) return;
      if (session === null) return void (this.view.problem !== null && this.#change({ problem: null }));
      // Without events it is not known which blocks have changed.
      if (this.#polling && session.version !== before.version) this.#blocks.clear();
      this.#change({ session, problem: null });
      await this.#readMessages();
    } catch (error) {
      if (!this.#stopped) this.#change({ problem: error });
    }
  }

  async #readMessages() {
    try {
      const { messages } = await this.#sheets.messages(this.id, { limit: MESSAGES });
      if (!this.#stopped) this.#change({ messages: messages.toReversed() });
    } catch (error) {
      if (!this.#stopped) this.#change({ problem: error });
    }
  }
}

/**
 * Return the letters of a column, such as `AB` for 28.
 * @param {number} number
 */
export function columnName(number) {
  let letters = "";
  for (let rest = number; rest > 0; rest = Math.floor((rest - 1) / 26)) letters = String.fromCharCode(65 + ((rest - 1) % 26)) + letters;
  return letters;
}
