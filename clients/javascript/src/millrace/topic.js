/** One subscriber of a topic: applies each event once and in order, whatever the channel delivers. */

/** @import { ChannelError, StreamEvent } from "../../../../docs/api/types" */

/**
 * An event of a topic. A `complete` whose result is too large for the channel has a `resultUrl` instead.
 * @typedef {StreamEvent & { resultUrl?: string }} TopicEvent
 */
/** @typedef {[seq: number, event: TopicEvent]} Numbered */
/**
 * What a subscriber is told. `onBehind`: it must read the topic over HTTP, because an event is too large for the channel.
 * `onBlocked`: the channel cannot be opened for now.
 * @typedef {object} TopicHandlers
 * @property {(events: Numbered[]) => void} onEvents consecutive events, each once
 * @property {(seq: number, snapshot: TopicEvent) => void} [onSnapshot] replaces all events up to its number
 * @property {() => void} [onOpen] the topic is subscribed to, for the first time or again
 * @property {() => void} [onLost] the connection was lost; the channel reconnects
 * @property {() => void} [onAlive] the server has answered
 * @property {(tail: number) => void} [onBehind]
 * @property {() => void} [onBlocked]
 * @property {(error: ChannelError) => void} [onError] the subscription was refused, and no events follow
 */

export class Subscriber {
  /** The number of the last event that was applied. */
  last;
  /** @type {Map<number, TopicEvent>} */
  #held = new Map();
  #timer = 0;
  #handlers;
  #hold;
  #askAgain;

  /**
   * @param {number} after
   * @param {TopicHandlers} handlers
   * @param {number} hold how long a gap may last, in milliseconds: two messages may overtake each other
   * @param {() => void} askAgain subscribes after the last event
   */
  constructor(after, handlers, hold, askAgain) {
    this.last = after;
    this.#handlers = handlers;
    this.#hold = hold;
    this.#askAgain = askAgain;
  }

  get handlers() {
    return this.#handlers;
  }

  /**
   * Apply the events that are next, ignore those that were applied, and hold those behind a gap.
   * @param {readonly Numbered[]} events
   */
  receive(events) {
    for (const [seq, event] of events) if (seq > this.last) this.#held.set(seq, event);
    this.#apply();
    if (this.#held.size === 0) this.#stopTimer();
    else if (this.#timer === 0) this.#timer = /** @type {any} */ (setTimeout(() => this.#giveUp(), this.#hold));
  }

  /** Forget what is behind a gap: the next subscription begins after the last event. */
  reset() {
    this.#held.clear();
    this.#stopTimer();
  }

  #giveUp() {
    this.reset();
    this.#askAgain();
  }

  #apply() {
    this.#applySnapshots();
    /** @type {Numbered[]} */
    const run = [];
    for (;;) {
      const event = this.#held.get(this.last + 1);
      if (event === undefined) break;
      this.last += 1;
      this.#held.delete(this.last);
      run.push([this.last, event]);
    }
    if (run.length > 0) this.#handlers.onEvents(run);
  }

  #applySnapshots() {
    const snapshots = [...this.#held].filter(([, event]) => event.type === "snapshot").map(([seq]) => seq);
    const newest = Math.max(0, ...snapshots);
    const snapshot = this.#held.get(newest);
    if (snapshot === undefined) return;
    for (const seq of this.#held.keys()) if (seq <= newest) this.#held.delete(seq);
    this.last = newest;
    if (this.#handlers.onSnapshot) this.#handlers.onSnapshot(newest, snapshot);
    else this.#handlers.onEvents([[newest, snapshot]]);
  }

  #stopTimer() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }
}
