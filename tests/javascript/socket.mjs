/** A fake WebSocket and a fake clock for the channel's tests. */

import { mock } from "node:test";

import { Channel } from "../../clients/javascript/src/millrace/channel.js";

/** Let everything run that does not wait for the clock: chains of promises, and streams, which take several turns. */
export async function settle() {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The sockets of one test, each of which the test opens, feeds and drops. */
export function sockets() {
  const all = [];
  class FakeSocket {
    sent = [];
    subscriptions = new Map();
    closed = false;
    constructor(url, protocols) {
      Object.assign(this, { url, protocols });
      all.push(this);
    }
    send(text) {
      const message = JSON.parse(text);
      this.sent.push(message);
      if (message.type === "subscribe") this.subscriptions.set(message.topic, message);
    }
    close(code) {
      this.closed = true;
      this.code = code;
      this.onclose?.({ code });
    }
    open() {
      this.onopen({});
    }
    /** Deliver messages of the server, given as objects or as texts. */
    deliver(...messages) {
      for (const each of messages) this.onmessage({ data: typeof each === "string" ? each : JSON.stringify(each) });
    }
    /** The network fails, or the server ends the connection. */
    drop(code = 1006) {
      this.onclose({ code });
    }
    /** Answer the last subscription to the topic, and send events after it. */
    accept(topic, ...events) {
      const { id, after } = this.subscriptions.get(topic);
      this.deliver({ type: "subscribed", id, topic, after, state: "in_progress" });
      if (events.length > 0) this.deliver({ type: "events", topic, events });
    }
    /** What was sent since the last call, without the ids. */
    take() {
      return this.sent.splice(0).map(({ id, ...message }) => message);
    }
  }
  return { all, FakeSocket, last: () => all.at(-1) };
}

/**
 * A channel with fake sockets, on a clock that moves only when the test moves it.
 * @param {(() => Promise<unknown>)[]} tickets what the first calls for a ticket do; the others succeed
 */
export function channelOf({ tickets = [], ...parts } = {}) {
  const { all, FakeSocket, last } = sockets();
  const asked = [];
  const ticket = () => {
    asked.push(Date.now());
    const next = tickets.shift();
    if (next !== undefined) return next();
    return Promise.resolve({ channelUrl: "wss://channel/live", subprotocols: ["millrace.v1", `ticket.${asked.length}`] });
  };
  // With 0.5 each wait is half of its longest, and the turnover is exact.
  const channel = new Channel(ticket, { WebSocket: FakeSocket, random: () => 0.5, page: null, ...parts });
  return { channel, all, last, asked };
}

/** Move the clock, and let what then happens happen. */
export async function pass(milliseconds) {
  mock.timers.tick(milliseconds);
  await settle();
}
