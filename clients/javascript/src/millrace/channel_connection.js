/** Connections of a watch over the channel, or over the job's stream where the channel is not available. */

/** @import { Channel } from "./channel.js" */
/** @import { Connect, ConnectionStart } from "./connection.js" */
/** @import { SsePart } from "./sse.js" */
/** @import { TopicEvent } from "./topic.js" */

import { NoMoreEvents } from "./connection.js";

/**
 * Return a function that reads a job's events from the channel. It continues with the job's stream, after the last event,
 * if the channel is blocked, refuses the job, or cannot send an event because of its size. The next connection tries the
 * channel again: streams last a minute.
 * @param {Channel} channel
 * @param {Connect} stream
 * @returns {Connect}
 */
export function channelConnection(channel, stream) {
  return async function* connect(start) {
    let { after } = start;
    if (channel.usable()) {
      for await (const part of channelParts(channel, start)) {
        if (part.kind === "event") after = Number(part.id);
        yield part;
      }
      if (start.signal.aborted) throw start.signal.reason;
      yield { kind: "interrupted" };
    }
    yield { kind: "opened", transport: "stream" };
    yield* stream({ ...start, after });
  };
}

/**
 * Yield what the channel delivers, until it cannot deliver more. Throws NoMoreEvents if the job's result is too large for it.
 * @param {Channel} channel
 * @param {ConnectionStart} start
 * @returns {AsyncGenerator<SsePart, void, undefined>}
 */
async function* channelParts(channel, { url, after, signal }) {
  /** @type {(SsePart | "end" | "result")[]} */
  const waiting = [];
  let wake = () => {};
  let isOpen = false;
  /** @param {SsePart | "end" | "result"} part */
  const push = (part) => {
    waiting.push(part);
    wake();
  };
  const end = () => push("end");
  const alive = () => push({ kind: "comment", text: "" });
  const unsubscribe = channel.subscribe(topicOf(url), {
    after,
    onEvents: (events) => events.forEach(([seq, event]) => push(event.resultUrl ? "result" : partOf(seq, event))),
    onOpen: () => {
      if (!isOpen) push({ kind: "opened", transport: "channel" });
      isOpen = true;
    },
    onLost: () => {
      if (isOpen) push({ kind: "interrupted" });
      isOpen = false;
    },
    onAlive: alive,
    onBehind: end,
    onBlocked: end,
    onError: end,
  });
  signal.addEventListener("abort", end);
  try {
    for (;;) {
      const part = waiting.shift();
      if (part === undefined) await new Promise((/** @type {(value?: undefined) => void} */ resolve) => (wake = resolve));
      else if (part === "result") throw new NoMoreEvents();
      else if (part === "end") return;
      else yield part;
    }
  } finally {
    unsubscribe();
    signal.removeEventListener("abort", end);
  }
}

/**
 * @param {number} seq
 * @param {TopicEvent} event
 * @returns {SsePart}
 */
function partOf(seq, event) {
  return { kind: "event", type: event.type, data: JSON.stringify(event), id: String(seq) };
}

/** @param {string} streamUrl with the job's id in its path */
function topicOf(streamUrl) {
  return `job:${decodeURIComponent(new URL(streamUrl).pathname.split("/").at(-2) ?? "")}`;
}
