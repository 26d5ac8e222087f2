/**
 * One stream for all tabs of a browser that watch the same job as the same user. The tab that holds a Web Lock is the
 * leader: it reads the stream, and sends what it reads to the others, the followers, over a BroadcastChannel. Every follower
 * knows the id of the last event that it has yielded, and takes only the next one, so it neither loses nor repeats an event,
 * even if there are two leaders for a moment.
 */

/** @import { Calls } from "./calls.js" */
/** @import { Connect, ConnectionStart } from "./connection.js" */
/** @import { SsePart } from "./sse.js" */

/**
 * In milliseconds. `quiet`: how long a follower hears nothing before it asks the leader for what is missing; `grace`: how long
 * the leader may take to answer. Then it has crashed or is frozen, and the follower takes its lock.
 */
export const SHARING_TIMES = Object.freeze({ quiet: 3_000, grace: 2_000 });

/** The most events that a leader keeps for followers. A follower that needs earlier ones lets it read the stream again. */
const MOST_KEPT = 5_000;
const BROWSER = "millrace.browser";

/**
 * `join`: a follower has every event up to `after`. `lead`: there is a new leader. `parts`: what the leader has read; with
 * `to`, for one follower only.
 * @typedef {{ type: "join", from: string, after: number }
 *   | { type: "lead" }
 *   | { type: "parts", parts: SsePart[], to: string | null }} SharingMessage
 */
/**
 * @typedef {object} SharingParts
 * @property {LockManager | null} [locks]
 * @property {typeof BroadcastChannel | null} [Channel]
 * @property {typeof setTimeout} [setTimer]
 * @property {typeof clearTimeout} [clearTimer]
 * @property {Partial<typeof SHARING_TIMES>} [times]
 */
/** @typedef {{ name: string, tab: string }} SharedStream the name of its lock and channel, and the id of its slot */

/**
 * Return a function that reads a job's stream together with the other tabs. Where there are no Web Locks or no
 * BroadcastChannel, each tab reads a separate stream.
 * @param {Connect} connect opens one connection to the stream
 * @param {(url: string) => Promise<SharedStream | null>} streamOf null: do not share it
 * @param {SharingParts} [parts]
 * @returns {Connect}
 */
export function sharedConnection(connect, streamOf, parts = {}) {
  const { locks = globalThis.navigator?.locks ?? null, Channel = globalThis.BroadcastChannel ?? null } = parts;
  return async function* (start) {
    const stream = locks === null || Channel === null ? null : await streamOf(start.url);
    start.signal.throwIfAborted();
    if (stream === null || locks === null || Channel === null) return yield* connect(start);
    const member = new Member(connect, { ...start, tab: stream.tab || start.tab }, stream.name, { ...parts, locks, Channel });
    yield* member.read();
  };
}

/**
 * Return a function that names a job's stream for the user of this client: by a hash of the API's origin, of the stream's
 * URL, and of the user. The user is the issuer, the subject, the client and the scope of a JWT; any other token is a user by
 * itself.
 * @param {Calls} client
 * @returns {(url: string) => Promise<SharedStream | null>}
 */
export function sharedStreamOf(client) {
  return async (url) => {
    if (globalThis.crypto?.subtle === undefined) return null;
    const name = await digest(JSON.stringify([url, userOf(await client.token())]));
    const browser = browserId();
    // The leaders take the slot over from each other, also from one that is frozen.
    return { name: `millrace.stream.${name}`, tab: browser === null ? "" : (await digest(browser + name)).slice(0, 32) };
  };
}

