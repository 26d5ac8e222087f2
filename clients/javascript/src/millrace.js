/**
 * The JavaScript client of Millrace: it calls every operation of the API and watches jobs live. It has no dependencies:
 * copy this file and the folder `millrace/` beside it.
 *
 *     import { Millrace } from "./millrace.js";
 *     const millrace = new Millrace({ api: "https://api.example.com", token: () => session.token() });
 *     const watch = millrace.startJob("suggestion", { pageOrComponent: "Checkout", … });
 *     watch.subscribe(({ state, view, problem }) => show(state, view.text, view.progress, problem));
 *
 * An application that calls few operations can import them as functions, and its bundle contains nothing else:
 *
 *     import { createClient, getJob } from "./millrace.js";
 *     const job = await getJob(createClient({ api, token }), jobId);
 */

/** @import { JobAccepted, JobDetail } from "../../../docs/api/types" */
/** @import { TokenSource } from "./millrace/calls.js" */
/** @import { Connect } from "./millrace/connection.js" */
/** @import { InputOf } from "./millrace/view.js" */
/** @import { WatchApi, WatchParts } from "./millrace/watch.js" */

import { Calls, createClient, defaultFetch } from "./millrace/calls.js";
import { Channel } from "./millrace/channel.js";
import { channelConnection } from "./millrace/channel_connection.js";
import { eventSourceConnection, fetchConnection } from "./millrace/connection.js";
import { JobListWatch } from "./millrace/job_list.js";
import { ListWatch } from "./millrace/list_watch.js";
import * as operations from "./millrace/operations.js";
import { Projects } from "./millrace/projects.js";
import { sharedConnection, sharedStreamOf } from "./millrace/shared_connection.js";
import { Sheets } from "./millrace/sheets.js";
import { Watch } from "./millrace/watch.js";
import { startJob, StreamSlots, watchApiOf, watchJob } from "./millrace/watching.js";
import { Webhooks } from "./millrace/webhooks.js";

export { Channel, createClient, Projects, Sheets, startJob, watchJob, Webhooks };
export { MillraceError, Refused, Unreachable, Unreadable } from "./millrace/errors.js";
export * from "./millrace/operations.js";
export { parsePartial, PartialJsonParser, PartialJsonReader } from "./millrace/partial_json.js";
export { SseParser } from "./millrace/sse.js";
export { LIVE } from "./millrace/states.js";
export { TextGrowth } from "./millrace/text_growth.js";
export { EMPTY_VIEW, fold, viewOf } from "./millrace/view.js";
export { problemOf } from "./millrace/problems.js";

// As `export { Watch } from`, TypeScript's compiler would drop the import from the declarations, which use its type.
export { JobListWatch, ListWatch, Watch };

/**
 * The silence, in milliseconds, after which an EventSource connection counts as broken. EventSource does not show
 * heartbeats, but the server ends every connection after a minute, and the next one begins with a `connected` event.
 */
const SILENCE_WITHOUT_HEARTBEATS = 75_000;

/**
 * @typedef {object} MillraceOptions
 * @property {string} api origin of the HTTP API
 * @property {TokenSource} token a bearer token, or a function that returns one
 * @property {"fetch" | "eventsource" | "channel"} [transport] how jobs are watched: over a stream for each job, read with
 *   `fetch` or `EventSource`, or over one WebSocket for all, and over streams where a network lets no WebSocket through
 * @property {boolean} [shareStreams] whether tabs of this origin that watch the same job as the same user share one stream,
 *   where the browser has Web Locks and BroadcastChannel; false by default
 * @property {typeof fetch} [fetch]
 */
/** @typedef {import("./millrace/operations.js").JobFilter} JobFilter */
/** @typedef {import("./millrace/operations.js").CreateOptions} CreateOptions */

/**
 * The client with every operation of the API as a method. A call whose `signal` is aborted is rejected with the signal's
 * reason.
 */
export class Millrace {
  #calls;
  /** @type {Connect} */
  #connect;
  #times = {};
  #slots = new StreamSlots();
  /** @type {Channel | null} */
  #channel = null;
  /** @type {Sheets | null} */
  #sheets = null;
  /** @type {Projects | null} */
  #projects = null;
  /** @type {Webhooks | null} */
  #webhooks = null;

  /** @param {MillraceOptions} options */
  constructor({ api, token, transport = "fetch", shareStreams = false, fetch: fetcher = defaultFetch }) {
    this.#calls = new Calls(api, token, fetcher);
    if (transport !== "eventsource") {
      this.#connect = fetchConnection(this.#calls);
    } else {
      this.#connect = eventSourceConnection((url, signal) => this.#urlWithTicket(url, signal), globalThis.EventSource, fetcher);
      this.#times = { silence: SILENCE_WITHOUT_HEARTBEATS };
    }
    if (shareStreams) this.#connect = sharedConnection(this.#connect, sharedStreamOf(this.#calls));
    if (transport === "channel") this.#connect = channelConnection(this.channel, this.#connect);
  }

  // ---- jobs ----------------------------------------------------------------------------------------------------------

  /** Create a job. A repeat with the same idempotency key returns the same job. */
  createJob = this.#method(operations.createJob);
  /** Return the job with its text so far, its items, and its result if it is complete. */
  getJob = this.#method(operations.getJob);
  /** Return one page of the user's jobs, newest first, or with `archived: true` of the archive. */
  listJobs = this.#method(operations.listJobs);
  /** Cancel a job that has not ended. */
  cancelJob = this.#method(operations.cancelJob);
  /** Resume a failed or cancelled job from its last checkpoint. */
  resumeJob = this.#method(operations.resumeJob);
  /** Delete a job with everything that is stored for it. If it is live, it is cancelled first. */
  deleteJob = this.#method(operations.deleteJob);
  /** Create a ticket for the job's stream, for a client that cannot send an Authorization header. */
  createStreamTicket = this.#method(operations.createStreamTicket);
  /** Create a ticket that opens one connection of the channel. */
  createConnectionTicket = this.#method(operations.createConnectionTicket);

