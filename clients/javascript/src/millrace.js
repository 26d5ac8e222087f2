/**
 * The JavaScript client of Millrace: it calls every operation of the API and watches jobs live. It has no dependencies:
 * copy this file and the folder `millrace/` beside it.
 *
 *     import { Millrace } from "./millrace.js";
 *     const millrace = new Millrace({ api: "https://api.example.com", token: () => session.token() });
 *     const watch = millrace.startJob("suggestion", { pageOrComponent: "Checkout", … });
 *     watch.subscribe(({ state, view, problem }) => show(state, view.text, view.progress, problem));
 */

/** @import * as Api from "../../../docs/api/types" */
/** @import { TokenSource } from "./millrace/calls.js" */
/** @import { Connect } from "./millrace/connection.js" */
/** @import { InputOf } from "./millrace/view.js" */
/** @import { WatchApi } from "./millrace/watch.js" */

import { Calls } from "./millrace/calls.js";
import { Channel } from "./millrace/channel.js";
import { channelConnection } from "./millrace/channel_connection.js";
import { eventSourceConnection, fetchConnection } from "./millrace/connection.js";
import { JobListWatch } from "./millrace/job_list.js";
import { Projects } from "./millrace/projects.js";
import { Sheets } from "./millrace/sheets.js";
import { claimTab } from "./millrace/tab.js";
import { Watch } from "./millrace/watch.js";
import { Webhooks } from "./millrace/webhooks.js";

export { Channel };
export { MillraceError, Refused, Unreachable, Unreadable } from "./millrace/errors.js";
export { parsePartial } from "./millrace/partial_json.js";
export { SseParser } from "./millrace/sse.js";
export { LIVE } from "./millrace/states.js";
export { EMPTY_VIEW, fold, viewOf } from "./millrace/view.js";
export { problemOf } from "./millrace/watch.js";

// As `export { Watch } from`, TypeScript's compiler would drop the import from the declarations, which use its type.
export { JobListWatch, Watch };

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
 * @property {typeof fetch} [fetch]
 */
/** @typedef {{ pipeline?: string, status?: string, sessionId?: string, runId?: string, projectId?: string, archived?: boolean, month?: string, limit?: number, cursor?: string | null }} JobFilter */
/** @typedef {{ idempotencyKey?: string, links?: Api.JobLinksRequest, signal?: AbortSignal }} CreateOptions */

export class Millrace {
  #calls;
  /** @type {Connect} */
  #connect;
  #times = {};
  /** @type {ReturnType<typeof claimTab> | null} */
  #tab = null;
  /** @type {Set<number>} */
  #slots = new Set();
  /** @type {Channel | null} */
  #channel = null;
  /** @type {Sheets | null} */
  #sheets = null;
  /** @type {Projects | null} */
  #projects = null;
  /** @type {Webhooks | null} */
  #webhooks = null;

  /** @param {MillraceOptions} options */
  constructor({ api, token, transport = "fetch", fetch: fetcher = (...request) => globalThis.fetch(...request) }) {
    this.#calls = new Calls(api, token, fetcher);
    if (transport !== "eventsource") {
      this.#connect = fetchConnection(this.#calls);
    } else {
      this.#connect = eventSourceConnection((url) => this.#urlWithTicket(url), globalThis.EventSource, fetcher);
      this.#times = { silence: SILENCE_WITHOUT_HEARTBEATS };
    }
    if (transport === "channel") this.#connect = channelConnection(this.channel, this.#connect);
  }

  // ---- erasure -------------------------------------------------------------------------------------------------------

  /**
   * Erase everything that is stored of the user. It cannot be undone. While an erasure runs, a repeat returns that one.
   * @returns {Promise<Api.ErasureDetail>}
   */
  eraseData() {
    return this.#calls.call("DELETE", "/me/data", { query: { confirm: "erase" }, repeatable: true });
  }

  /**
   * Return the report of an erasure.
   * @param {string} erasureId
   * @returns {Promise<Api.ErasureDetail>}
   */
  getErasure(erasureId) {
    return this.#calls.call("GET", `/me/data/erasures/${encodeURIComponent(erasureId)}`, { repeatable: true });
  }

  // ---- jobs ----------------------------------------------------------------------------------------------------------

  /**
   * Create a job. If a response is lost, the request is sent again with the same idempotency key and returns the same job.
   * @template {string} P
   * @param {P} pipeline
   * @param {InputOf<P>} input
   * @param {CreateOptions} [options]
   * @returns {Promise<Api.JobAccepted>}
   */
  createJob(pipeline, input, { links, ...options } = {}) {
    return this.#create("/jobs", { pipeline, input, ...(links && { links }) }, options);
  }

