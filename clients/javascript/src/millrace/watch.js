/** Watches one job over any number of connections: no event is lost or applied twice, and the end is reported once. */

/** @import { JobAccepted, JobDetail, StreamEvent } from "../../../../docs/api/types" */
/** @import { Connect } from "./connection.js" */
/** @import { Transport } from "./sse.js" */
/** @import { WatchEvent, WatchState } from "./states.js" */
/** @import { JobView } from "./view.js" */

import { fullJitter, pause } from "./backoff.js";
import { NoMoreEvents } from "./connection.js";
import { Refused, Unreachable } from "./errors.js";
import { EventQueue } from "./event_queue.js";
import { problemOf, problemOfJob } from "./problems.js";
import { LIVE, next } from "./states.js";
import { EMPTY_VIEW, fold, viewOf } from "./view.js";

/** How many consecutive connections may fail with an unreadable stream before the watch ends. */
const MAX_UNREADABLE = 3;

/** A stream that is behind the job gets this part of `quietLimit` to send its events. */
const GRACE = 12;

/**
 * In milliseconds. The server sends a heartbeat every 15 s, so after a silence of 45 s three of them are missing.
 * `idleLimit`: without an event or a heartbeat; `quietLimit`: without an event, with or without heartbeats; `recovery`: the
 * wait of a watch that recovers, if the server does not say how long.
 */
export const TIMES = Object.freeze({ firstWait: 1_000, silence: 45_000, idleLimit: 120_000, quietLimit: 120_000, recovery: 5_000 });

/**
 * Why a watch is in the state `error`. `job`: the job has failed; `refused`: the API refused a request; `unreachable`: the
 * network or the service failed; `unreadable`: the stream is not from this API; `idle`: the watch was connected, but
 * received for two minutes neither an event nor a heartbeat, or not the events that the job has.
 * @typedef {object} Problem
 * @property {"job" | "refused" | "unreachable" | "unreadable" | "idle"} kind
 * @property {string} message
 * @property {string | null} code
 * @property {number | null} status the HTTP status of a refusal
 * @property {boolean} retryable whether the same request may succeed later
 * @property {number | null} retryAfter seconds
 * @property {string | null} requestId
 */
/** @typedef {{ jobId: string, streamUrl: string, pipeline?: string }} JobRef */
/**
 * A job whose stream is connected and has brought no event for two minutes, and what the API then said of it. `since`: the
 * newest event, or the beginning of the watch; `confirmedAt`: when the API said that the stream has missed nothing. Both are
 * in milliseconds since 1970. The other three are null if the API did not answer.
 * @typedef {{ since: number, confirmedAt: number | null, status: JobDetail["status"] | null, stage: string | null }} Quiet
 */
/**
 * The calls that a watch makes.
 * @typedef {object} WatchApi
 * @property {Connect} connect opens one connection to the stream
 * @property {(jobId: string, options: { signal: AbortSignal }) => Promise<JobDetail>} getJob
 * @property {(jobId: string) => Promise<unknown>} cancelJob
 * @property {(jobId: string) => Promise<JobRef>} resumeJob
 * @property {() => Promise<{ id: string, release: () => void }>} slot claims an id for this stream's slot, unique in the tab
 */
/**
 * @typedef {object} WatchParts
 * @property {() => number} [now] milliseconds since 1970
 * @property {() => number} [random]
 * @property {Partial<typeof TIMES>} [times]
 * @property {Pick<Window, "addEventListener" | "removeEventListener"> | null} [page] the window; null outside a browser
 * @property {boolean} [recovers] whether a watch that has failed with a retryable problem connects again by itself, as pages
 *   need it that stay open. It keeps its problem until it is connected. By default it does not.
 */

/**
 * A watch at one moment. It never changes: the watch has another snapshot after each change.
 * @template {string} [P=string]
 * @typedef {Readonly<Pick<Watch<P>, "state" | "view" | "problem" | "faults" | "quiet" | "transport" | "live">>} WatchSnapshot
 */
/**
 * An event of the job's log: `id` is its place in the log, `at` its time in milliseconds since 1970, null if it happened
 * before the watch began.
 * @typedef {{ id: number, at: number | null, event: Exclude<StreamEvent, { type: "connected" }> }} WatchedEvent
 */

/**
 * A watch of a job, of the pipeline `P`.
 * @template {string} [P=string]
 */