  // ---- watching ------------------------------------------------------------------------------------------------------

  /** The client's WebSocket channel. It opens with the first subscription. */
  get channel() {
    this.#channel ??= new Channel(async () => this.createConnectionTicket(await this.#slots.tab()));
    return this.#channel;
  }

  /**
   * Return a watch in the state `idle`: call `connect` with a job, or `start` with a function that creates one.
   * @template {string} [P=string]
   * @param {Pick<WatchParts, "recovers">} [parts] `recovers`: whether it connects again by itself after a retryable problem
   * @returns {Watch<P>}
   */
  newWatch(parts = {}) {
    return new Watch(this.watchApi, { times: this.#times, ...parts });
  }

  /**
   * The calls that a watch makes.
   * @type {WatchApi}
   */
  get watchApi() {
    return watchApiOf(this.#calls, { connect: this.#connect, slots: this.#slots });
  }

  /**
   * Watch a job until it ends, or until `signal` is aborted.
   * @template {string} [P=string]
   * @param {string | JobAccepted | JobDetail} job its id, or the API's response
   * @param {{ watch?: Watch<P>, signal?: AbortSignal }} [options] `watch` follows the job; a new one by default
   * @returns {Watch<P>}
   */
  watch(job, { watch = this.newWatch(), ...options } = {}) {
    return watchJob(this.#calls, job, { watch, ...options });
  }

  /**
   * Return the list of the user's jobs that match, in the state `idle`: `connect` reads it, and again until `stop`, so that
   * new jobs appear and changes are shown. While the page is hidden, nothing is read.
   * @param {JobFilter} [filter] `limit` is the number of jobs in a page, 50 by default; a `cursor` is ignored
   */
  newJobListWatch(filter = {}) {
    return new JobListWatch((page) => this.listJobs(page), filter);
  }

  /**
   * As `newJobListWatch`, but connected.
   * @param {JobFilter} [filter]
   */
  watchJobs(filter = {}) {
    const list = this.newJobListWatch(filter);
    list.connect();
    return list;
  }

  /**
   * Create a job and watch it until it ends. `retry` of the watch never creates a second job. If `signal` is aborted, the
   * request is aborted and the watch stops; a job that exists continues.
   * @template {string} P
   * @param {P} pipeline
   * @param {InputOf<P>} input
   * @param {CreateOptions & { watch?: Watch<P> }} [options] `watch` follows the job; a new one by default
   * @returns {Watch<P>}
   */
  startJob(pipeline, input, { watch = this.newWatch(), ...options } = {}) {
    return startJob(this.#calls, pipeline, input, { watch, ...options });
  }

  // ---- ideations -----------------------------------------------------------------------------------------------------

  /** Create a brainstorming run and its job. */
  createIdeation = this.#method(operations.createIdeation);
  /** Return one page of the user's runs, newest first. */
  listIdeations = this.#method(operations.listIdeations);
  /** Return the run with its ideas. */
  getIdeation = this.#method(operations.getIdeation);
  /** Return the run's active transform and its job; both are null if no transform is active. */
  getActiveJob = this.#method(operations.getActiveJob);
  /** Return the run's transforms and artefacts. */
  getLineage = this.#method(operations.getLineage);
  /** Delete the run. Its active job, if there is one, is cancelled first. */
  deleteIdeation = this.#method(operations.deleteIdeation);

  // ---- applications --------------------------------------------------------------------------------------------------

  /** The requests about video projects. */
  get projects() {
    this.#projects ??= new Projects(this.#calls);
    return this.#projects;
  }

  /** Requests about sheet sessions. */
  get sheets() {
    this.#sheets ??= new Sheets(this.#calls);
    return this.#sheets;
  }

  // ---- agents --------------------------------------------------------------------------------------------------------

  /** Create an agent. */
  createAgent = this.#method(operations.createAgent);
  /** Return one page of the user's agents, newest first. */
  listAgents = this.#method(operations.listAgents);
  /** Return a version of an agent, the latest by default. */
  getAgent = this.#method(operations.getAgent);
  /** Create the agent's next version; with `version`, only if that is still the current one. */
  changeAgent = this.#method(operations.changeAgent);
  /** Delete the agent. Jobs that use it continue. */
  deleteAgent = this.#method(operations.deleteAgent);

  // ---- webhooks and the user's data ----------------------------------------------------------------------------------

  /** Requests about webhooks. */
  get webhooks() {
    this.#webhooks ??= new Webhooks(this.#calls);
    return this.#webhooks;
  }

  /** Erase everything that is stored of the user. It cannot be undone. */
  eraseData = this.#method(operations.eraseData);
  /** Return the report of an erasure. */
  getErasure = this.#method(operations.getErasure);

  // ---- internals -----------------------------------------------------------------------------------------------------

  /**
   * Return the operation as a method of this client.
   * @template {unknown[]} A
   * @template R
   * @param {(client: Calls, ...rest: A) => R} operation
   * @returns {(...rest: A) => R}
   */
  #method(operation) {
    return (...rest) => operation(this.#calls, ...rest);
  }

  /**
   * Return the stream's URL with a new ticket.
   * @param {string} streamUrl with the job's id in its path
   * @param {AbortSignal} signal
   */
  async #urlWithTicket(streamUrl, signal) {
    const jobId = new URL(streamUrl).pathname.split("/").at(-2) ?? "";
    const ticket = await this.createStreamTicket(decodeURIComponent(jobId), { signal });
    return ticket.streamUrl;
  }
}
