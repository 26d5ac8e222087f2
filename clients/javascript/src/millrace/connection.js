/** One connection to a job's stream, by `fetch` or by `EventSource`, as the parts it yields. */

/** @import { Calls } from "./calls.js" */
/** @import { SsePart } from "./sse.js" */

import { Unreachable, errorOf } from "./errors.js";
import { SseParser } from "./sse.js";

/** The job has ended and its end has been seen: the server has nothing more to say. */
export class NothingMore extends Error {}

/**
 * Where a connection begins: `after` is the last event seen, `tab` the id by which the slot is kept.
 * @typedef {{ url: string, after: number, tab: string, signal: AbortSignal }} Opening
 */
/** @typedef {(at: Opening) => AsyncGenerator<SsePart, void, undefined>} Connect */

const EVENT_TYPES = [
  "connected",
  "stage",
  "progress",
  "delta",
  "item",
  "tool",
  "reset",
  "snapshot",
  "complete",
  "error",
  "cancelled",
];

/**
 * Reads with `fetch`, which can send the token in a header and sees heartbeats. Ends when the server ends it; raises
 * NothingMore, Refused, Unreachable.
 * @param {Calls} calls
 * @returns {Connect}
 */
export function byFetch(calls) {
  return async function* connect({ url, after, tab, signal }) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/event-stream" };
    if (after > 0) headers["Last-Event-ID"] = String(after);
    const response = await calls.open(`${url}?tab=${encodeURIComponent(tab)}`, { headers, signal });
    if (response.status === 204) throw new NothingMore();
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
      // Whoever stops reading frees the slot; a body that is already broken has nothing left to cancel.
      await reader.cancel().catch(() => {});
    }
  };
}

/**
 * Reads with `EventSource` and a ticket, for where a stream cannot be read with `fetch`. It tells no status, so a
 * connection that does not open is asked for once more with `fetch`, just for that. Its own returning is not used: a
 * ticket is valid for a short time only.
 * @param {(jobUrl: string, signal: AbortSignal) => Promise<string>} ticketedUrl the stream's URL with a fresh ticket
 * @param {typeof EventSource} [Source]
 * @param {typeof fetch} [fetcher]
 * @returns {Connect}
 */
export function byEventSource(ticketedUrl, Source = globalThis.EventSource, fetcher = globalThis.fetch) {
  return async function* connect({ url, after, tab, signal }) {
    const ticketed = new URL(await ticketedUrl(url, signal));
    ticketed.searchParams.set("tab", tab);
    if (after > 0) ticketed.searchParams.set("lastEventId", String(after));
    /** @type {(SsePart | "broken")[]} */
    const waiting = [];
    let wake = () => {};
    let opened = false;
    /** @param {SsePart | "broken"} part */
    const push = (part) => {
      waiting.push(part);
      wake();
    };
    const source = new Source(ticketed.href);
    source.addEventListener("open", () => (opened = true));
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (event) => {
        // A fault of the connection is an `error` event as well, but carries no data.
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
      if (!opened) await explain(fetcher, ticketed.href, signal);
    } finally {
      source.close();
      signal.removeEventListener("abort", abort);
    }
  };
}

/**
 * Raises what stands in the way of a connection that did not open.
 * @param {typeof fetch} fetcher
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<never>}
 */
async function explain(fetcher, url, signal) {
  const abandon = new AbortController();
  const response = await fetcher(url, { signal: AbortSignal.any([signal, abandon.signal]), credentials: "omit" }).catch(
    (cause) => {
      signal.throwIfAborted();
      throw new Unreachable("the server cannot be reached", { cause });
    },
  );
  if (response.status === 204) throw new NothingMore();
  if (!response.ok) throw await errorOf(response);
  abandon.abort();
  throw new Unreachable("the connection did not open");
}
