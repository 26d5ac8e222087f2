/** Watches a list: reads it page by page, and reads it again while it is shown, so that new items and changes appear. */

/** @import { Problem } from "./watch.js" */

import { fullJitter, pause } from "./backoff.js";
import { problemOf } from "./problems.js";

/**
 * In milliseconds. `live`: from one reading of the list to the next while an item of it is live, `quiet`: while none is. Each
 * reading that changes nothing doubles the wait, up to `quiet` with live items and up to `idle` without, until the list changes
 * or the user does something in the page. `firstWait`: the base of the wait after a failed reading.
 * @type {Readonly<Record<"live" | "quiet" | "idle" | "firstWait", number>>}
 */
export const LIST_TIMES = Object.freeze({ live: 2_000, quiet: 5_000, idle: 60_000, firstWait: 2_000 });

/** What a user does while looking at the page. */
const ACTIVITY = ["pointermove", "keydown", "focusin", "wheel", "touchstart"];

/**
 * `idle`: not connected; `loading`: the first page of this filter is being read; `ready`: `items` is the list of this filter;
 * `error`: the first page could not be read.
 * @typedef {"idle" | "loading" | "ready" | "error"} ListState
 */
/**
 * A list at one moment. It never changes: the list has another snapshot after each change.
 * @template T
 * @template F
 * @typedef {object} ListSnapshot
 * @property {ListState} state
 * @property {F} filter every item matches it; while `loading`, they are those that were known before it was chosen
 * @property {readonly T[]} items newest first
 * @property {boolean} more whether there are older items
 * @property {boolean} loadingMore
 * @property {Problem | null} problem why the last reading failed; with `ready`, `items` may be out of date
 */
/**
 * @template T
 * @typedef {{ items: readonly T[], cursor: string | null }} ListPage
 */
/**
 * @template T
 * @template F
 * @typedef {object} ListParts
 * @property {(item: T) => string} idOf items are ordered by the end of their id, a ULID, which begins with a time
 * @property {(item: T) => boolean} [isLive] whether the item changes by itself; by default none does
 * @property {(item: T) => string | null} [updatedAt] an item that is older than the one that is known is ignored
 * @property {(item: T, filter: F) => boolean} [matches] tells which known items to show at once when another filter is
 *   chosen; none by default
 * @property {Partial<typeof LIST_TIMES>} [times]
 * @property {() => number} [random]
 * @property {() => number} [now] milliseconds since 1970
 * @property {Pick<Document, "hidden" | "addEventListener" | "removeEventListener"> | null} [page] the document; null outside a
 *   browser
 */
/** Where a page ended: the cursor of the next, and the order of its last item. @typedef {{ cursor: string, below: string }} Position */

/**
 * @template T an item
 * @template [F={}] what the list can be filtered by
 * @template {ListSnapshot<T, F>} [S=ListSnapshot<T, F>] what the list publishes
 */
export class ListWatch {
  /** @type {S} */
  #snapshot;
  #read;
  #times;
  #random;
  #now;
  #page;
  #parts;
  /** @type {Set<(list: any) => void>} */
  #listeners = new Set();
  /** Items by what they are ordered by. @type {Map<string, T>} */
  #items = new Map();
  /** Whether an item was added, replaced or removed since the last snapshot. */
  #touched = false;
  /** Whether the items are those that were known when the filter was chosen. */
  #provisional = false;
  /** The cursor after the oldest item that is loaded. @type {Position | null} */
  #end = null;
  /** Where the next reading of older live items begins; null is the end of the first page. @type {Position | null} */
  #older = null;
  /** @type {AbortController | null} */
  #running = null;
  #wake = () => {};
  #again = false;
  #faults = 0;
  /** How many readings, one after the other, have changed nothing. */
  #unchanged = 0;

  /**
   * @param {(page: F & { cursor: string | null }) => Promise<ListPage<T>>} read returns one page
   * @param {F} filter
   * @param {ListParts<T, F>} parts
   */
  constructor(read, filter, { times = {}, random = Math.random, now = Date.now, page = globalThis.document ?? null, ...parts }) {
    this.#read = read;
    this.#parts = parts;
    this.#times = { ...LIST_TIMES, ...times };
    this.#random = random;
    this.#now = now;
    this.#page = page;
    this.#snapshot = this.described(emptyList(filter));
  }

  /** The list at this moment, the same object until the next change. @returns {S} */
  get snapshot() {
    return this.#snapshot;
  }

  /**
   * Return what is published of a snapshot. A list of one kind may add to it.
   * @param {ListSnapshot<T, F>} snapshot
   * @returns {S}
   */
  described(snapshot) {
    return /** @type {S} */ (Object.freeze(snapshot));
  }