  /**
   * Return the job with its text so far, its items, and its result if it is complete.
   * @param {string} jobId
   * @param {{ stackTrace?: boolean }} [include]
   * @returns {Promise<Api.JobDetail>}
   */
  getJob(jobId, { stackTrace = false } = {}) {
    return this.#calls.call("GET", `/jobs/${encodeURIComponent(jobId)}`, {
      query: { include: stackTrace ? "stackTrace" : null },
      repeatable: true,
    });
  }

  /**
   * Return one page of the user's jobs, newest first. With `archived: true`, return jobs from the archive, in the order of
   * their creation: those of a `month` such as "2026-11", or those of a session, run or project.
   * @param {JobFilter} [filter]
   * @returns {Promise<Api.JobList>}
   */
  listJobs({ archived = false, ...filter } = {}) {
    return this.#calls.call("GET", "/jobs", {
      query: { ...filter, archived: archived ? "true" : null },
      repeatable: true,
    });
  }

  /**
   * Cancel a job that has not ended.
   * @param {string} jobId
   * @returns {Promise<Api.JobSummary>}
   */
  cancelJob(jobId) {
    return this.#calls.call("POST", `/jobs/${encodeURIComponent(jobId)}/cancel`, { repeatable: true });
  }

  /**
   * Resume a failed or cancelled job from its last checkpoint.
   * @param {string} jobId
   * @returns {Promise<Api.JobSummary>}
   */
  resumeJob(jobId) {
    return this.#calls.call("POST", `/jobs/${encodeURIComponent(jobId)}/resume`);
  }

  /**
   * Delete a job with everything that is stored for it. If it is live, it is cancelled first.
   * @param {string} jobId
   * @returns {Promise<Api.JobDeleted>}
   */
  deleteJob(jobId) {
    return this.#calls.call("DELETE", `/jobs/${encodeURIComponent(jobId)}`, { repeatable: true });
  }

  /**
   * Create a ticket for the job's stream, for a client that cannot send an Authorization header.
   * @param {string} jobId
   * @returns {Promise<Api.StreamTicket>}
   */
  createStreamTicket(jobId) {
    return this.#calls.call("POST", `/jobs/${encodeURIComponent(jobId)}/stream-tickets`, { repeatable: true });
  }

  /**
   * Create a ticket that opens one connection of the channel, for a client that cannot send an Authorization header.
   * @param {string} tab names the tab: its next connection replaces this one
   * @returns {Promise<Api.CreatedTicket>}
   */
  createConnectionTicket(tab) {
    return this.#calls.call("POST", "/connection-tickets", { body: { tab }, repeatable: true });
  }

  // ---- watching ------------------------------------------------------------------------------------------------------

  /** The client's WebSocket channel. It opens with the first subscription. */
  get channel() {
    this.#channel ??= new Channel(async () => {
      this.#tab ??= claimTab();
      return this.createConnectionTicket((await this.#tab).id);
    });
    return this.#channel;
  }

  /**
   * Return a watch in the state `idle`: call `connect` with a job, or `start` with a function that creates one.
   * @template {string} [P=string]
   * @returns {Watch<P>}
   */
  newWatch() {
    return new Watch(this.watchApi, { times: this.#times });
  }

  /**
   * The calls that a watch makes.
   * @type {WatchApi}
   */
  get watchApi() {
    return {
      connect: this.#connect,
      getJob: (jobId) => this.getJob(jobId),
      cancelJob: (jobId) => this.cancelJob(jobId),
      resumeJob: (jobId) => this.resumeJob(jobId),
      slot: () => this.#slot(),
    };
  }

  /**
   * Watch a job until it ends.
   * @param {string | Api.JobAccepted | Api.JobDetail} job its id, or the API's response
   */
  watch(job) {
    const watch = this.newWatch();
    void watch.connect(job);
    return watch;
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
   * Create a job and watch it until it ends. `retry` of the watch never creates a second job. `watch` follows the job; a new
   * one by default.
   * @template {string} P
   * @param {P} pipeline
   * @param {InputOf<P>} input
   * @param {CreateOptions & { watch?: Watch<P> }} [options]
   * @returns {Watch<P>}
   */
  startJob(pipeline, input, { watch = this.newWatch(), ...options } = {}) {
    const once = { ...options, idempotencyKey: options.idempotencyKey ?? crypto.randomUUID() };
    void watch.start(() => this.createJob(pipeline, input, once));
    return watch;
  }

  // ---- ideations -----------------------------------------------------------------------------------------------------

  /**
   * Create a brainstorming run and its job.
   * @param {Api.NewIdeation} parameters
   * @param {Omit<CreateOptions, "links">} [options]
   * @returns {Promise<Api.RunAccepted>}
   */
  createIdeation(parameters, options = {}) {
    return this.#create("/ideations", parameters, options);
  }

  /**
   * Return one page of the user's runs, newest first.
   * @param {{ status?: string, limit?: number, cursor?: string | null }} [filter]
   * @returns {Promise<Api.RunList>}
   */
  listIdeations(filter = {}) {
    return this.#calls.call("GET", "/ideations", { query: filter, repeatable: true });
  }

  /**
   * Return the run with its ideas.
   * @param {string} runId
   * @returns {Promise<Api.RunDetail>}
   */
  getIdeation(runId) {
    return this.#calls.call("GET", `/ideations/${encodeURIComponent(runId)}`, { repeatable: true });
  }

  /**
   * Return the run's active transform and its job; both are null if no transform is active.
   * @param {string} runId
   * @returns {Promise<Api.ActiveJob>}
   */
  getActiveJob(runId) {
    return this.#calls.call("GET", `/ideations/${encodeURIComponent(runId)}/active-job`, { repeatable: true });
  }

  /**
   * Return the run's transforms and artefacts.
   * @param {string} runId
   * @returns {Promise<Api.LineageDetail>}
   */
  getLineage(runId) {
    return this.#calls.call("GET", `/ideations/${encodeURIComponent(runId)}/lineage`, { repeatable: true });
  }

  /**
   * Delete the run. Its active job, if there is one, is cancelled first.
   * @param {string} runId
   * @returns {Promise<Api.RunDeleted>}
   */
  deleteIdeation(runId) {
    return this.#calls.call("DELETE", `/ideations/${encodeURIComponent(runId)}`);
  }

  // ---- video projects ------------------------------------------------------------------------------------------------

  /** The requests about video projects. */
  get projects() {
    this.#projects ??= new Projects(this.#calls);
    return this.#projects;
  }

  // ---- sheets --------------------------------------------------------------------------------------------------------

  /** Requests about sheet sessions. */
  get sheets() {
    this.#sheets ??= new Sheets(this.#calls);
    return this.#sheets;
  }

  // ---- agents --------------------------------------------------------------------------------------------------------

  /**
   * Create an agent.
   * @param {Api.NewAgent} agent
   * @returns {Promise<Api.AgentDetail>}
   */
  createAgent(agent) {
    return this.#calls.call("POST", "/agents", { body: agent });
  }

  /**
   * Return one page of the user's agents, newest first.
   * @param {{ limit?: number, cursor?: string | null }} [filter]
   * @returns {Promise<Api.AgentList>}
   */
  listAgents(filter = {}) {
    return this.#calls.call("GET", "/agents", { query: filter, repeatable: true });
  }

  /**
   * Return a version of an agent.
   * @param {string} agentId
   * @param {{ version?: number }} [at] the latest version by default
   * @returns {Promise<Api.AgentDetail>}
   */
  getAgent(agentId, at = {}) {
    return this.#calls.call("GET", `/agents/${encodeURIComponent(agentId)}`, { query: at, repeatable: true });
  }

  /**
   * Create the agent's next version. If `change` has a `version`, it must be the current one: this detects a change that
   * was made in the meantime.
   * @param {string} agentId
   * @param {Api.AgentChanges} change
   * @returns {Promise<Api.AgentDetail>}
   */
  changeAgent(agentId, change) {
    return this.#calls.call("PATCH", `/agents/${encodeURIComponent(agentId)}`, { body: change });
  }

  /**
   * Delete the agent. Jobs that use it continue.
   * @param {string} agentId
   * @returns {Promise<Api.AgentDeleted>}
   */
  deleteAgent(agentId) {
    return this.#calls.call("DELETE", `/agents/${encodeURIComponent(agentId)}`);
  }

  // ---- webhooks ------------------------------------------------------------------------------------------------------

  /** Requests about webhooks. */
  get webhooks() {
    this.#webhooks ??= new Webhooks(this.#calls);
    return this.#webhooks;
  }

  // ---- internals -----------------------------------------------------------------------------------------------------

  /**
   * @template T
   * @param {string} path
   * @param {object} body
   * @param {CreateOptions} options
   * @returns {Promise<T>}
   */
  #create(path, body, { idempotencyKey = crypto.randomUUID(), signal }) {
    const headers = { "Idempotency-Key": idempotencyKey };
    return this.#calls.call("POST", path, { body, headers, repeatable: true, ...(signal && { signal }) });
  }

  /**
   * Return the stream's URL with a new ticket.
   * @param {string} streamUrl with the job's id in its path
   */
  async #urlWithTicket(streamUrl) {
    const jobId = new URL(streamUrl).pathname.split("/").at(-2) ?? "";
    const ticket = await this.createStreamTicket(decodeURIComponent(jobId));
    return ticket.streamUrl;
  }

  /** Claim an id for one stream: the tab's id for its first stream, a suffixed one for each further stream at the same time. */
  async #slot() {
    this.#tab ??= claimTab();
    const tab = await this.#tab;
    let number = 0;
    while (this.#slots.has(number)) number += 1;
    this.#slots.add(number);
    const release = () => void this.#slots.delete(number);
    return { id: number === 0 ? tab.id : `${tab.id}.${number}`, release };
  }
}
