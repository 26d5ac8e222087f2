/** Follows one job over as many connections as it takes: nothing lost, nothing twice, one end. */

/** @import { JobAccepted, JobDetail, StreamEvent } from "../../../../docs/api/types" */
/** @import { Connect } from "./connection.js" */
/** @import { WatchEvent, WatchState } from "./states.js" */
/** @import { JobView } from "./view.js" */

import { fullJitter, pause } from "./backoff.js";
import { NothingMore } from "./connection.js";
import { Refused, Unreachable } from "./errors.js";
import { LIVE, next } from "./states.js";
import { NOTHING_YET, fold, viewOf } from "./view.js";

/** Connections in a row that may end in something that cannot be read. */
const UNREADABLE = 3;

/** Milliseconds. The server's heartbeats come every 15 s, so three of them are missing when a connection is given up. */
export const TIMES = Object.freeze({ firstWait: 1_000, silence: 45_000, idleLimit: 120_000 });

/**
 * Why a watch is in the state `error`. `job`: the job itself has failed; `refused`: the API says no; `unreachable`: the
 * network or the service is in trouble; `unreadable`: what comes is not a stream of this API; `idle`: connected, but not a
 * sign of life for two minutes.
 * @typedef {object} Problem
 * @property {"job" | "refused" | "unreachable" | "unreadable" | "idle"} kind
 * @property {string} message
 * @property {string | null} code
 * @property {number | null} status the HTTP status of a refusal
 * @property {boolean} retryable whether trying again makes sense
 * @property {number | null} retryAfter seconds
 * @property {string | null} requestId
 */
/** @typedef {{ jobId: string, streamUrl: string }} JobPlace */
/**
 * What a watch asks of the API; `open` is one connection to a stream.
 * @typedef {object} WatchedApi
 * @property {Connect} open
 * @property {(jobId: string) => Promise<JobDetail>} getJob
 * @property {(jobId: string) => Promise<unknown>} cancelJob
 * @property {(jobId: string) => Promise<JobPlace>} resumeJob
 * @property {() => Promise<{ id: string, release: () => void }>} slot a name for this stream's slot, unique in the tab
 */
/**
 * @typedef {object} WatchParts
 * @property {() => number} [now] milliseconds since 1970
 * @property {() => number} [random]
 * @property {Partial<typeof TIMES>} [times]
 * @property {Pick<Window, "addEventListener" | "removeEventListener"> | null} [page] the window, where there is one
 */

export class Watch {
  /** @type {WatchState} */
  state = "idle";
  /** @type {JobView} */
  view = NOTHING_YET;
  /** @type {Problem | null} */
  problem = null;
  /** Connections lost in a row, while it is coming back. */
  faults = 0;

  #api;
  #now;
  #random;
  #times;
  #page;
  /** @type {Set<(watch: Watch) => void>} */
  #listeners = new Set();
  /** @type {(() => Promise<JobPlace>) | null} */
  #create = null;
  /** @type {JobPlace | null} */
  #job = null;
  /** Events up to this one happened before anybody watched, so nobody knows when; but the first stage began the job. */
  #history = 0;
  /** @type {number | null} */
  #began = null;
  /** @type {AbortController | null} */
  #running = null;
  /** @type {Promise<void> | null} */
  #ended = null;
  #cancelWanted = false;
  #lastSign = 0;

  /**
   * @param {WatchedApi} api
   * @param {WatchParts} [parts]
   */
  constructor(api, { now = Date.now, random = Math.random, times = {}, page = globalThis.window ?? null } = {}) {
    this.#api = api;
    this.#now = now;
    this.#random = random;
    this.#times = { ...TIMES, ...times };
    this.#page = page;
  }

  get live() {
    return LIVE.has(this.state);
  }

