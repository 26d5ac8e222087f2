/** What the debugging views know of a job: its newest events, its history, and the text that resets have discarded. */

/** @import { HistoryEntry } from "../../../../../../docs/api/types" */
/** @import { WatchedEvent } from "../../../millrace/watch.js" */

/** An hour of events has 36,000. The oldest are dropped beyond this number, or beyond this many characters of text. */
export const MOST = Object.freeze({ events: 40_000, characters: 16_000_000, discards: 20, discarded: 100_000 });

/** Events whose history entries tell what happened, besides `stage`, `reset` and the job's end. */
const PARTS = new Set(["tool", "subtask"]);

/**
 * Text that a reset has removed. `replacement` is what was written since, null until there is any; `cut` is true if only
 * the beginning of the text is kept.
 * @typedef {{ id: number, at: number | null, reason: string, message: string, text: string, replacement: string, cut: boolean }} Discard
 */
/** @typedef {{ id: number, at: number | null, event: WatchedEvent["event"], size: number }} Recorded */

/** Takes each event once, in order; no event costs more than the one before. */
export class JobRecord {
  /** @type {Recorded[]} The first `dropped` are gone. */
  #events = [];
  #begin = 0;
  #characters = 0;
  dropped = 0;
  lastId = 0;
  /** @type {HistoryEntry[]} */
  #history;
  #historyUpTo;
  /** The entry of the text that arrives, which is the last but for tool calls and subtasks. @type {HistoryEntry | null} */
  #text = null;
  /** @type {Discard[]} */
  #discards = [];
  /** The text before the first part of it was recorded, and its parts since the last reset. */
  #base;
  /** @type {string[]} */
  #parts = [];
  /** How many characters of the text the last reset has kept. */
  #kept = 0;

  /**
   * @param {readonly HistoryEntry[]} [history] up to the event `upTo`
   * @param {number} [upTo]
   * @param {string} [text] before the first event that is recorded
   */
  constructor(history = [], upTo = 0, text = "") {
    this.#history = [...history];
    this.#historyUpTo = upTo;
    this.#base = text;
    const last = this.#history.findLast(({ type }) => !PARTS.has(type));
    if (last?.type === "text") this.#text = last;
  }

  /** The newest events, oldest first. */
  get events() {
    if (this.#begin > 0) {
      this.#events.splice(0, this.#begin);
      this.#begin = 0;
    }
    return /** @type {readonly Recorded[]} */ (this.#events);
  }

  /** @returns {readonly HistoryEntry[]} */
  get history() {
    return this.#history;
  }

  /** @returns {readonly Discard[]} */
  get discards() {
    const last = this.#discards.at(-1);
    if (last !== undefined) last.replacement = this.#textNow().slice(this.#kept, this.#kept + MOST.discarded);
    return this.#discards;
  }

  /** @param {WatchedEvent} recorded */
  add({ id, at, event }) {
    if (id <= this.lastId) return;
    this.lastId = id;
    this.#keep({ id, at, event, size: sizeOf(event) });
    if (event.type === "delta") this.#parts.push(event.text);
    if (event.type === "snapshot") this.#setText(event.text);
    if (event.type === "reset") this.#discard(id, at, event);
    if (id > this.#historyUpTo && at !== null) this.#tell(id, at, event);
  }

  /** @param {Recorded} recorded */
  #keep(recorded) {
    this.#events.push(recorded);
    this.#characters += recorded.size;
    while (this.#events.length - this.#begin > MOST.events || this.#characters > MOST.characters) {
      const oldest = /** @type {Recorded} */ (this.#events[this.#begin]);
      this.#characters -= oldest.size;
      this.#begin += 1;
      this.dropped += 1;
      if (oldest === recorded) break;
    }
    // Removing one event from the front moves all others, so do it for many at once.
    if (this.#begin > 4_096) {
      this.#events.splice(0, this.#begin);
      this.#begin = 0;
    }
  }

  #textNow() {
    if (this.#parts.length > 0) this.#setText(this.#base + this.#parts.join(""));
    return this.#base;
  }

  /** @param {string} text */
  #setText(text) {
    this.#base = text;
    this.#parts = [];
  }

  /**
   * @param {number} id
   * @param {number | null} at
   * @param {Extract<WatchedEvent["event"], { type: "reset" }>} reset
   */
  #discard(id, at, { text: kept, reason, message }) {
    const before = this.#textNow();
    const earlier = this.discards.at(-1);
    if (earlier) earlier.replacement = before.slice(this.#kept, this.#kept + MOST.discarded);
    const removed = before.startsWith(kept) ? before.slice(kept.length) : before;
    this.#kept = kept.length;
    this.#setText(kept);
    const text = removed.slice(0, MOST.discarded);
    this.#discards.push({ id, at, reason, message, text, replacement: "", cut: text.length < removed.length });
    if (this.#discards.length > MOST.discards) this.#discards.shift();
  }

  /**
   * Add the event to the history, as the server does for `JobDetail.history`.
   * @param {number} id
   * @param {number} at
   * @param {WatchedEvent["event"]} event
   */
  #tell(id, at, event) {
    const when = new Date(at).toISOString();
    if (event.type === "delta") {
      const characters = (this.#text?.characters ?? 0) + event.text.length;
      const entry = { ...(this.#text ?? blank(id, when, "text")), endedAt: when, characters };
      if (this.#text === null) this.#history.push(entry);
      else this.#history[this.#history.lastIndexOf(this.#text)] = entry;
      this.#text = entry;
      return;
    }
    const entry = entryOf(id, when, event);
    if (entry === null) return;
    if (!PARTS.has(entry.type)) this.#text = null;
    this.#history.push(entry);
  }
}

/** @param {WatchedEvent["event"]} event */
function sizeOf(event) {
  if (event.type === "delta" || event.type === "reset") return event.text.length + 50;
  return JSON.stringify(event).length;
}

/**
 * @param {number} eventId
 * @param {string} at
 * @param {HistoryEntry["type"]} type
 * @returns {HistoryEntry}
 */
function blank(eventId, at, type) {
  const none = { stage: null, attempt: null, reason: null, message: null, retryCount: null, endedAt: null, characters: null };
  return { eventId, at, type, ...none, key: null, title: null, status: null };
}

/**
 * @param {number} id
 * @param {string} at
 * @param {WatchedEvent["event"]} event
 * @returns {HistoryEntry | null}
 */
function entryOf(id, at, event) {
  switch (event.type) {
    case "stage":
      return { ...blank(id, at, "stage"), stage: event.stage, attempt: event.attempt };
    case "reset":
      return { ...blank(id, at, "reset"), attempt: event.attempt, reason: event.reason, message: event.message, retryCount: event.retryCount };
    case "tool":
      return { ...blank(id, at, "tool"), key: event.key, title: event.title ?? event.name, status: event.status };
    case "subtask":
      if (event.status === "running") return null;
      return { ...blank(id, at, "subtask"), key: event.key, title: event.title, status: event.status };
    case "error":
      return { ...blank(id, at, "error"), stage: event.stage, attempt: event.attempt, reason: event.code, message: event.message };
    case "cancelled":
      return { ...blank(id, at, "cancelled"), stage: event.stage };
    case "complete":
      return blank(id, at, "complete");
    default:
      return null;
  }
}
