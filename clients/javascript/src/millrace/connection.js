/** One connection to a job's stream, with `fetch` or with `EventSource`. */

/** @import { Calls } from "./calls.js" */
/** @import { SsePart } from "./sse.js" */

import { Unreachable, errorOf } from "./errors.js";
import { EVENT_TYPES } from "./event_types.js";
import { SseParser } from "./sse.js";

/** The job has ended, and this client has seen all of its events. */
export class NoMoreEvents extends Error {}

/**
 * A connection's start: `after` is the id of the last event that the client has seen, `tab` the id of its stream slot.
 * @typedef {{ url: string, after: number, tab: string, signal: AbortSignal }} ConnectionStart
 */
/** @typedef {(start: ConnectionStart) => AsyncGenerator<SsePart, void, undefined>} Connect */

/**
 * Return a function that reads a stream with `fetch`, which sends the token in a header and sees heartbeats. The generator
 * ends when the server ends the connection. It throws NoMoreEvents, Refused or Unreachable.
 * @param {Calls} calls
 * @returns {Connect}
 */
export function fetchConnection(calls) {
  return async function* connect({ url, after, tab, signal }) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/event-stream" };
    if (after > 0) headers["Last-Event-ID"] = String(after);
    const response = await calls.open(`${url}?tab=${encodeURIComponent(tab)}`, { headers, signal });
    if (response.status === 204) throw new NoMoreEvents();
    if (response.body === null) throw new Unreachable("the stream has no body");
    const reader = response.body.getReader();
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const parser = new SseParser();
    try {
      for (;;) {
        const { done, value } = await reader.read().catch((/** @type {unknown} */ cause) => {
          if (signal.aborted) throw signal.reason;
          throw new Unreachable("the connection broke", { cause });
        });
        if (done) return;
        yield* parser.feed(decoder.decode(value, { stream: true }));
      }
    } finally {
      // Frees the stream slot. If the connection is broken, cancel fails, and there is nothing left to free.
      await reader.cancel().catch(() => {});
    }
  };
}

/**
 * Return a function that reads a stream with `EventSource` and a ticket, for environments where `fetch` cannot stream.
 * `EventSource` does not expose the status of a connection that did not open, so one `fetch` asks for it. Its automatic
 * reconnection is not used, because a ticket expires.
 * @param {(streamUrl: string, signal: AbortSignal) => Promise<string>} urlWithTicket returns the URL with a new ticket
 * @param {typeof EventSource} [Source]
 * @param {typeof fetch} [fetcher]
 * @returns {Connect}
 */
export function eventSourceConnection(urlWithTicket, Source = globalThis.EventSource, fetcher = globalThis.fetch) {
  return async function* connect({ url, after, tab, signal }) {
    const target = new URL(await urlWithTicket(url, signal));
    target.searchParams.set("tab", tab);
    if (after > 0) target.searchParams.set("lastEventId", String(after));
    /** @type {(SsePart | "broken")[]} */
    const waiting = [];
    let wake = () => {};
    let opened = false;
    /** @param {SsePart | "broken"} part */
    const push = (part) => {
      waiting.push(part);
      wake();
    };
    const source = new Source(target.href);
    source.addEventListener("open", () => (opened = true));
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (event) => {
        // EventSource reports a connection fault as an `error` event too, but without data.
        if (!(event instanceof MessageEvent)) return push("broken");
        push({ kind: "event", type, data: event.data, id: event.lastEventId });
      });
    }
    const abort = () => push("broken");
    signal.addEventListener("abort", abort);
    try {
      for (;;) {
        const part = waiting.shift();
        if (part === undefined) await new Promise((/** @type {(value?: undefined) => void} */ resolve) => (wake = resolve));
        else if (part !== "broken") yield part;
        else break;
      }
      signal.throwIfAborted();
      if (!opened) await throwStatus(fetcher, target.href, signal);
    } finally {
      source.close();
      signal.removeEventListener("abort", abort);
    }
  };
}

/**
 * Throw the error that a connection that did not open would have returned.
 * @param {typeof fetch} fetcher
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<never>}
 */
async function throwStatus(fetcher, url, signal) {
  const abandon = new AbortController();
  const response = await fetcher(url, { signal: AbortSignal.any([signal, abandon.signal]), credentials: "omit" }).catch(
    (cause) => {
      signal.throwIfAborted();
      throw new Unreachable("the server cannot be reached", { cause });
    },
  );
  if (response.status === 204) throw new NoMoreEvents();
  if (!response.ok) throw await errorOf(response);
  abandon.abort();
  throw new Unreachable("the connection did not open");
}
