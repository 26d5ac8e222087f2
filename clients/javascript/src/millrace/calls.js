/** Requests to the API: adds the bearer token, unwraps the envelope, and repeats a failed request if that is safe. */

import { fullJitter, pause } from "./backoff.js";
import { MillraceError, Unreachable, Unreadable, errorOf } from "./errors.js";

const MAX_ATTEMPTS = 4;
/** In milliseconds. */
const FIRST_WAIT = 500;
const NOT_MODIFIED = 304;

/**
 * A bearer token, or a function that returns one. It is called with `stale` to get a replacement for a token that the API
 * has refused.
 * @typedef {string | ((stale?: string) => string | Promise<string>)} TokenSource
 */
/**
 * @typedef {object} CallOptions
 * @property {unknown} [body] sent as JSON
 * @property {Record<string, string | number | null | undefined>} [query] null, undefined and "" are omitted
 * @property {Record<string, string>} [headers]
 * @property {boolean} [repeatable] whether the request may be sent again after a network or server fault
 * @property {AbortSignal | undefined} [signal]
 */

/**
 * The global `fetch` at the time of the request, which tests and wrappers may have replaced by then.
 * @type {typeof fetch}
 */
export const defaultFetch = (...request) => globalThis.fetch(...request);

/**
 * Return a client for the functions that call one operation each. A page without a bundler uses the class `Millrace`.
 * @param {{ api: string, token: TokenSource, fetch?: typeof fetch }} options `api` is the origin of the HTTP API
 * @returns {Calls}
 */
export function createClient({ api, token, fetch: fetcher = defaultFetch }) {
  return new Calls(api, token, fetcher);
}

/**
 * Create something. If a response is lost, the request is sent again with the same idempotency key and returns the same thing.
 * @template T
 * @param {Calls} calls
 * @param {string} path
 * @param {unknown} body
 * @param {{ idempotencyKey?: string, signal?: AbortSignal | undefined }} [options]
 * @returns {Promise<T>}
 */
export function create(calls, path, body, { idempotencyKey = crypto.randomUUID(), signal } = {}) {
  return calls.call("POST", path, { body, headers: { "Idempotency-Key": idempotencyKey }, repeatable: true, signal });
}

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
   * Return the `data` of the response. Throws Refused, Unreachable, Unreadable, or the signal's reason if it is aborted.
   * @template T
   * @param {string} method
   * @param {string} path
   * @param {CallOptions} [options]
   * @returns {Promise<T>}
   */
  async call(method, path, options = {}) {
    const { signal } = options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        signal?.throwIfAborted();
        return await abortable(this.#once(method, path, options), signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof Unreachable) || !options.repeatable || attempt >= MAX_ATTEMPTS) throw error;
        const requested = (error.retryAfter ?? 0) * 1000;
        await pause(Math.max(requested, fullJitter(FIRST_WAIT, attempt)), signal);
        signal?.throwIfAborted();
      }
    }
  }

  /**
   * As `call` with GET and `If-None-Match`, but return null if nothing has changed since the version with this ETag.
   * @template T
   * @param {string} path
   * @param {string} etag
   * @param {AbortSignal | undefined} [signal]
   * @returns {Promise<T | null>}
   */
  callIfChanged(path, etag, signal) {
    return this.call("GET", path, { headers: { "If-None-Match": etag }, repeatable: true, signal });
  }

  /**
   * Return a successful response as soon as its headers have arrived. If the API refuses the token, get a new one and send
   * the request once more.
   * @param {string} url absolute
   * @param {RequestInit} request
   * @returns {Promise<Response>}
   */
  async open(url, request) {
    const { signal } = request;
    const token = await abortable(this.#currentToken(), signal);
    const response = await this.#send(url, request, token);
    if (response.status !== 401 || typeof this.#token === "string") return successful(response);
    const fresh = await abortable(this.#currentToken(token), signal);
    return successful(fresh === token ? response : await this.#send(url, request, fresh));
  }

  /** Return the token with which the next request is sent. */
  token() {
    return this.#currentToken();
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
    if (response.status === NOT_MODIFIED) return null;
    const envelope = await response.json().catch(() => null);
    if (envelope?.success !== true) throw new Unreadable(`${method} ${path}: the response is not from this API`);
    return envelope.data;
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
  async #currentToken(stale) {
    const source = this.#token;
    if (typeof source === "string") return source;
    try {
      return await source(stale);
    } catch (error) {
      if (error instanceof MillraceError) throw error;
      throw new Unreachable("the token function failed", { cause: error });
    }
  }
}

/**
 * Settle as the promise does, or reject with the signal's reason if that comes first: a token function and some
 * implementations of `fetch` know no signal. Removes its listener in each case.
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | null | undefined} signal
 * @returns {Promise<T>}
 */
export function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    if (signal.aborted) abort();
  });
}

/** @param {Response} response */
async function successful(response) {
  if (response.ok || response.status === NOT_MODIFIED) return response;
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
