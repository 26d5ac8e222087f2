/** Watches a list of jobs: reads it page by page, and reads it again while it is shown, so that new jobs and changes appear. */

/** @import { JobList as JobPage, JobSummary } from "../../../../docs/api/types" */
/** @import { JobFilter } from "../millrace.js" */
/** @import { Problem } from "./watch.js" */

import { fullJitter, pause } from "./backoff.js";
import { problemOf } from "./problems.js";

/**
 * In milliseconds. `live`: from one reading of the list to the next while a job of it is live, `quiet`: while none is;
 * `firstWait`: the base of the wait after a failed reading.
 */
export const LIST_TIMES = Object.freeze({ live: 2_000, quiet: 5_000, firstWait: 2_000 });

const LIVE_STATUSES = new Set(["pending", "in_progress"]);

/**
 * `idle`: not connected; `loading`: the first page of this filter is being read; `ready`: `jobs` is the list of this filter;
 * `error`: the first page could not be read.
 * @typedef {"idle" | "loading" | "ready" | "error"} JobListState
 */
/**
 * A list at one moment. It never changes: the list has another snapshot after each change.
 * @typedef {object} JobListSnapshot
 * @property {JobListState} state
 * @property {JobFilter} filter `jobs` are of this filter, never of an earlier one
 * @property {readonly JobSummary[]} jobs newest first
 * @property {boolean} more whether there are older jobs
 * @property {boolean} loadingMore
 * @property {Problem | null} problem why the last reading failed; with `ready`, `jobs` may be out of date
 */
/**
 * @typedef {object} JobListParts
 * @property {Partial<typeof LIST_TIMES>} [times]
 * @property {() => number} [random]
 * @property {Pick<Document, "hidden" | "addEventListener" | "removeEventListener"> | null} [page] the document; null outside a
 *   browser
 */
/** Where a page ended: the cursor of the next, and the order of its last job. @typedef {{ cursor: string, below: string }} Position */

export class JobListWatch {
  /** @type {JobListSnapshot} */
  #snapshot;
  #read;
  #times;
  #random;
  #page;
  /** @type {Set<(list: JobListSnapshot) => void>} */
  #listeners = new Set();
  /** Jobs by what they are ordered by. @type {Map<string, JobSummary>} */
  #jobs = new Map();
  /** The cursor after the oldest job that is loaded. @type {Position | null} */
  #end = null;
  /** Where the next reading of older live jobs begins; null is the end of the first page. @type {Position | null} */
  #older = null;
  /** @type {AbortController | null} */
  #running = null;
  #wake = () => {};
  #again = false;
  #faults = 0;

  /**
   * @param {(filter: JobFilter) => Promise<JobPage>} read returns one page
   * @param {JobFilter} [filter] `limit` is the number of jobs in a page, 50 by default
   * @param {JobListParts} [parts]
   */
  constructor(read, filter = {}, { times = {}, random = Math.random, page = globalThis.document ?? null } = {}) {
    this.#read = read;
    this.#times = { ...LIST_TIMES, ...times };
    this.#random = random;
    this.#page = page;
    this.#snapshot = emptyList(filter);
  }

  /** The list at this moment, the same object until the next change. @returns {JobListSnapshot} */
  get snapshot() {
    return this.#snapshot;
  }

  /**
   * Call `listener` now and after every change. The function is bound to the list.
   * @type {(listener: (list: JobListSnapshot) => void) => () => void} the function that it returns unsubscribes the listener
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
    void this.#follow(this.#running.signal);
  }

  /** End the readings. `jobs` stays as it is. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    if (this.#snapshot.state !== "ready") this.#change({ state: "idle", loadingMore: false });
    else if (this.#snapshot.loadingMore) this.#change({ loadingMore: false });
  }

  /**
   * Show another list. Its state is `loading`, without jobs, until its first page has arrived.
   * @param {JobFilter} filter
   */
  setFilter(filter) {
    const connected = this.#running !== null;
    this.#running?.abort();
    this.#running = null;
    this.#jobs.clear();
    this.#end = this.#older = null;
    this.#faults = 0;
    this.#snapshot = emptyList(filter);
    if (connected) this.connect();
    else this.#notify();
  }

  /** Read the list now, or again if it is being read. */
  refresh() {
    this.#again = true;
    this.#wake();
  }

