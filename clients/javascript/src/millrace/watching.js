/** Begins watches: of a job that exists, or of one that is created. */

/** @import { JobAccepted, JobDetail } from "../../../../docs/api/types" */
/** @import { Calls } from "./calls.js" */
/** @import { Connect } from "./connection.js" */
/** @import { CreateOptions } from "./operations.js" */
/** @import { InputOf } from "./view.js" */
/** @import { WatchApi, WatchParts } from "./watch.js" */

import { fetchConnection } from "./connection.js";
import { cancelJob, createJob, getJob, resumeJob } from "./operations.js";
import { claimTab } from "./tab.js";
import { Watch } from "./watch.js";

/** The ids of this tab's streams at one time: the tab's id for the first, a suffixed one for each further stream. */
export class StreamSlots {
  /** @type {ReturnType<typeof claimTab> | null} */
  #tab = null;
  /** @type {Set<number>} */
  #taken = new Set();

  /** @returns {Promise<string>} the tab's id */
  async tab() {
    this.#tab ??= claimTab();
    return (await this.#tab).id;
  }

  /** Claim an id for one stream. */
  async claim() {
    const tab = await this.tab();
    let number = 0;
    while (this.#taken.has(number)) number += 1;
    this.#taken.add(number);
    return { id: number === 0 ? tab : `${tab}.${number}`, release: () => void this.#taken.delete(number) };
  }
}

/** @type {WeakMap<Calls, WatchApi>} */
const APIS = new WeakMap();

/**
 * Return the calls that a watch makes.
 * @param {Calls} client
 * @param {{ connect?: Connect, slots?: StreamSlots }} [parts]
 * @returns {WatchApi}
 */
export function watchApiOf(client, { connect = fetchConnection(client), slots = new StreamSlots() } = {}) {
  return {
    connect,
    getJob: (jobId, options) => getJob(client, jobId, options),
    cancelJob: (jobId) => cancelJob(client, jobId),
    resumeJob: (jobId) => resumeJob(client, jobId),
    slot: () => slots.claim(),
  };
}

/**
 * Return a watch in the state `idle`: call `connect` with a job, or `start` with a function that creates one.
 * @template {string} [P=string]
 * @param {Calls} client
 * @param {WatchParts} [parts]
 * @returns {Watch<P>}
 */
export function newWatch(client, parts = {}) {
  const api = APIS.get(client) ?? watchApiOf(client);
  APIS.set(client, api);
  return new Watch(api, parts);
}

/**
 * Watch a job until it ends. If `signal` is aborted, the watch stops, as with `watch.stop()`, and iterations over its events
 * throw the signal's reason.
 * @template {string} [P=string]
 * @param {Calls} client
 * @param {string | JobAccepted | JobDetail} job its id, or the API's response
 * @param {{ watch?: Watch<P>, signal?: AbortSignal | undefined }} [options] `watch` follows the job; a new one by default
 * @returns {Watch<P>}
 */
export function watchJob(client, job, { watch = newWatch(client), signal } = {}) {
  void stopOn(signal, watch, () => watch.connect(job));
  return watch;
}

/**
 * Create a job and watch it until it ends. `retry` of the watch never creates a second job. If `signal` is aborted, the
 * request is aborted and the watch stops; a job that exists continues.
 * @template {string} P
 * @param {Calls} client
 * @param {P} pipeline
 * @param {InputOf<P>} input
 * @param {CreateOptions & { watch?: Watch<P> }} [options] `watch` follows the job; a new one by default
 * @returns {Watch<P>}
 */
export function startJob(client, pipeline, input, { watch = newWatch(client), ...options } = {}) {
  const once = { ...options, idempotencyKey: options.idempotencyKey ?? crypto.randomUUID() };
  void stopOn(options.signal, watch, () => watch.start(() => createJob(client, pipeline, input, once)));
  return watch;
}

/**
 * Follow a job until the watch has settled, or the signal is aborted. A watch that `follow` refuses to start throws at once.
 * @template {string} P
 * @param {AbortSignal | undefined} signal
 * @param {Watch<P>} watch
 * @param {() => Promise<unknown>} follow
 */
function stopOn(signal, watch, follow) {
  if (signal === undefined) return follow();
  const stop = () => watch.stop(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const settled = follow().finally(() => signal.removeEventListener("abort", stop));
    if (signal.aborted) stop();
    return settled;
  } catch (error) {
    signal.removeEventListener("abort", stop);
    throw error;
  }
}
