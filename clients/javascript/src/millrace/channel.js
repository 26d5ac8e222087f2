/** The channel: one WebSocket connection for any number of topics, which reconnects without losing or repeating an event. */

/** @import { ChannelError, Closing, ServerMessage } from "../../../../docs/api/types" */
/** @import { SocketClass } from "./socket.js" */
/** @import { TopicHandlers } from "./topic.js" */

import { fullJitter } from "./backoff.js";
import { Refused } from "./errors.js";
import { ChannelSocket } from "./socket.js";
import { Subscriber } from "./topic.js";

/**
 * In milliseconds. `open`: a handshake may take this long. `ping`: silence before a ping while there is one topic, and the
 * time between two pings while there are several; `idlePing`: silence before a ping while there are none. `pong`: how long
 * an answer may take. `hold`: how long a gap may last before the topic is asked for again. `wait` and `maxWait`: between two connections. `blocked`: within this time three failed openings mean that the
 * network lets no WebSocket through; `retry`: how long nothing is tried then. `turnover`: the age at which a new connection
 * replaces an old one, give or take `spread`; API Gateway ends each after two hours. `linger`: how long the connection is
 * kept without topics.
 */
export const CHANNEL_TIMES = Object.freeze({
  open: 10_000,
  ping: 10_000,
  idlePing: 240_000,
  pong: 10_000,
  hold: 300,
  wait: 500,
  maxWait: 20_000,
  blocked: 30_000,
  retry: 60_000,
  turnover: 6_600_000,
  spread: 300_000,
  linger: 30_000,
});
/** @typedef {typeof CHANNEL_TIMES} ChannelTimes */

const MAX_FAILED = 3;
/** In milliseconds: the server counts messages in windows of this length. */
const AFTER_TOO_MANY = 10_000;

/** @typedef {{ channelUrl: string, subprotocols: string[] }} Ticket */
/** @typedef {"closed" | "connecting" | "open" | "blocked"} ChannelState */
/**
 * @typedef {object} ChannelParts
 * @property {SocketClass | undefined} [WebSocket] without one the channel is blocked
 * @property {() => number} [random] uniform in [0, 1)
 * @property {Partial<ChannelTimes>} [times]
 * @property {Pick<Window, "addEventListener" | "removeEventListener"> | null} [page] the window; null outside a browser
 */

export class Channel {
  /** @type {ChannelState} */
  state = "closed";

  #ticket;
  #Socket;
  #random;
  /** @type {ChannelTimes} */
  #times;
  /** @type {Map<string, Set<Subscriber>>} */
  #topics = new Map();
  /** Each subscription that was asked for and not answered, by message id. @type {Map<string, { topic: string, at: number }>} */
  #asked = new Map();
  /** The connection in use. @type {ChannelSocket | null} */
  #current = null;
  /** The connection that replaces it as soon as it is open. @type {ChannelSocket | null} */
  #next = null;
  /** When the last openings failed. @type {number[]} */
  #failed = [];
  #faults = 0;
  #ids = 0;
  #timer = 0;
  #turnover = 0;
  #retryAt = 0;
  #opening = false;
  #page;
  #onOnline = () => this.#reconnect(0);
  /** @type {Set<(state: ChannelState) => void>} */
  #listeners = new Set();

  /**
   * @param {() => Promise<Ticket>} ticket returns a new ticket; it opens one connection
   * @param {ChannelParts} [parts]
   */
  constructor(ticket, parts = {}) {
    this.#ticket = ticket;
    this.#Socket = "WebSocket" in parts ? parts.WebSocket : globalThis.WebSocket;
    this.#random = parts.random ?? Math.random;
    this.#times = { ...CHANNEL_TIMES, ...parts.times };
    this.#page = parts.page ?? globalThis.window ?? null;
  }