/** One tab, or one watch of it, that shares a stream. */
class Member {
  #id = crypto.randomUUID();
  #connect;
  #start;
  #name;
  #locks;
  #channel;
  #setTimer;
  #clearTimer;
  /** @type {typeof SHARING_TIMES} */
  #times;
  /** The id of the last event that was yielded, or waits for that. */
  #last;
  /** @type {(SsePart | { kind: "end", error: unknown })[]} */
  #waiting = [];
  #wake = () => {};
  #gone = new AbortController();
  /** What only a leader has. @type {{ from: number, kept: SsePart[], connected: SsePart | null, again: AbortController } | null} */
  #led = null;
  /** The request for the lock that is queued. @type {AbortController | null} */
  #queued = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #heard = false;
  /** Whether `connected` was yielded. Another leader's connection, or one more of the same leader, is none of this one. */
  #connected = false;

  /**
   * @param {Connect} connect
   * @param {ConnectionStart} start
   * @param {string} name
   * @param {SharingParts & { locks: LockManager, Channel: typeof BroadcastChannel }} parts
   */
  constructor(connect, start, name, { locks, Channel, times, setTimer, clearTimer }) {
    this.#connect = connect;
    this.#start = start;
    this.#name = name;
    this.#locks = locks;
    this.#channel = new Channel(name);
    this.#setTimer = setTimer ?? ((run, wait) => setTimeout(run, wait));
    this.#clearTimer = clearTimer ?? ((timer) => clearTimeout(timer));
    this.#times = { ...SHARING_TIMES, ...times };
    this.#last = start.after;
  }

  /** @returns {AsyncGenerator<SsePart, void, undefined>} */
  async *read() {
    const { signal } = this.#start;
    const abort = () => this.#end(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#follow();
    try {
      for (;;) {
        const part = this.#waiting.shift();
        if (part === undefined) await new Promise((/** @type {(value?: undefined) => void} */ resolve) => (this.#wake = resolve));
        else if (part.kind !== "end") yield part;
        else if (part.error === null) return;
        else throw part.error;
      }
    } finally {
      signal.removeEventListener("abort", abort);
      this.#clearTimer(this.#timer);
      this.#gone.abort();
      this.#queued?.abort();
      this.#channel.close();
    }
  }

  // ---- following -----------------------------------------------------------------------------------------------------

  #follow() {
    const queued = new AbortController();
    this.#queued = queued;
    this.#request({ signal: queued.signal });
    this.#join();
    this.#listen();
  }

  /** Tell the leader which events are here. It answers with the others. */
  #join() {
    this.#post({ type: "join", from: this.#id, after: this.#last });
  }