  /**
   * Tells `listener` of every change, and once at the beginning.
   * @param {(watch: Watch) => void} listener
   * @returns {() => void} ends the telling
   */
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Creates the job and follows it to its end. `create` may be called again after a failure, and must then not make a
   * second job of one that was made already.
   * @param {() => Promise<JobPlace>} create
   * @returns {Promise<this>} when nothing more will come by itself
   */
  async start(create) {
    this.#create = create;
    this.#job = null;
    this.view = NOTHING_YET;
    this.#move("create");
    try {
      this.#job = await create();
    } catch (error) {
      if (this.#cancelWanted) this.#move("cancelled");
      else this.#fail(problemOf(error));
      return this;
    }
    // A cancellation that fails is not the end of it: the job is there to be cancelled again.
    if (this.#cancelWanted) await this.cancel().catch(() => {});
    this.#follow("connect");
    return this.settled();
  }

  /**
   * Follows a job that exists, from its first event, or to the view of a job that has ended already.
   * @param {string | JobAccepted | JobDetail} job
   * @returns {Promise<this>}
   */
  async connect(job) {
    this.#move("connect");
    try {
      const found = typeof job === "string" ? await this.#api.getJob(job) : job;
      this.#job = found;
      if (isDetail(found)) {
        this.#history = found.lastEventId;
        this.#began = found.startedAt === null ? null : Date.parse(found.startedAt);
        if (found.endedAt !== null) {
          this.#settle(viewOf(found));
          return this;
        }
      }
    } catch (error) {
      this.#fail(problemOf(error));
      return this;
    }
    this.#follow(null);
    return this.settled();
  }

  /** Ends the job: its stream says `cancelled` when it is done. Raises what stands in the way. */
  async cancel() {
    this.#cancelWanted = true;
    if (this.#job === null) return; // it is being created: cancelled as soon as it has an id
    try {
      await this.#api.cancelJob(this.#job.jobId);
    } catch (error) {
      this.#cancelWanted = false;
      if (error instanceof Refused && error.status === 409) return; // it has just ended, as its stream will say
      throw error;
    }
    this.retry(); // where it was not connected, to hear of it
  }

  /** Lets a failed or cancelled job go on from its last checkpoint. Raises what stands in the way. */
  async resume() {
    if (this.#job === null) throw new Error("there is no job to resume");
    await this.#api.resumeJob(this.#job.jobId);
    this.#cancelWanted = false;
    this.view = { ...this.view, outcome: null, failure: null };
    this.#follow("connect");
  }

  /** After a failure that was not the job's: comes back to the stream, or creates the job that was never made. */
  retry() {
    if (this.state !== "error") return;
    if (this.#job === null && this.#create !== null) void this.start(this.#create);
    else if (this.#job !== null) this.#follow("connect");
  }

  /** Stops following and frees the slot; the job goes on. */
  stop() {
    this.#running?.abort(new Error("stopped"));
    this.#running = null;
  }

  /**
   * Resolves when nothing more will come by itself: the job has ended, the watch has failed, or it was stopped.
   * @returns {Promise<this>}
   */
  async settled() {
    let seen = null;
    while (seen !== this.#ended) {
      seen = this.#ended;
      await seen;
    }
    return this;
  }

  // ---- following -----------------------------------------------------------------------------------------------------

  /** @param {WatchEvent | null} event what begins it, where that is not told already */
  #follow(event) {
    this.stop();
    const running = new AbortController();
    this.#running = running;
    this.faults = 0;
    if (event !== null) this.#move(event);
    this.#ended = this.#run(running);
  }

  /** @param {AbortController} running */
  async #run(running) {
    const { signal } = running;
    const slot = await this.#api.slot();
    const limit = this.#limitIdleTime(running);
    const leave = () => {
      running.abort(new Error("the page is gone"));
      // It may be shown again as it was, from the browser's back-forward cache.
      this.#page?.addEventListener("pageshow", () => this.#running === running && this.#follow("lost"), {
        once: true,
      });
    };
    this.#page?.addEventListener("pagehide", leave);
    try {
      await this.#connections(slot.id, signal);
    } finally {
      limit();
      slot.release();
      this.#page?.removeEventListener("pagehide", leave);
    }
  }

  /**
   * @param {string} tab
   * @param {AbortSignal} signal
   */
  async #connections(tab, signal) {
    const job = /** @type {JobPlace} */ (this.#job);
    const wait = { base: this.#times.firstWait };
    while (!signal.aborted) {
      /** @type {unknown} */
      let fault = null;
      const began = this.#now();
      try {
        if (await this.#connection(job.streamUrl, tab, signal, wait)) return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof NothingMore) return this.#catchUp(job.jobId);
        if (error instanceof Refused || (this.faults >= UNREADABLE && !(error instanceof Unreachable))) {
          return this.#fail(problemOf(error));
        }
        fault = error;
      }
      if (signal.aborted) return;
      // The server ends a connection after its window: that is no fault, unless it happens at once.
      this.faults = fault === null && this.#now() - began >= wait.base ? 0 : this.faults + 1;
      this.#move("lost");
      if (this.faults === 0) continue;
      const asked = fault instanceof Unreachable ? (fault.retryAfter ?? 0) * 1000 : 0;
      await pause(Math.max(asked, fullJitter(wait.base, this.faults, this.#random)), signal, (end) => {
        this.#page?.addEventListener("online", end);
        return () => this.#page?.removeEventListener("online", end);
      });
    }
  }

  /**
   * One connection, to its end; true when the job has ended.
   * @param {string} url
   * @param {string} tab
   * @param {AbortSignal} signal
   * @param {{ base: number }} wait
   */
  async #connection(url, tab, signal, wait) {
    const silent = new AbortController();
    let heard = setTimeout(() => {}, 0);
    const listen = () => {
      clearTimeout(heard);
      heard = setTimeout(() => silent.abort(new Unreachable("the connection is silent")), this.#times.silence);
    };
    listen();
    try {
      const after = this.view.lastEventId;
      const opened = this.#api.open({ url, after, tab, signal: AbortSignal.any([signal, silent.signal]) });
      for await (const part of opened) {
        listen();
        this.#lastSign = this.#now();
        if (part.kind === "retry") wait.base = part.milliseconds;
        if (part.kind !== "event") continue;
        if (this.#take(part)) return true;
      }
      return false;
    } finally {
      clearTimeout(heard);
    }
  }

  /**
   * Folds one event; true when it was the last.
   * @param {{ type: string, data: string, id: string }} part
   */
  #take(part) {
    const event = /** @type {StreamEvent} */ (JSON.parse(part.data));
    const id = event.type === "connected" ? null : Number(part.id);
    const past = event.type === "stage" && event.index === 1 && event.attempt === 1 ? this.#began : null;
    const at = id !== null && id <= this.#history ? past : this.#now();
    const view = fold(this.view, id, event, at);
    if (event.type === "connected") {
      this.view = view;
      this.#move("opened");
      return false;
    }
    if (view !== this.view) this.faults = 0;
    if (view.outcome !== null) {
      this.#settle(view);
      return true;
    }
    this.view = view;
    this.#tell();
    return false;
  }

  /**
   * What the server has no more events for: the job has ended while nobody was connected.
   * @param {string} jobId
   */
  async #catchUp(jobId) {
    try {
      const ended = viewOf(await this.#api.getJob(jobId));
      this.#settle({ ...ended, stages: this.view.stages, resets: this.view.resets });
    } catch (error) {
      this.#fail(problemOf(error));
    }
  }

  /**
   * Ends the watch after two minutes without a sign of life, whatever the reason; answers how to stop that.
   * @param {AbortController} running
   */
  #limitIdleTime(running) {
    const limit = this.#times.idleLimit;
    this.#lastSign = this.#now();
    let due = this.#lastSign + limit;
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    const check = () => {
      const now = this.#now();
      // A timer that is this late belongs to a machine that slept: it has had no time to hear anything.
      if (now - due > limit / 4) this.#lastSign = now;
      due = this.#lastSign + limit;
      if (now < due) {
        timer = setTimeout(check, due - now);
        return;
      }
      const connected = this.state === "streaming";
      running.abort(new Error("idle"));
      this.#fail({
        ...NO_PROBLEM,
        kind: connected ? "idle" : "unreachable",
        message: connected ? "Nothing has been heard of the job for two minutes." : "The server cannot be reached.",
        retryable: true,
      });
    };
    timer = setTimeout(check, limit);
    return () => clearTimeout(timer);
  }

  // ---- changes -------------------------------------------------------------------------------------------------------

  /** @param {JobView} view with an outcome, or of a job that goes on */
  #settle(view) {
    this.view = view;
    if (view.outcome === "error") this.#fail(problemOfJob(view));
    else if (view.outcome === "cancelled") this.#move("cancelled");
    else if (view.outcome === "complete") this.#move("completed");
    else this.#follow(null);
  }

  /** @param {Problem} problem */
  #fail(problem) {
    this.problem = problem;
    this.#move("failed");
  }

