/**
 * The Millrace client: the jobs, brainstorming runs and agents of the API, and jobs watched live. No dependencies, no
 * framework; takes this file and the folder beside it.
 *
 *     import { Millrace } from "./millrace.js";
 *     const millrace = new Millrace({ api: "https://api.example.com", token: () => session.token() });
 *     const watch = millrace.startJob("suggestion", { pageOrComponent: "Checkout", … });
 *     watch.subscribe(({ state, view, problem }) => show(state, view.text, view.progress, problem));
 */

/** @import * as Api from "../../../docs/api/types" */
/** @import { TokenSource } from "./millrace/calls.js" */
/** @import { Connect } from "./millrace/connection.js" */
/** @import { WatchedApi } from "./millrace/watch.js" */

import { Calls } from "./millrace/calls.js";
import { byEventSource, byFetch } from "./millrace/connection.js";
import { claimTab } from "./millrace/tab.js";
import { Watch } from "./millrace/watch.js";

export { MillraceError, Refused, Unreachable, Unreadable } from "./millrace/errors.js";
export { SseParser } from "./millrace/sse.js";
export { LIVE } from "./millrace/states.js";
export { NOTHING_YET, fold, viewOf } from "./millrace/view.js";
export { problemOf } from "./millrace/watch.js";

export { Watch };

/** A stream that is read by EventSource shows no heartbeats, but a `connected` at least every minute, in milliseconds. */
const SILENCE_WITHOUT_HEARTBEATS = 75_000;

/**
 * @typedef {object} MillraceOptions
 * @property {string} api origin of the HTTP API
 * @property {TokenSource} token a bearer token, or a function that gives one
 * @property {"fetch" | "eventsource"} [transport] how streams are read
 * @property {typeof fetch} [fetch]
 */
/** @typedef {{ pipeline?: string, status?: string, sessionId?: string, runId?: string, projectId?: string, limit?: number, cursor?: string | null }} JobFilter */
/** @typedef {{ idempotencyKey?: string, links?: Api.JobLinksRequest, signal?: AbortSignal }} CreateOptions */

export class Millrace {
  #calls;
  /** @type {Connect} */
  #open;
  #times = {};
  /** @type {ReturnType<typeof claimTab> | null} */
  #tab = null;
  /** @type {Set<number>} */
  #slots = new Set();

  /** @param {MillraceOptions} options */
  constructor({ api, token, transport = "fetch", fetch: fetcher = (...request) => globalThis.fetch(...request) }) {
    this.#calls = new Calls(api, token, fetcher);
    if (transport === "fetch") {
      this.#open = byFetch(this.#calls);
    } else {
      this.#open = byEventSource((url) => this.#ticketed(url), globalThis.EventSource, fetcher);
      this.#times = { silence: SILENCE_WITHOUT_HEARTBEATS };
    }
  }

  // ---- jobs ----------------------------------------------------------------------------------------------------------

  /**
   * Creates a job; a repeat after a lost answer finds the job that was made.
   * @param {string} pipeline
   * @param {object} input
   * @param {CreateOptions} [options]
   * @returns {Promise<Api.JobAccepted>}
   */
  createJob(pipeline, input, { links, ...options } = {}) {
    return this.#create("/jobs", { pipeline, input, ...(links && { links }) }, options);
  }