  /** Read the next older jobs. Does nothing if there are none, or if they are being read. */
  async loadMore() {
    const running = this.#running;
    const end = this.#end;
    if (running === null || end === null || this.#snapshot.loadingMore) return;
    this.#change({ loadingMore: true });
    try {
      const page = await this.#pageAt(end.cursor);
      if (running.signal.aborted) return;
      // Jobs may have been removed or the list begun again while the page was read: only the page after the end is added.
      if (this.#end === end) this.#merge(page, end.below);
      this.#change({ loadingMore: false, problem: null, ...this.#shown() });
    } catch (error) {
      if (!running.signal.aborted) this.#change({ loadingMore: false, problem: problemOf(error) });
    }
  }

  /**
   * Show what another request has returned of a job in the list, such as a cancellation. An unknown job is ignored.
   * @param {JobSummary} job
   */
  put(job) {
    const order = orderOf(job);
    if (!this.#jobs.has(order)) return;
    this.#keep(order, job);
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
      this.#change({ state: "ready", problem: null, ...this.#shown() });
    } catch (error) {
      if (signal.aborted) return;
      this.#faults += 1;
      const { state } = this.#snapshot;
      this.#change({ state: state === "ready" ? "ready" : "error", problem: problemOf(error), ...this.#shown() });
    }
  }

  /**
   * Read one page of older jobs if one of them is live, each time the next such page: at most one further request.
   * @param {JobPage} first
   * @param {AbortSignal} signal
   */
  async #readOlder(first, signal) {
    this.#older ??= positionAfter(first);
    const from = this.#older;
    if (from === null || !this.#hasLive(from.below)) {
      this.#older = null;
      return;
    }
    const page = await this.#pageAt(from.cursor);
    if (signal.aborted) return;
    this.#merge(page, from.below);
    const next = positionAfter(page);
    this.#older = next !== null && this.#hasLive(next.below) ? next : null;
  }

  /** @param {JobPage} first */
  #mergeFirst(first) {
    const newest = Math.max(-1, ...first.jobs.map((job, index) => (this.#jobs.has(orderOf(job)) ? index : -1)));
    if (newest === -1 && first.cursor !== null) {
      // More jobs than a page have been created since: those between are unknown, so the list begins again.
      this.#jobs.clear();
      this.#end = this.#older = null;
    }
    this.#merge(first, null);
  }

  /**
   * Replace the jobs between `below` and the end of the page by those of the page.
   * @param {JobPage} page
   * @param {string | null} below what the jobs of the page come after; null for the first page
   */
  #merge(page, below) {
    const end = positionAfter(page, below ?? "");
    const until = end?.below ?? "";
    const returned = new Set(page.jobs.map(orderOf));
    for (const order of this.#jobs.keys()) {
      const covered = (below === null || order < below) && order >= until;
      if (covered && !returned.has(order)) this.#jobs.delete(order);
    }
    for (const job of page.jobs) this.#keep(orderOf(job), job);
    const oldest = [...this.#jobs.keys()].sort()[0] ?? "";
    if (end === null) this.#end = null;
    else if (end.below <= (this.#end?.below ?? oldest)) this.#end = end;
  }

  /**
   * @param {string} order
   * @param {JobSummary} job
   */
  #keep(order, job) {
    const known = this.#jobs.get(order);
    // A response that was requested before a cancellation may arrive after it.
    if (known === undefined || Date.parse(known.updatedAt) <= Date.parse(job.updatedAt)) this.#jobs.set(order, job);
  }

  /** @param {string} below */
  #hasLive(below) {
    return [...this.#jobs].some(([order, job]) => order < below && LIVE_STATUSES.has(job.status));
  }

  #shown() {
    const jobs = [...this.#jobs].sort(([one], [other]) => (one < other ? 1 : -1)).map(([, job]) => job);
    return { jobs: Object.freeze(jobs), more: this.#end !== null };
  }

  /** @param {string | null} cursor */
  #pageAt(cursor) {
    return this.#read({ limit: 50, ...this.#snapshot.filter, cursor });
  }

  /** @param {AbortSignal} signal */
  #wait(signal) {
    const { live, quiet, firstWait } = this.#times;
    const usual = this.#hasLive("\uffff") ? live : quiet;
    const asked = (this.#snapshot.problem?.retryAfter ?? 0) * 1000;
    const backoff = this.#faults === 0 ? 0 : fullJitter(firstWait, this.#faults, this.#random);
    return pause(this.#again ? 0 : Math.max(usual, asked, backoff), signal, (end) => {
      this.#wake = end;
      return () => (this.#wake = () => {});
    });
  }

  /** @param {AbortSignal} signal */
  async #untilVisible(signal) {
    const page = this.#page;
    if (page === null || !page.hidden) return;
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

  /** @param {Partial<JobListSnapshot>} change */
  #change(change) {
    this.#snapshot = Object.freeze({ ...this.#snapshot, ...change });
    this.#notify();
  }

  #notify() {
    for (const listener of this.#listeners) listener(this.#snapshot);
  }
}

/**
 * @param {JobFilter} filter
 * @returns {JobListSnapshot}
 */
function emptyList(filter) {
  return Object.freeze({ state: "idle", filter, jobs: Object.freeze([]), more: false, loadingMore: false, problem: null });
}

/**
 * Return what jobs are ordered by: the end of the id, a ULID, which begins with the time of the creation.
 * @param {JobSummary} job
 */
function orderOf({ jobId }) {
  return jobId.slice(-26);
}

/**
 * @param {JobPage} page
 * @param {string} [otherwise] the order of a page without jobs
 * @returns {Position | null}
 */
function positionAfter({ jobs, cursor }, otherwise = "") {
  const last = jobs.at(-1);
  return cursor === null ? null : { cursor, below: last === undefined ? otherwise : orderOf(last) };
}