  /** Ask the leader after a silence, and take its lock if it does not answer. */
  #listen() {
    this.#clearTimer(this.#timer);
    this.#heard = false;
    this.#timer = this.#setTimer(() => {
      if (this.#heard) return this.#listen();
      this.#join();
      this.#timer = this.#setTimer(() => {
        if (this.#heard) return this.#listen();
        this.#queued?.abort();
        this.#request({ steal: true });
      }, this.#times.grace);
    }, this.#times.quiet);
  }

  /** @param {SharingMessage} message */
  #receive(message) {
    if (this.#gone.signal.aborted) return;
    if (message.type === "join") return this.#answer(message);
    if (this.#led !== null) return; // another tab has taken the lock: this one learns of it from the lock
    this.#heard = true;
    if (message.type === "lead") return this.#join();
    if (message.to !== null && message.to !== this.#id) return;
    const missing = message.parts.map((part) => this.#take(part)).includes("gap");
    if (missing && message.to === null) this.#join();
  }

  /**
   * Yield the part if it is the next one.
   * @param {SsePart} part
   * @returns {"taken" | "known" | "gap"}
   */
  #take(part) {
    const id = idOf(part);
    if (part.kind === "event" && id !== null) {
      if (id <= this.#last) return "known";
      if (!this.#connected) return "gap"; // the leader's answer begins with `connected`
      if (id !== this.#last + 1 && part.type !== "snapshot") return "gap";
      this.#last = id;
    } else if (part.kind === "event") {
      if (this.#connected) return "known";
      this.#connected = true;
    }
    this.#waiting.push(part);
    this.#wake();
    return "taken";
  }

  // ---- leading -------------------------------------------------------------------------------------------------------

  /** @param {LockOptions} options */
  #request(options) {
    const lost = new AbortController();
    const lead = () => (this.#gone.signal.aborted ? undefined : this.#lead(lost.signal));
    this.#locks.request(this.#name, options, lead).catch(() => {
      // The request was withdrawn, or another tab has taken the lock.
      lost.abort();
      if (this.#led === null && options.steal !== true) return;
      this.#led = null;
      if (!this.#gone.signal.aborted) this.#follow();
    });
  }

  /**
   * Read the stream for all tabs, until this one leaves, the connection ends, or another tab takes the lock.
   * @param {AbortSignal} lost
   */
  async #lead(lost) {
    this.#clearTimer(this.#timer);
    const led = { from: this.#last, kept: [], connected: null, again: new AbortController() };
    this.#led = led;
    this.#post({ type: "lead" });
    for (;;) {
      const stop = AbortSignal.any([this.#start.signal, this.#gone.signal, lost]);
      try {
        const signal = AbortSignal.any([stop, led.again.signal]);
        for await (const part of this.#connect({ ...this.#start, after: led.from, signal })) {
          if (signal.aborted) break;
          this.#pass(part);
        }
        if (stop.aborted) return;
        if (!led.again.signal.aborted) return this.#end(null);
      } catch (error) {
        if (stop.aborted) return;
        if (!led.again.signal.aborted) return this.#end(error);
      }
      led.again = new AbortController();
    }
  }

  /** @param {SsePart} part */
  #pass(part) {
    const led = this.#led;
    if (led === null) return;
    if (part.kind === "event") {
      if (idOf(part) === null) led.connected = part;
      else led.kept.push(part);
      if (led.kept.length > MOST_KEPT) led.from = idOf(/** @type {SsePart} */ (led.kept.shift())) ?? led.from;
    }
    this.#post({ type: "parts", parts: [part], to: null });
    this.#take(part);
  }

  /**
   * As the leader, send a follower what it has not got; if that is not kept, read the stream again from there.
   * @param {{ from: string, after: number }} follower
   */
  #answer({ from, after }) {
    const led = this.#led;
    if (led === null) return;
    const missing = led.kept.filter((part) => Number(idOf(part)) > after);
    const parts = [...(led.connected === null ? [] : [led.connected]), ...missing];
    const kept = after >= led.from;
    if (!kept) Object.assign(led, { from: after, kept: [], connected: null });
    this.#post({ type: "parts", parts: kept ? parts : [], to: from });
    if (!kept) led.again.abort();
  }

  // ---- internals -----------------------------------------------------------------------------------------------------

  /** @param {unknown} error null if the connection has ended without one */
  #end(error) {
    this.#waiting.push({ kind: "end", error });
    this.#wake();
  }

  /** @param {SharingMessage} message */
  #post(message) {
    if (!this.#gone.signal.aborted) this.#channel.postMessage(message);
  }
}

/**
 * Return the event's id; null for `connected`, which is not in the log, and for what is no event.
 * @param {SsePart} part
 */
function idOf(part) {
  return part.kind === "event" && part.type !== "connected" ? Number(part.id) : null;
}

/** @param {string} token */
function userOf(token) {
  try {
    const [, payload = ""] = token.split(".");
    const text = atob(payload.replace(/-/g, "+").replace(/_/g, "/"));
    const { iss, sub, client_id: client, scope } = JSON.parse(text);
    if (typeof sub === "string") return [iss, sub, client, scope];
  } catch {
    // The token is not a JWT.
  }
  return token;
}

/** @param {string} text */
async function digest(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return an id that the tabs of this browser have in common; null if it stores nothing. */
function browserId() {
  try {
    const storage = globalThis.localStorage;
    const known = storage.getItem(BROWSER);
    if (known !== null) return known;
    storage.setItem(BROWSER, crypto.randomUUID());
    return storage.getItem(BROWSER);
  } catch {
    return null;
  }
}
