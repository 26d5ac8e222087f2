/** Feeds a job's record: from its watch while the page is open and, when the user asks, with all earlier events. */

/** @import { JobDetail } from "../../../../../../docs/api/types" */
/** @import { Millrace, Watch } from "../../../millrace.js" */

import { JobRecord } from "./job_record.js";

/** A difference of the clocks that is less than this is taken for the time that events travel, in milliseconds. */
const SAME_CLOCK = 5_000;

export class JobFeed {
  /** @type {JobRecord} */
  record;
  /** Why the earlier events could not be loaded. @type {unknown} */
  error = null;
  isLoading = false;
  /** Whether the record has every event that the server has. */
  isWhole = false;
  #millrace;
  #stopped = new AbortController();
  /** @type {Set<() => void>} */
  #listeners = new Set();
  #reading = false;
  #awaitsEnd;
  #unsubscribe;
  /** How far the clock of this computer is ahead of the server's, in milliseconds. */
  #ahead = Infinity;

  /**
   * @param {Millrace} millrace
   * @param {Watch} watch that is not connected yet
   * @param {JobDetail} job when the page was loaded
   */
  constructor(millrace, watch, job) {
    this.#millrace = millrace;
    this.watch = watch;
    this.job = job;
    this.record = new JobRecord(job.history, job.lastEventId, job.text);
    // A watch of an ended job needs no stream, and reading its events would open one.
    this.#awaitsEnd = job.endedAt !== null;
    this.#unsubscribe = watch.subscribe(() => this.#changed());
  }

  /** The job's fields, with its end where the page has seen it. */
  get moments() {
    const ended = this.watch.view.outcome === null ? null : this.record.history.at(-1)?.at;
    return { ...this.job, endedAt: this.watch.live ? null : (ended ?? this.job.endedAt ?? new Date(this.now()).toISOString()) };
  }

  /** The server's present time in milliseconds since 1970, as far as it is known. */
  now() {
    const ahead = Number.isFinite(this.#ahead) && Math.abs(this.#ahead) > SAME_CLOCK ? this.#ahead : 0;
    return Date.now() - ahead;
  }

  /** @param {() => void} listener is called when the job begins or ends, and when earlier events were loaded */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop() {
    this.#stopped.abort(new Error("stopped"));
    this.#unsubscribe();
  }

  #changed() {
    const { live, state } = this.watch;
    if (!live) {
      if (this.#awaitsEnd && state !== "idle") this.#awaitsEnd = false;
      if (state !== "idle") for (const listener of this.#listeners) listener();
    } else if (!this.#awaitsEnd && !this.#reading) {
      void this.#read();
    }
  }

  async #read() {
    this.#reading = true;
    try {
      for await (const each of this.watch.events({ signal: this.#stopped.signal })) {
        if (each.at !== null && each.id > this.job.lastEventId) this.#ahead = Math.min(this.#ahead, Date.now() - each.at);
        this.record.add(each);
      }
    } catch {
      // The page shows why the watch has ended.
    }
    this.#reading = false;
    for (const listener of this.#listeners) listener();
  }

  /** Read all events that the server still has, through a stream that ends where the record begins. */
  async loadAll() {
    if (this.isLoading || this.isWhole) return;
    this.isLoading = true;
    this.error = null;
    const whole = new JobRecord(this.job.history, this.job.lastEventId);
    const replay = this.#millrace.newWatch();
    try {
      const events = replay.events({ signal: this.#stopped.signal });
      const target = Math.max(this.record.lastId, this.job.lastEventId);
      void replay.connect(this.job);
      for await (const each of events) {
        whole.add(each);
        if (each.id >= target) break;
      }
      for (const each of this.record.events) whole.add(each);
      this.record = whole;
      this.isWhole = true;
    } catch (error) {
      this.error = error;
    } finally {
      replay.stop();
      this.isLoading = false;
    }
    for (const listener of this.#listeners) listener();
  }
}
