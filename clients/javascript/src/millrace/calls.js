/** Requests to the API: bearer token, envelope, and another try where that can do no harm. */

import { fullJitter, pause } from "./backoff.js";
import { MillraceError, Unreachable, Unreadable, errorOf } from "./errors.js";

const TRIES = 4;
const FIRST_WAIT = 500;

/**
 * The token to send; `stale` is one that was just refused, so that a better one may be fetched.
 * @typedef {string | ((stale?: string) => string | Promise<string>)} TokenSource
 */
/**
 * @typedef {object} CallOptions
 * @property {unknown} [body] sent as JSON
 * @property {Record<string, string | number | null | undefined>} [query] null, undefined and "" are left out
 * @property {Record<string, string>} [headers]
 * @property {boolean} [again] whether a repeat does no harm, so that faults of the network are tried again
 * @property {AbortSignal} [signal]
 */

export class Calls {
  #origin;
  #token;
  #fetch;

  /**
   * @param {string} origin
   * @param {TokenSource} token
   * @param {typeof fetch} fetcher
   */
  constructor(origin, token, fetcher) {
    this.#origin = origin.replace(/\/+$/, "");
    this.#token = token;
    this.#fetch = fetcher;
  }

  /**
   * The `data` of the answer. Raises Refused, Unreachable, Unreadable, and the signal's reason when it is aborted.
   * @template T
   * @param {string} method
   * @param {string} path
   * @param {CallOptions} [options]
   * @returns {Promise<T>}
   */
  async call(method, path, options = {}) {
    for (let tried = 1; ; tried += 1) {
      try {
        return await this.#once(method, path, options);
      } catch (error) {
        if (!(error instanceof Unreachable) || !options.again || tried >= TRIES) throw error;
        const asked = (error.retryAfter ?? 0) * 1000;
        await pause(Math.max(asked, fullJitter(FIRST_WAIT, tried)), options.signal);
        options.signal?.throwIfAborted();
      }
    }
  }

  /**
   * A response that is a success, however long its body lasts; a refused token is replaced once.
   * @param {string} url absolute
   * @param {RequestInit} request
   * @returns {Promise<Response>}
   */
  async open(url, request) {
    const token = await this.#tokenAfter();
    const response = await this.#send(url, request, token);
    if (response.status !== 401 || typeof this.#token === "string") return accepted(response);
    const fresh = await this.#tokenAfter(token);
    return accepted(fresh === token ? response : await this.#send(url, request, fresh));
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {CallOptions} options
   */
  async #once(method, path, { body, query = {}, headers = {}, signal }) {
    /** @type {RequestInit} */
    const request = { method, headers };
    if (signal) request.signal = signal;
    if (body !== undefined) {
      request.body = JSON.stringify(body);
      request.headers = { ...headers, "Content-Type": "application/json" };
    }
    const response = await this.open(`${this.#origin}${path}${queryOf(query)}`, request);
    const answer = await response.json().catch(() => null);
    if (answer?.success !== true) throw new Unreadable(`${method} ${path}: the answer is not of this API`);
    return answer.data;
  }

  /**
   * @param {string} url
   * @param {RequestInit} request
   * @param {string} token
   */
  async #send(url, request, token) {
    try {
      const headers = { ...request.headers, Authorization: `Bearer ${token}` };
      return await this.#fetch(url, { ...request, headers, cache: "no-store", credentials: "omit" });
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      throw new Unreachable("the server cannot be reached", { cause: error });
    }
  }

  /** @param {string} [stale] */
  async #tokenAfter(stale) {
    const source = this.#token;
    if (typeof source === "string") return source;
    try {
      return await source(stale);
    } catch (error) {
      if (error instanceof MillraceError) throw error;
      throw new Unreachable("no token could be had", { cause: error });
    }
  }
}

/** @param {Response} response */
async function accepted(response) {
  if (response.ok) return response;
  throw await errorOf(response);
}

/**
 * @param {Record<string, string | number | null | undefined>} query
 * @returns {string}
 */
export function queryOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}