  /** @param {WatchEvent} event */
  #move(event) {
    this.state = next(this.state, event);
    if (this.state !== "error") this.problem = null;
    this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener(this);
  }
}

/**
 * @param {JobAccepted | JobDetail} job
 * @returns {job is JobDetail}
 */
function isDetail(job) {
  return "lastEventId" in job;
}

/** @type {Omit<Problem, "kind" | "message">} */
const NO_PROBLEM = { code: null, status: null, retryable: false, retryAfter: null, requestId: null };

/**
 * @param {unknown} error
 * @returns {Problem}
 */
export function problemOf(error) {
  if (error instanceof Refused) {
    const { message, code, status, retryable, retryAfter, requestId } = error;
    return { kind: "refused", message, code, status, retryable: retryable || retryAfter !== null, retryAfter, requestId };
  }
  if (error instanceof Unreachable) {
    return { ...NO_PROBLEM, kind: "unreachable", message: error.message, retryable: true, retryAfter: error.retryAfter };
  }
  return { ...NO_PROBLEM, kind: "unreadable", message: error instanceof Error ? error.message : String(error) };
}

/**
 * @param {JobView} view
 * @returns {Problem}
 */
function problemOfJob(view) {
  const { message = "The job has failed.", code = null, retryable = false, requestId = null } = view.failure ?? {};
  return { ...NO_PROBLEM, kind: "job", message, code, retryable, requestId };
}
