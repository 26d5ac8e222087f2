/** Finds events by their type and by text in their JSON. Each event is looked at once, not once for each drawing. */

/** @import { Recorded } from "./job_record.js" */

export class EventFilter {
  /** @type {Recorded[]} */
  #found = [];
  #type = "";
  #text = "";
  #lastId = 0;
  /** The types of the events so far. @type {Set<string>} */
  types = new Set();

  /** @returns {readonly Recorded[]} */
  get found() {
    return this.#found;
  }

  /** @param {{ type: string, text: string }} wanted empty strings find every event; upper and lower case are the same */
  change({ type, text }) {
    this.#type = type;
    this.#text = text.toLowerCase();
    this.#found = [];
    this.#lastId = 0;
  }

  /** @param {readonly Recorded[]} events all that are in memory, in order */
  take(events) {
    const first = events[0]?.id ?? 0;
    const gone = this.#found.findIndex(({ id }) => id >= first);
    if (gone !== 0 && this.#found.length > 0) this.#found.splice(0, gone < 0 ? this.#found.length : gone);
    let begin = events.length;
    while (begin > 0 && (events[begin - 1]?.id ?? 0) > this.#lastId) begin -= 1;
    for (const each of events.slice(begin)) {
      this.types.add(each.event.type);
      if (this.#matches(each)) this.#found.push(each);
      this.#lastId = each.id;
    }
  }

  /** @param {Recorded} each */
  #matches({ event }) {
    if (this.#type !== "" && event.type !== this.#type) return false;
    return this.#text === "" || JSON.stringify(event).toLowerCase().includes(this.#text);
  }
}

/**
 * Return the events as newline-delimited JSON.
 * @param {readonly Recorded[]} events
 */
export function ndjsonOf(events) {
  return events.map(({ id, at, event }) => `${JSON.stringify({ id, at: at === null ? null : new Date(at).toISOString(), ...event })}\n`).join("");
}