  /**
   * Tell whether a topic can be subscribed to now. If the channel was blocked for a while, this begins another try.
   * @returns {boolean}
   */
  usable() {
    if (this.#Socket === undefined) this.#change("blocked");
    else if (this.state === "blocked" && Date.now() >= this.#retryAt) void this.#open();
    return this.state !== "blocked";
  }

  /**
   * Call `listener` after every change of the state.
   * @param {(state: ChannelState) => void} listener
   * @returns {() => void} removes it
   */
  observe(listener) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Receive the topic's events after `after`, each once and in order, over any number of connections.
   * @param {string} topic such as `job:<jobId>`
   * @param {{ after?: number } & TopicHandlers} options
   * @returns {() => void} ends the subscription
   */
  subscribe(topic, { after = 0, ...handlers }) {
    const subscriber = new Subscriber(after, handlers, this.#times.hold, () => this.#ask(topic));
    const subscribers = this.#topics.get(topic) ?? new Set();
    this.#topics.set(topic, subscribers.add(subscriber));
    if (this.#current !== null) clearTimeout(this.#timer); // it no longer lingers
    if (!this.usable()) queueMicrotask(() => subscribers.has(subscriber) && handlers.onBlocked?.());
    else if (this.#current === null) this.#reconnect(0);
    else this.#ask(topic);
    return () => this.#unsubscribe(topic, subscriber);
  }

  /** Close the connection. The next subscription opens another. */
  close() {
    this.#stopTimers();
    const [current, next] = [this.#current, this.#next];
    this.#current = this.#next = null;
    current?.close();
    next?.close();
    this.#page?.removeEventListener("online", this.#onOnline);
    if (this.state !== "blocked") this.#change("closed");
  }

  // ---- topics --------------------------------------------------------------------------------------------------------

  /** @param {string} topic @param {Subscriber} subscriber */
  #unsubscribe(topic, subscriber) {
    subscriber.reset();
    const subscribers = this.#topics.get(topic);
    if (!subscribers?.delete(subscriber) || subscribers.size > 0) return;
    this.#topics.delete(topic);
    this.#current?.send({ type: "unsubscribe", id: this.#id(), topic });
    if (this.#topics.size === 0) this.#after(this.#times.linger, () => this.close());
  }

  /** @param {string} topic */
  #ask(topic) {
    const positions = this.#positions();
    const after = positions[topic];
    if (after === undefined || !this.#current?.opened) return;
    const id = this.#id();
    this.#asked.set(id, { topic, at: Date.now() });
    this.#current.send({ type: "subscribe", id, topic, after });
  }

  /** The number of the last event of each topic, for the subscriber that has the fewest. */
  #positions() {
    const entries = [...this.#topics].map(([topic, all]) => [topic, Math.min(...[...all].map(({ last }) => last))]);
    return /** @type {Record<string, number>} */ (Object.fromEntries(entries));
  }

  /** @param {string} topic */
  #subscribersOf(topic) {
    return [...(this.#topics.get(topic) ?? [])];
  }

  #everyone() {
    return [...this.#topics.values()].flatMap((subscribers) => [...subscribers]);
  }

  // ---- messages ------------------------------------------------------------------------------------------------------

  /** @param {ChannelSocket} socket @param {ServerMessage} message */
  #receive(socket, message) {
    for (const each of this.#everyone()) each.handlers.onAlive?.();
    switch (message.type) {
      case "events":
        for (const each of this.#subscribersOf(message.topic)) each.receive(/** @type {any} */ (message.events));
        break;
      case "subscribed":
        this.#asked.delete(message.id);
        for (const each of this.#subscribersOf(message.topic)) each.handlers.onOpen?.();
        break;
      case "pong":
        this.#askForMissing(message.tails);
        break;
      case "behind":
        if (message.then === "subscribe") this.#ask(message.topic);
        else for (const each of this.#subscribersOf(message.topic)) each.handlers.onBehind?.(message.tail);
        break;
      case "error":
        this.#refused(message);
        break;
      case "closing":
        this.#closing(socket, message.reason);
        break;
      case "unsubscribed":
        break;
    }
  }

  /**
   * Subscribe again to the topics to which the server knows no subscription.
   * @param {Record<string, number>} tails
   */
  #askForMissing(tails) {
    const recent = [...this.#asked.values()].filter(({ at }) => Date.now() - at < this.#times.pong);
    const asked = new Set(recent.map(({ topic }) => topic));
    for (const topic of this.#topics.keys()) if (!(topic in tails) && !asked.has(topic)) this.#ask(topic);
  }

  /** @param {ChannelError} error */
  #refused(error) {
    const asked = this.#asked.get(error.id ?? "");
    if (asked === undefined) return; // a ping was refused: the next one asks again
    const { topic } = asked;
    this.#asked.delete(error.id ?? "");
    if (error.retryAfter !== null) {
      setTimeout(() => this.#ask(topic), error.retryAfter * 1000);
      return;
    }
    for (const each of this.#subscribersOf(topic)) each.handlers.onError?.(error);
  }

  /** @param {ChannelSocket} socket @param {Closing["reason"]} reason */
  #closing(socket, reason) {
    if (socket !== this.#current) return; // another connection has replaced it already
    const wait = reason === "too_many_messages" ? AFTER_TOO_MANY : 0;
    // The same tab id on another page: to open another would end that page's connection, and that page would answer alike.
    if (reason === "replaced") this.#block();
    else this.#lose(socket, wait);
  }

  // ---- connections ---------------------------------------------------------------------------------------------------

  /** @param {number} wait milliseconds */
  #reconnect(wait) {
    if (this.#topics.size === 0 || this.#current !== null || this.#next !== null) return;
    this.#page?.addEventListener("online", this.#onOnline);
    this.#change("connecting");
    this.#after(wait, () => void this.#open());
  }

  async #open() {
    if (this.#opening) return;
    this.#opening = true;
    clearTimeout(this.#timer);
    const Socket = /** @type {SocketClass} */ (this.#Socket);
    try {
      const { channelUrl, subprotocols } = await this.#ticket();
      if (this.state === "closed") return;
      const socket = new ChannelSocket(
        new Socket(channelUrl, subprotocols),
        {
          onOpen: () => this.#opened(socket),
          onMessage: (message) => this.#receive(socket, message),
          onEnd: (opened) => this.#lost(socket, opened),
          positions: () => this.#positions(),
        },
        this.#times,
      );
      this.#next = socket;
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#opening = false;
    }
  }

  /** @param {ChannelSocket} socket */
  #opened(socket) {
    const old = this.#current;
    this.#current = socket;
    this.#next = null;
    this.#failed = [];
    this.#asked.clear();
    this.#page?.removeEventListener("online", this.#onOnline);
    this.#change("open");
    for (const topic of this.#topics.keys()) this.#ask(topic);
    old?.close(); // from here on the new one delivers, and numbers remove what both have delivered
    clearTimeout(this.#turnover);
    const age = this.#times.turnover + (2 * this.#random() - 1) * this.#times.spread;
    this.#turnover = timer(() => void this.#open(), age);
    if (this.#topics.size === 0) this.#after(this.#times.linger, () => this.close());
  }

  /** @param {ChannelSocket} socket @param {boolean} opened */
  #lost(socket, opened) {
    if (socket === this.#next) {
      this.#next = null;
      this.#fail(null);
    } else if (socket === this.#current && opened) {
      this.#lose(socket, fullJitter(this.#times.wait, this.#faults + 1, this.#random, this.#times.maxWait));
    }
  }

  /** @param {ChannelSocket} socket @param {number} wait milliseconds */
  #lose(socket, wait) {
    this.#current = null;
    socket.close();
    clearTimeout(this.#turnover);
    for (const each of this.#everyone()) each.reset();
    for (const each of this.#everyone()) each.handlers.onLost?.();
    if (this.#topics.size === 0) this.close();
    else this.#reconnect(wait);
  }

  /**
   * An opening has failed. A connection that is still open is kept until it ends.
   * @param {unknown} error
   */
  #fail(error) {
    const now = Date.now();
    this.#failed = [...this.#failed, now].filter((at) => now - at <= this.#times.blocked);
    this.#faults += 1;
    const refused = error instanceof Refused && error.status !== 401;
    if (this.#current !== null) {
      this.#turnover = timer(() => void this.#open(), this.#times.retry);
    } else if (refused || this.#failed.length >= MAX_FAILED || this.state === "blocked") {
      this.#block();
    } else {
      this.#reconnect(fullJitter(this.#times.wait, this.#faults, this.#random, this.#times.maxWait));
    }
  }

  #block() {
    this.#retryAt = Date.now() + this.#times.retry;
    this.#failed = [];
    const waiting = this.#everyone();
    this.#change("blocked");
    this.close();
    this.#after(this.#times.retry, () => void (this.#topics.size > 0 && this.#open()));
    for (const each of waiting) each.handlers.onBlocked?.();
  }

  // ---- internals -----------------------------------------------------------------------------------------------------

  #id() {
    this.#ids += 1;
    return String(this.#ids);
  }

  /** @param {number} wait milliseconds @param {() => void} run */
  #after(wait, run) {
    clearTimeout(this.#timer);
    this.#timer = timer(run, wait);
  }

  #stopTimers() {
    clearTimeout(this.#timer);
    clearTimeout(this.#turnover);
  }

  /** @param {ChannelState} state */
  #change(state) {
    if (state === "open") this.#faults = 0;
    if (this.state === state) return;
    this.state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

/**
 * @param {() => void} run
 * @param {number} milliseconds
 * @returns {number}
 */
function timer(run, milliseconds) {
  return /** @type {any} */ (setTimeout(run, milliseconds));
}