export class Watch {
  /** @type {WatchState} */
  state = "idle";
  /** @type {JobView<P>} */
  view = /** @type {JobView<any>} */ (EMPTY_VIEW);
  /** @type {Problem | null} */
  problem = null;
  /** Consecutive connections that were lost; 0 again once an event has arrived. */
  faults = 0;
  /** Set while the connected stream has brought no event for two minutes. @type {Quiet | null} */
  quiet = null;
  /** How the events of this job arrive. @type {Transport} */
  transport = "stream";

  /** What the events have said so far, from the first one on. @type {JobView} */
  #log = EMPTY_VIEW;
  /** What the API's response has said of a job whose events are still being read. @type {JobView | null} */
  #seed = null;
  #api;
  #now;
  #random;
  #times;
  #page;
  /** @type {Set<(watch: Watch<P>) => void>} */
  #listeners = new Set();
  /** @type {WatchSnapshot<P> | null} */
  #snapshot = null;
  /** One for each iteration over `events`. @type {Set<EventQueue>} */
  #queues = new Set();
  /** @type {(() => Promise<JobRef>) | null} */
  #create = null;
  /** @type {JobRef | null} */
  #job = null;
  /** The id of the last event before the watch began. The times of these events are unknown. */
  #history = 0;
  /** When the job started, which is the time of its first stage. @type {number | null} */
  #startedAt = null;
  /** @type {AbortController | null} */
  #running = null;
  /** @type {Promise<void> | null} */
  #ended = null;
  #cancelRequested = false;
  #lastActivity = 0;
  /** When the newest event arrived, or when the watch began to follow the job. */
  #lastEvent = 0;
  #recovers;

  /**
   * @param {WatchApi} api
   * @param {WatchParts} [parts]
   */
  constructor(api, { now = Date.now, random = Math.random, times = {}, page = globalThis.window ?? null, recovers = false } = {}) {
    this.#api = api;
    this.#recovers = recovers;
    this.#now = now;
    this.#random = random;
    this.#times = { ...TIMES, ...times };
    this.#page = page;
  }

  get live() {
    return LIVE.has(this.state);
  }

  /**
   * The watch at this moment, as a value that never changes. It is the same object until the next change, as stores of React
   * need it: `useSyncExternalStore(watch.subscribe, () => watch.snapshot)`.
   * @returns {WatchSnapshot<P>}
   */
  get snapshot() {
    const { state, view, problem, faults, quiet, transport, live } = this;
    this.#snapshot ??= Object.freeze({ state, view, problem, faults, quiet, transport, live });
    return this.#snapshot;
  }

  /**
   * Call `listener` now and after every change. The function is bound to the watch. An error that a listener throws is
   * reported as an uncaught error; the watch and its other listeners continue.
   * @type {(listener: (watch: Watch<P>) => void) => () => void} the function that it returns unsubscribes the listener
   */
  subscribe = (listener) => {
    this.#listeners.add(listener);
    listener(this);
    return () => void this.#listeners.delete(listener);
  };