  /**
   * @param {string} jobId
   * @param {{ stackTrace?: boolean }} [include]
   * @returns {Promise<Api.JobDetail>}
   */
  getJob(jobId, { stackTrace = false } = {}) {
    return this.#calls.call("GET", `/jobs/${encodeURIComponent(jobId)}`, {
      query: { include: stackTrace ? "stackTrace" : null },
      again: true,
    });
  }

  /**
   * One page, newest first.
   * @param {JobFilter} [filter]
   * @returns {Promise<Api.JobList>}
   */
  listJobs(filter = {}) {
    return this.#calls.call("GET", "/jobs", { query: filter, again: true });
  }

  /**
   * @param {string} jobId
   * @returns {Promise<Api.JobSummary>}
   */
  cancelJob(jobId) {
    return this.#calls.call("POST", `/jobs/${encodeURIComponent(jobId)}/cancel`, { again: true });
  }

  /**
   * Restarts a failed or cancelled job from its last checkpoint.
   * @param {string} jobId
   * @returns {Promise<Api.JobSummary>}
   */
  resumeJob(jobId) {
    return this.#calls.call("POST", `/jobs/${encodeURIComponent(jobId)}/resume`);
  }

  /**
   * Opens the job's stream where headers cannot be sent.
   * @param {string} jobId
   * @returns {Promise<Api.StreamTicket>}
   */
  createStreamTicket(jobId) {
    return this.#calls.call("POST", `/jobs/${encodeURIComponent(jobId)}/stream-tickets`, { again: true });
  }

  // ---- watching ------------------------------------------------------------------------------------------------------

  /** A watch that does nothing yet: `connect` it to a job, or `start` it with a function that creates one. */
  newWatch() {
    return new Watch(this.watched, { times: this.#times });
  }

  /**
   * What a watch asks for.
   * @type {WatchedApi}
   */
  get watched() {
    return {
      open: this.#open,
      getJob: (jobId) => this.getJob(jobId),
      cancelJob: (jobId) => this.cancelJob(jobId),
      resumeJob: (jobId) => this.resumeJob(jobId),
      slot: () => this.#slot(),
    };
  }

  /**
   * Follows a job to its end; an id, or what the API answered of it.
   * @param {string | Api.JobAccepted | Api.JobDetail} job
   */
  watch(job) {
    const watch = this.newWatch();
    void watch.connect(job);
    return watch;
  }

  /**
   * Creates a job and follows it to its end; trying again never makes a second one.
   * @param {string} pipeline
   * @param {object} input
   * @param {CreateOptions} [options]
   */
  startJob(pipeline, input, options = {}) {
    const watch = this.newWatch();
    const once = { ...options, idempotencyKey: options.idempotencyKey ?? crypto.randomUUID() };
    void watch.start(() => this.createJob(pipeline, input, once));
    return watch;
  }

  // ---- ideations -----------------------------------------------------------------------------------------------------

  /**
   * Creates a brainstorming run with its job.
   * @param {Api.NewIdeation} parameters
   * @param {Omit<CreateOptions, "links">} [options]
   * @returns {Promise<Api.RunAccepted>}
   */
  createIdeation(parameters, options = {}) {
    return this.#create("/ideations", parameters, options);
  }

  /**
   * @param {{ status?: string, limit?: number, cursor?: string | null }} [filter]
   * @returns {Promise<Api.RunList>}
   */
  listIdeations(filter = {}) {
    return this.#calls.call("GET", "/ideations", { query: filter, again: true });
  }

  /**
   * @param {string} runId
   * @returns {Promise<Api.RunDetail>}
   */
  getIdeation(runId) {
    return this.#calls.call("GET", `/ideations/${encodeURIComponent(runId)}`, { again: true });
  }

  /**
   * The run's transform that is under way, and its job; null both when none is.
   * @param {string} runId
   * @returns {Promise<Api.ActiveJob>}
   */
  getActiveJob(runId) {
    return this.#calls.call("GET", `/ideations/${encodeURIComponent(runId)}/active-job`, { again: true });
  }

  /**
   * @param {string} runId
   * @returns {Promise<Api.LineageDetail>}
   */
  getLineage(runId) {
    return this.#calls.call("GET", `/ideations/${encodeURIComponent(runId)}/lineage`, { again: true });
  }

  /**
   * Deletes the run; a job of it that is under way is cancelled first.
   * @param {string} runId
   * @returns {Promise<Api.RunDeleted>}
   */
  deleteIdeation(runId) {
    return this.#calls.call("DELETE", `/ideations/${encodeURIComponent(runId)}`);
  }

  // ---- agents --------------------------------------------------------------------------------------------------------

  /**
   * @param {Api.NewAgent} agent
   * @returns {Promise<Api.AgentDetail>}
   */
  createAgent(agent) {
    return this.#calls.call("POST", "/agents", { body: agent });
  }

  /**
   * @param {{ limit?: number, cursor?: string | null }} [filter]
   * @returns {Promise<Api.AgentList>}
   */
  listAgents(filter = {}) {
    return this.#calls.call("GET", "/agents", { query: filter, again: true });
  }

  /**
   * @param {string} agentId
   * @param {{ version?: number }} [at] the latest version by default
   * @returns {Promise<Api.AgentDetail>}
   */
  getAgent(agentId, at = {}) {
    return this.#calls.call("GET", `/agents/${encodeURIComponent(agentId)}`, { query: at, again: true });
  }

  /**
   * Makes the next version; with `version`, the one you saw, only where nobody else has done so.
   * @param {string} agentId
   * @param {Api.AgentChanges} change
   * @returns {Promise<Api.AgentDetail>}
   */
  changeAgent(agentId, change) {
    return this.#calls.call("PATCH", `/agents/${encodeURIComponent(agentId)}`, { body: change });
  }

  /**
   * @param {string} agentId
   * @returns {Promise<Api.AgentDeleted>}
   */
  deleteAgent(agentId) {
    return this.#calls.call("DELETE", `/agents/${encodeURIComponent(agentId)}`);
  }

  // ---- how -----------------------------------------------------------------------------------------------------------

  /**
   * @template T
   * @param {string} path
   * @param {object} body
   * @param {CreateOptions} options
   * @returns {Promise<T>}
   */
  #create(path, body, { idempotencyKey = crypto.randomUUID(), signal }) {
    const headers = { "Idempotency-Key": idempotencyKey };
    return this.#calls.call("POST", path, { body, headers, again: true, ...(signal && { signal }) });
  }

  /** @param {string} streamUrl of a job, whose id is in it */
  async #ticketed(streamUrl) {
    const jobId = new URL(streamUrl).pathname.split("/").at(-2) ?? "";
    const ticket = await this.createStreamTicket(decodeURIComponent(jobId));
    return ticket.streamUrl;
  }

  /** The tab's id for its first stream; a stream beside it has a slot, and so an id, of its own. */
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
