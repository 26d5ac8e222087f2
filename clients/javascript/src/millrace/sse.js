/**
 * Parses server-sent events from text in chunks of any size
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
 */

/** How events arrive: over the WebSocket channel, or over the job's own stream. @typedef {"channel" | "stream"} Transport */
/**
 * A part of a stream: an event, a comment (a heartbeat), or the time to wait before a reconnection. Only the channel's
 * connections say by which transport they are open, and when they are interrupted.
 * `at` is when the event was appended to the log, in milliseconds since 1970, where the server says so.
 * @typedef {{ kind: "event", type: string, data: string, id: string, at?: number }
 *   | { kind: "opened", transport: Transport }
 *   | { kind: "interrupted" }
 *   | { kind: "comment", text: string }
 *   | { kind: "retry", milliseconds: number }} SsePart
 */

const BYTE_ORDER_MARK = "\uFEFF";
const LINE_END = /\r\n|\r|\n/g;

/** Takes decoded text in chunks of any size, and yields each part as soon as its last character has arrived. */
export class SseParser {
  #started = false;
  #afterReturn = false;
  #line = "";
  #type = "";
  /** @type {string[]} */
  #data = [];
  #id = "";
  /** @type {number | null} */
  #at = null;

  /**
   * @param {string} text
   * @returns {Generator<SsePart, void, undefined>}
   */
  *feed(text) {
    if (text === "") return;
    let begin = 0;
    if (!this.#started) {
      this.#started = true;
      if (text.startsWith(BYTE_ORDER_MARK)) begin = 1;
    }
    if (this.#afterReturn) {
      // The previous chunk ended with a carriage return. A line feed now belongs to the same line end.
      this.#afterReturn = false;
      if (text[begin] === "\n") begin += 1;
    }
    LINE_END.lastIndex = begin;
    for (const end of text.matchAll(LINE_END)) {
      const line = this.#line + text.slice(begin, end.index);
      this.#line = "";
      begin = end.index + end[0].length;
      this.#afterReturn = end[0] === "\r" && begin === text.length;
      const part = this.#take(line);
      if (part !== null) yield part;
    }
    this.#line += text.slice(begin);
  }

  /**
   * @param {string} line without its end
   * @returns {SsePart | null}
   */
  #take(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return { kind: "comment", text: line.slice(1).replace(/^ /, "") };
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    switch (field) {
      case "event":
        this.#type = value;
        return null;
      case "data":
        this.#data.push(value);
        return null;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        return null;
      case "at":
        this.#at = /^[0-9]+$/.test(value) ? Number(value) : null;
        return null;
      case "retry":
        return /^[0-9]+$/.test(value) ? { kind: "retry", milliseconds: Number(value) } : null;
      default:
        return null;
    }
  }

  /** @returns {SsePart | null} */
  #dispatch() {
    const data = this.#data;
    const type = this.#type;
    this.#data = [];
    const at = this.#at;
    this.#type = "";
    this.#at = null;
    if (data.length === 0) return null;
    return { kind: "event", type: type || "message", data: data.join("\n"), id: this.#id, ...(at !== null && { at }) };
  }
}