  /**
   * Call `listener` now and after every change. The function is bound to the list.
   * @type {(listener: (list: S) => void) => () => void} the function that it returns unsubscribes the listener
   */
  subscribe = (listener) => {
    this.#listeners.add(listener);
    listener(this.#snapshot);
    return () => void this.#listeners.delete(listener);
  };

  /** Read the list, and again until `stop`. While the page is hidden, nothing is read. A second call does nothing. */
  connect() {
    if (this.#running !== null) return;
    this.#running = new AbortController();
    if (this.#snapshot.state === "idle") this.#change({ state: "loading" });
    this.#listenToActivity(this.#running.signal);
    void this.#follow(this.#running.signal);
  }

  /** End the readings. `items` stays as it is. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    if (this.#snapshot.state !== "ready") this.#change({ state: "idle", loadingMore: false });
    else if (this.#snapshot.loadingMore) this.#change({ loadingMore: false });
  }

  /**
   * Show another list. Until its first page has arrived its state is `loading`, with the known items that match.
   * @param {F} filter
   */
  setFilter(filter) {
    const connected = this.#running !== null;
    this.#running?.abort();
    this.#running = null;
    const { matches = () => false } = this.#parts;
    for (const [order, item] of this.#items) if (!matches(item, filter)) this.#items.delete(order);
    this.#provisional = this.#touched = true;
    this.#end = this.#older = null;
    this.#faults = this.#unchanged = 0;
    this.#snapshot = this.described({ ...emptyList(filter), ...this.#shown(), more: false });
    if (connected) this.connect();
    else this.#notify();
  }

  /** Read the list now, or again if it is being read. */
  refresh() {
    this.#again = true;
    this.#unchanged = 0;
    this.#wake();
  }

  /** Read the next older items. Does nothing if there are none, or if they are being read. */
  async loadMore() {
    const running = this.#running;
    const end = this.#end;
    if (running === null || end === null || this.#snapshot.loadingMore) return;
    this.#change({ loadingMore: true });
    try {
      const page = await this.#pageAt(end.cursor);
      if (running.signal.aborted) return;
      // Items may have been removed or the list begun again while the page was read: only the page after the end is added.
      if (this.#end === end) this.#merge(page, end.below);
      this.#change({ loadingMore: false, problem: null, ...this.#shown() });
    } catch (error) {
      if (!running.signal.aborted) this.#change({ loadingMore: false, problem: problemOf(error) });
    }
  }

  /**
   * Show what another request has returned of an item in the list, such as a cancellation. An unknown item is ignored.
   * @param {T} item
   */
  put(item) {
    const order = this.#orderOf(item);
    if (!this.#items.has(order)) return;
    this.#keep(order, item);
    this.#change(this.#shown());
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    while (!signal.aborted) {
      await this.#untilVisible(signal);
      if (signal.aborted) return;
      await this.#readAgain(signal);
      if (signal.aborted) return;
      await this.#wait(signal);
    }
  }

  /** @param {AbortSignal} signal */
  async #readAgain(signal) {
    this.#again = false;
    try {
      const first = await this.#pageAt(null);
      if (signal.aborted) return;
      this.#mergeFirst(first);
      await this.#readOlder(first, signal);
      if (signal.aborted) return;
      this.#faults = 0;
      this.#unchanged = this.#touched ? 0 : this.#unchanged + 1;
      this.#change({ state: "ready", problem: null, ...this.#shown() });
    } catch (error) {
      if (signal.aborted) return;
      this.#faults += 1;
      const { state } = this.#snapshot;
      this.#change({ state: state === "ready" ? "ready" : "error", problem: problemOf(error), ...this.#shown() });
    }
  }

  /**
   * Read one page of older items if one of them is live, each time the next such page: at most one further request.
   * @param {ListPage<T>} first
   * @param {AbortSignal} signal
   */
  async #readOlder(first, signal) {
    this.#older ??= this.#positionAfter(first);
    const from = this.#older;
    if (from === null || !this.#hasLive(from.below)) {
      this.#older = null;
      return;
    }
    const page = await this.#pageAt(from.cursor);
    if (signal.aborted) return;
    this.#merge(page, from.below);
    const next = this.#positionAfter(page);
    this.#older = next !== null && this.#hasLive(next.below) ? next : null;
  }

  /** @param {ListPage<T>} first */
  #mergeFirst(first) {
    // Otherwise more items than a page have been created since: those between are unknown, so the list begins again.
    const joins = first.cursor === null || first.items.some((item) => this.#items.has(this.#orderOf(item)));
    if (this.#provisional || !joins) {
      this.#provisional = false;
      this.#touched = true;
      this.#items.clear();
      this.#end = this.#older = null;
    }
    this.#merge(first, null);
  }

  /**
   * Replace the items between `below` and the end of the page by those of the page.
   * @param {ListPage<T>} page
   * @param {string | null} below what the items of the page come after; null for the first page
   */
  #merge(page, below) {
    const end = this.#positionAfter(page, below ?? "");
    const until = end?.below ?? "";
    const returned = new Set(page.items.map((item) => this.#orderOf(item)));
    let oldest = "\uffff";
    for (const order of this.#items.keys()) {
      const covered = (below === null || order < below) && order >= until;
      if (covered && !returned.has(order)) this.#touched = this.#items.delete(order);
      else if (order < oldest) oldest = order;
    }
    for (const item of page.items) this.#keep(this.#orderOf(item), item);
    for (const order of returned) if (order < oldest) oldest = order;
    if (end === null) this.#end = null;
    else if (end.below <= (this.#end?.below ?? oldest)) this.#end = end;
  }

  /**
   * Keep the item, unless it is what is known already: then the known object stays, so that nothing is drawn again.
   * @param {string} order
   * @param {T} item
   */
  #keep(order, item) {
    const { updatedAt = () => null } = this.#parts;
    const known = this.#items.get(order);
    if (known !== undefined) {
      // A response that was requested before a cancellation may arrive after it.
      const [before, after] = [updatedAt(known), updatedAt(item)];
      if (before !== null && after !== null && Date.parse(before) > Date.parse(after)) return;
      if (JSON.stringify(known) === JSON.stringify(item)) return;
    }
    this.#items.set(order, item);
    this.#touched = true;
  }

  /** @param {string} below */
  #hasLive(below) {
    const { isLive = () => false } = this.#parts;
    for (const [order, item] of this.#items) if (order < below && isLive(item)) return true;
    return false;
  }

  /** What the snapshot shows of the items: the same array as before if nothing has changed. */
  #shown() {
    const more = this.#end !== null;
    if (!this.#touched) return { items: this.#snapshot.items, more };
    this.#touched = false;
    const items = [...this.#items].sort(([one], [other]) => (one < other ? 1 : -1)).map(([, item]) => item);
    return { items: Object.freeze(items), more };
  }

  /** @param {string | null} cursor */
  #pageAt(cursor) {
    return this.#read({ ...this.#snapshot.filter, cursor });
  }

  /**
   * Wait for the next reading. `#wake` ends or shortens the wait, because its length is computed again.
   * @param {AbortSignal} signal
   */
  async #wait(signal) {
    const { live, quiet, idle, firstWait } = this.#times;
    const from = this.#now();
    const asked = (this.#snapshot.problem?.retryAfter ?? 0) * 1000;
    const backoff = this.#faults === 0 ? 0 : fullJitter(firstWait, this.#faults, this.#random);
    const [least, most] = this.#hasLive("\uffff") ? [live, quiet] : [quiet, idle];
    while (!signal.aborted && !this.#again) {
      const usual = Math.max(least, Math.min(most, least * 2 ** this.#unchanged));
      const left = from + Math.max(usual, asked, backoff) - this.#now();
      if (left <= 0) return;
      await pause(left, signal, (end) => {
        this.#wake = end;
        return () => (this.#wake = () => {});
      });
    }
  }

  /**
   * While the user does something in the page, read as often as usual: at once if the last reading was long ago.
   * @param {AbortSignal} signal
   */
  #listenToActivity(signal) {
    const act = () => {
      if (this.#unchanged === 0) return;
      this.#unchanged = 0;
      this.#wake();
    };
    for (const type of ACTIVITY) this.#page?.addEventListener(type, act, { passive: true, signal });
  }

  /** @param {AbortSignal} signal */
  async #untilVisible(signal) {
    const page = this.#page;
    if (page === null || !page.hidden) return;
    this.#unchanged = 0;
    await new Promise((resolve) => {
      const end = () => {
        if (page.hidden && !signal.aborted) return;
        page.removeEventListener("visibilitychange", end);
        signal.removeEventListener("abort", end);
        resolve(undefined);
      };
      page.addEventListener("visibilitychange", end);
      signal.addEventListener("abort", end);
    });
  }

  /** @param {Partial<ListSnapshot<T, F>>} change */
  #change(change) {
    this.#snapshot = this.described({ ...this.#snapshot, ...change });
    this.#notify();
  }

  #notify() {
    for (const listener of this.#listeners) listener(this.#snapshot);
  }

  /** @param {T} item */
  #orderOf(item) {
    return this.#parts.idOf(item).slice(-26);
  }

  /**
   * @param {ListPage<T>} page
   * @param {string} [otherwise] the order of a page without items
   * @returns {Position | null}
   */
  #positionAfter({ items, cursor }, otherwise = "") {
    const last = items.at(-1);
    return cursor === null ? null : { cursor, below: last === undefined ? otherwise : this.#orderOf(last) };
  }
}

/**
 * @template T
 * @template F
 * @param {F} filter
 * @returns {ListSnapshot<T, F>}
 */
function emptyList(filter) {
  return { state: "idle", filter, items: Object.freeze([]), more: false, loadingMore: false, problem: null };
}