  /**
   * Return the events that the watch receives from now on, in the order of the log and each once. The iteration ends when
   * the watch settles or is stopped. It throws a MillraceError if the watch fails before the job has ended.
   * Call this at once after `watch` or `startJob` to get all events, also those of a job that has ended.
   * @param {{ signal?: AbortSignal }} [options] `signal` ends the iteration, with its reason as the error
   * @returns {AsyncGenerator<WatchedEvent, void, undefined>}
   */
  events({ signal } = {}) {
    const queue = new EventQueue();
    this.#queues.add(queue);
    if (!this.live && this.state !== "idle") queue.end();
    return queue.read(signal, () => this.#queues.delete(queue));
  }

  /**
   * Create the job and follow it until it ends. `retry` calls `create` again after a failure, so `create` must use the same
   * idempotency key every time.
   * @param {() => Promise<JobRef>} create
   * @returns {Promise<this>} as `settled`
   */
  start(create) {
    next(this.state, "create"); // throws before anything has changed
    const running = this.#replaceRunning();
    this.#create = create;
    this.#job = null;
    this.#cancelRequested = false;
    this.#seed = null;
    this.#show(EMPTY_VIEW);
    this.#transition("create");
    this.#ended = this.#creation(create, running);
    return this.settled();
  }

  /**
   * Follow an existing job from its first event. If the job has ended, show its final view without a stream, unless the
   * API's response was too large to be whole.
   * @param {string | JobAccepted | JobDetail} job
   * @returns {Promise<this>} as `settled`
   */
  connect(job) {
    next(this.state, "connect"); // throws before anything has changed
    const running = this.#replaceRunning();
    this.#transition("connect");
    this.#ended = this.#existing(job, running);
    return this.settled();
  }

  /** Cancel the job; the stream reports the end. Throws the error of the request; a job that has already ended is no error. */
  async cancel() {
    if (this.#job === null && this.state !== "creating") return; // there is nothing to cancel
    this.#cancelRequested = true;
    if (this.#job === null) return; // the job is being created: `start` cancels it when it has an id
    try {
      await this.#api.cancelJob(this.#job.jobId);
    } catch (error) {
      this.#cancelRequested = false;
      if (error instanceof Refused && error.status === 409) return; // the job has just ended, and its stream reports that
      throw error;
    }
    this.retry(); // a watch in the state `error` reconnects to receive the end
  }

  /** Resume a failed or cancelled job from its last checkpoint. Throws the error of the request. */
  async resume() {
    if (this.#job === null) throw new Error("this watch has no job to resume");
    await this.#api.resumeJob(this.#job.jobId);
    this.#cancelRequested = false;
    this.#seed = null;
    this.#show({ ...this.#log, outcome: null, failure: null });
    void this.#follow("connect");
  }

  /** In the state `error`: reconnect to the stream or, if the creation failed, create the job. */
  retry() {
    if (this.state !== "error") return;
    if (this.#job === null && this.#create !== null) void this.start(this.#create);
    else if (this.#job !== null) void this.#follow("connect");
  }

  /**
   * Stop following and free the stream slot. The job continues. A watch that had not settled is `idle` again, and can be
   * connected again: it continues after the last event that it has seen.
   * @param {unknown} [reason] what iterations over the events throw; by default they end
   */
  stop(reason = null) {
    this.#running?.abort(reason ?? new Error("stopped"));
    this.#running = null;
    if (this.live) this.#transition("stopped", reason);
  }

  /**
   * Resolve when the view no longer changes by itself: the job has ended, the watch has failed, or it was stopped.
   * @returns {Promise<this>}
   */
  async settled() {
    let awaited = null;
    while (awaited !== this.#ended) {
      awaited = this.#ended;
      await awaited;
    }
    return this;
  }

  // ---- creating and connecting ---------------------------------------------------------------------------------------

  /**
   * End what this watch is following, and return the controller of what it follows next.
   * @returns {AbortController}
   */
  #replaceRunning() {
    this.#running?.abort(new Error("replaced"));
    this.#running = new AbortController();
    return this.#running;
  }

  /**
   * @param {() => Promise<JobRef>} create
   * @param {AbortController} running
   */
  async #creation(create, running) {
    try {
      const job = await create();
      if (this.#create === create) this.#job = job;
    } catch (error) {
      if (running.signal.aborted) return;
      if (this.#cancelRequested) this.#transition("cancelled");
      else this.#failWith(error);
      return;
    }
    // If the cancellation fails, the job exists and can be cancelled again.
    if (this.#cancelRequested) await this.cancel().catch(() => {});
    if (!running.signal.aborted) await this.#follow("connect");
  }

  /**
   * @param {string | JobAccepted | JobDetail} job
   * @param {AbortController} running
   */
  async #existing(job, running) {
    try {
      const found = typeof job === "string" ? await this.#api.getJob(job, { signal: running.signal }) : job;
      if (running.signal.aborted) return;
      if (this.#job?.jobId !== found.jobId) {
        this.#seed = null;
        this.#show(EMPTY_VIEW);
      }
      this.#job = found;
      if (isDetail(found) && this.#take(found)) return;
    } catch (error) {
      if (!running.signal.aborted) this.#failWith(error);
      return;
    }
    await this.#follow(null);
  }

  /**
   * Show what the API's response says of the job. Return true if that is all, because the job has ended.
   * @param {JobDetail} found
   */
  #take(found) {
    // What the response leaves out because of its size is read from the stream, from the first event on.
    const isWhole = (found.omitted ?? []).length === 0;
    this.#history = isWhole || found.endedAt === null ? found.lastEventId : Number.MAX_SAFE_INTEGER;
    this.#startedAt = found.startedAt === null ? null : Date.parse(found.startedAt);
    if (found.endedAt !== null && !isWhole) this.#show({ ...this.#log, usage: found.usage });
    if (found.endedAt !== null && isWhole && this.#queues.size === 0) {
      this.#settleAs(found);
      return true;
    }
    if (found.endedAt === null && isWhole) {
      this.#seed = viewOf(found);
      this.#show(this.#log);
      this.#notify();
    }
    return false;
  }

  // ---- following -----------------------------------------------------------------------------------------------------

  /**
   * @param {WatchEvent | null} event the transition to make; null if the state is already right
   * @returns {Promise<void>} resolves when the watch no longer follows
   */
  #follow(event) {
    const running = this.#replaceRunning();
    this.faults = 0;
    if (event !== null) this.#transition(event);
    const ended = this.#run(running);
    this.#ended = ended;
    return ended;
  }

  /** @param {AbortController} running */
  async #run(running) {
    const { signal } = running;
    const slot = await this.#api.slot();
    const stopIdleTimer = this.#startIdleTimer(running);
    const stopQuietTimer = this.#startQuietTimer(running);
    const onPageHide = () => {
      running.abort(new Error("the page is gone"));
      // The browser may show the page again from its back-forward cache, with this watch in memory.
      this.#page?.addEventListener("pageshow", () => this.#running === running && void this.#follow("lost"), {
        once: true,
      });
    };
    this.#page?.addEventListener("pagehide", onPageHide);
    try {
      await this.#connections(slot.id, signal);
    } finally {
      stopIdleTimer();
      stopQuietTimer();
      slot.release();
      this.#page?.removeEventListener("pagehide", onPageHide);
    }
  }

  /**
   * @param {string} tab
   * @param {AbortSignal} signal
   */
  async #connections(tab, signal) {
    const job = /** @type {JobRef} */ (this.#job);
    const wait = { base: this.#times.firstWait };
    while (!signal.aborted) {
      /** @type {unknown} */
      let fault = null;
      const openedAt = this.#now();
      try {
        if (await this.#connection(job.streamUrl, tab, signal, wait)) return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof NoMoreEvents) return this.#catchUp(job.jobId, signal);
        if (error instanceof Refused || (this.faults >= MAX_UNREADABLE && !(error instanceof Unreachable))) {
          return this.#failWith(error);
        }
        fault = error;
      }
      if (signal.aborted) return;
      // The server ends every connection after its time window. That is a fault only if it happens immediately.
      this.faults = fault === null && this.#now() - openedAt >= wait.base ? 0 : this.faults + 1;
      this.#transition("lost");
      if (this.faults === 0) continue;
      const requested = fault instanceof Unreachable ? (fault.retryAfter ?? 0) * 1000 : 0;
      await pause(Math.max(requested, fullJitter(wait.base, this.faults, this.#random)), signal, (end) => this.#untilOnline(end));
    }
  }

  /**
   * Read one connection until it ends. Return true if the job has ended.
   * @param {string} url
   * @param {string} tab
   * @param {AbortSignal} signal
   * @param {{ base: number }} wait
   */
  async #connection(url, tab, signal, wait) {
    const silent = new AbortController();
    let timer = setTimeout(() => {}, 0);
    const restartTimer = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(new Unreachable("the server sent no heartbeat")), this.#times.silence);
    };
    restartTimer();
    try {
      const after = this.#log.lastEventId;
      const parts = this.#api.connect({ url, after, tab, signal: AbortSignal.any([signal, silent.signal]) });
      for await (const part of parts) {
        signal.throwIfAborted();
        restartTimer();
        this.#lastActivity = this.#now();
        if (part.kind === "retry") wait.base = part.milliseconds;
        if (part.kind === "interrupted") this.#transition("lost");
        if (part.kind === "opened") this.#open(part.transport);
        if (part.kind !== "event") continue;
        if (this.#apply(part)) return true;
      }
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * A connection of the channel is open, which has no event that says so; `stream` is told by its `connected` event.
   * @param {Transport} transport
   */
  #open(transport) {
    this.transport = transport;
    if (transport === "stream") return;
    const job = /** @type {JobRef} */ (this.#job);
    this.#show({ ...this.#log, jobId: job.jobId, pipeline: job.pipeline ?? this.#log.pipeline });
    this.#transition("opened");
  }

  /**
   * Fold one event into the view. Return true if it ended the job.
   * @param {{ type: string, data: string, id: string, at?: number }} part
   */
  #apply(part) {
    const event = /** @type {StreamEvent} */ (JSON.parse(part.data));
    const id = event.type === "connected" ? null : Number(part.id);
    const knownStart = event.type === "stage" && event.index === 1 && event.attempt === 1 ? this.#startedAt : null;
    const at = part.at ?? (id !== null && id <= this.#history ? knownStart : this.#now());
    const view = fold(this.#log, id, event, at);
    if (event.type === "connected") {
      this.#show(view);
      this.#transition("opened");
      return false;
    }
    if (view !== this.#log) {
      this.faults = 0;
      this.#lastEvent = this.#now();
      this.quiet = null;
      for (const queue of this.#queues) queue.push({ id: view.lastEventId, at, event });
    }
    if (view.outcome !== null) {
      this.#settle(view);
      return true;
    }
    this.#show(view);
    this.#notify();
    return false;
  }

  /**
   * Show what the events have said. Until they have reached the API's response about the job, show the response.
   * @param {JobView} log
   */
  #show(log) {
    this.#log = log;
    const seed = this.#seed;
    if (seed === null || log.lastEventId >= seed.lastEventId || log.outcome !== null) {
      this.#seed = null;
      this.view = this.#typed(log);
    } else {
      const { stages, resets, tools, news } = log;
      this.view = this.#typed({ ...seed, stages, resets, tools, news });
    }
  }

  /**
   * Fetch the final view of a job that ended while the watch was not connected.
   * @param {string} jobId
   * @param {AbortSignal} signal
   */
  async #catchUp(jobId, signal) {
    try {
      const found = await this.#api.getJob(jobId, { signal });
      if (!signal.aborted) this.#settleAs(found);
    } catch (error) {
      if (!signal.aborted) this.#failWith(error);
    }
  }

  /**
   * End the watch after two minutes without an event or a heartbeat.
   * @param {AbortController} running
   * @returns {() => void} stops the timer
   */
  #startIdleTimer(running) {
    const limit = this.#times.idleLimit;
    this.#lastActivity = this.#now();
    let due = this.#lastActivity + limit;
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    const check = () => {
      if (running.signal.aborted) return;
      const now = this.#now();
      // A timer this late means that the machine was asleep and could not receive anything.
      if (now - due > limit / 4) this.#lastActivity = now;
      due = this.#lastActivity + limit;
      if (now < due) {
        timer = setTimeout(check, due - now);
        return;
      }
      const connected = this.state === "streaming";
      running.abort(new Error("idle"));
      const message = connected
        ? "The stream sent neither an event nor a heartbeat for two minutes."
        : "The server cannot be reached.";
      const error = new Unreachable(message);
      this.#fail({ ...problemOf(error), kind: connected ? "idle" : "unreachable" }, error);
    };
    timer = setTimeout(check, limit);
    return () => clearTimeout(timer);
  }

  /**
   * Ask the API for the job whenever the connected stream has brought no event for two minutes. A heartbeat says only that
   * the server's connection works: the job may wait, may have ended, or the stream may hold its events back.
   * @param {AbortController} running
   * @returns {() => void} stops the timer
   */
  #startQuietTimer(running) {
    const limit = this.#times.quietLimit;
    this.#lastEvent = this.#now();
    let due = this.#lastEvent + limit;
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    const check = async () => {
      const now = this.#now();
      // As with the idle timer: the machine was asleep.
      if (now - due > limit / 4) this.#lastEvent = Math.max(this.#lastEvent, now - limit / 2);
      const wasQuiet = now - this.#lastEvent >= limit;
      if (wasQuiet && this.live) await this.#ask(running, this.#lastEvent);
      if (running.signal.aborted) return;
      due = this.#now() + (wasQuiet ? limit : this.#lastEvent + limit - now);
      timer = setTimeout(check, due - this.#now());
    };
    timer = setTimeout(check, limit);
    return () => clearTimeout(timer);
  }

  /**
   * @param {AbortController} running
   * @param {number} since the time of the newest event
   */
  async #ask({ signal }, since) {
    const { jobId } = /** @type {JobRef} */ (this.#job);
    try {
      const found = await this.#api.getJob(jobId, { signal });
      const isBehind = found.endedAt !== null || found.lastEventId > this.#log.lastEventId;
      if (isBehind) await pause(this.#times.quietLimit / GRACE, signal);
      if (signal.aborted || this.#lastEvent !== since) return; // an event has arrived in the meantime
      if (isBehind) this.#leave(found);
      else this.#tellQuiet({ since, confirmedAt: this.#now(), status: found.status, stage: found.stage });
    } catch (error) {
      if (signal.aborted || this.#lastEvent !== since) return;
      const isRefused = error instanceof Refused && error.status < 500;
      if (!isRefused) return this.#tellQuiet({ since, confirmedAt: null, status: null, stage: null });
      this.#running?.abort(new Error("the job cannot be read"));
      this.#failWith(error);
    }
  }

  /** @param {Quiet} quiet */
  #tellQuiet(quiet) {
    this.quiet = quiet;
    this.#notify();
  }

  /**
   * End a stream that does not send the events that the job has.
   * @param {JobDetail} found
   */
  #leave(found) {
    this.#running?.abort(new Error("the stream holds events back"));
    if (found.endedAt !== null && (found.omitted ?? []).length === 0 && this.#queues.size === 0) return this.#settleAs(found);
    const error = new Unreachable("The stream is connected, but it does not send the events that the job has.");
    this.#fail({ ...problemOf(error), kind: "idle" }, error);
  }

  /**
   * Return the view as one of this watch's pipeline.
   * @param {JobView} view
   */
  #typed(view) {
    return /** @type {JobView<any>} */ (view);
  }

  // ---- changes -------------------------------------------------------------------------------------------------------

  /** @param {JobDetail} found the API's response about this job, which has ended */
  #settleAs(found) {
    const { stages, resets, lastEventId, ...seen } = this.#log;
    // What the response leaves out, this watch has: it has received every event.
    const omitted = new Set(/** @type {string[]} */ (found.omitted ?? []));
    const kept = Object.fromEntries(Object.entries(seen).filter(([name]) => omitted.has(name)));
    const ended = { ...viewOf(found), ...kept };
    // A watch that has read no event knows what the response's history tells.
    const past = this.#log.lastEventId === 0 ? {} : { stages, resets };
    this.#settle({ ...ended, ...past, lastEventId: Math.max(lastEventId, ended.lastEventId) });
  }

  /** @param {JobView} view of an ended job, or of one that was resumed in the meantime */
  #settle(view) {
    this.#seed = null;
    this.#show(view);
    if (view.outcome === "error") this.#fail(problemOfJob(view));
    else if (view.outcome === "cancelled") this.#transition("cancelled");
    else if (view.outcome === "complete") this.#transition("completed");
    else void this.#follow(null);
  }

  /** @param {unknown} error why the watch cannot follow the job */
  #failWith(error) {
    this.#fail(problemOf(error), error);
  }

  /**
   * @param {Problem} problem
   * @param {unknown} [error] null if the job itself has failed
   */
  #fail(problem, error = null) {
    this.problem = problem;
    this.#transition("failed", error);
    if (this.#recovers && problem.retryable && problem.kind !== "job" && this.#job !== null) {
      this.#recoverLater(1000 * (problem.retryAfter ?? this.#times.recovery / 1000));
    }
  }

  /** @param {number} wait milliseconds */
  #recoverLater(wait) {
    const running = this.#replaceRunning();
    const recovery = async () => {
      await pause(wait, running.signal, (end) => this.#untilOnline(end));
      if (!running.signal.aborted) await this.#recover(running);
    };
    void recovery();
  }

  /**
   * Connect again. The watch stays in the state `error` until the stream is connected or the job has ended.
   * @param {AbortController} running
   */
  async #recover(running) {
    const { jobId } = /** @type {JobRef} */ (this.#job);
    try {
      const found = await this.#api.getJob(jobId, { signal: running.signal });
      if (running.signal.aborted || this.#take(found)) return;
    } catch (error) {
      if (!running.signal.aborted) this.#failWith(error);
      return;
    }
    await this.#follow(null);
  }

  /** @param {() => void} end is called when the browser is online again */
  #untilOnline(end) {
    this.#page?.addEventListener("online", end);
    return () => this.#page?.removeEventListener("online", end);
  }

  /**
   * @param {WatchEvent} event
   * @param {unknown} [error] what iterations over the events throw if the watch is no longer live
   */
  #transition(event, error = null) {
    this.state = next(this.state, event);
    if (this.state !== "error") this.problem = null;
    if (!this.live) this.quiet = null;
    if (!this.live) for (const queue of this.#queues) queue.end(error);
    this.#notify();
  }

  #notify() {
    this.#snapshot = null;
    for (const listener of this.#listeners) {
      try {
        listener(this);
      } catch (error) {
        reportUncaught(error);
      }
    }
  }
}

/**
 * @param {JobAccepted | JobDetail} job
 * @returns {job is JobDetail}
 */
function isDetail(job) {
  return "lastEventId" in job;
}

/**
 * Report an error as the platform reports one that nothing has caught.
 * @param {unknown} error
 */
function reportUncaught(error) {
  if (typeof globalThis.reportError === "function") return globalThis.reportError(error);
  // Node has no `reportError`.
  queueMicrotask(() => {
    throw error;
  });
}
