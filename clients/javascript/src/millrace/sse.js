/**
 * Server-sent events off the wire, in whatever pieces they arrive
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
 */

/**
 * What a stream says: an event, a comment (a sign of life), or how long to wait before coming back.
 * @typedef {{ kind: "event", type: string, data: string, id: string }
 *   | { kind: "comment", text: string }
 *   | { kind: "retry", milliseconds: number }} SsePart
 */

const BYTE_ORDER_MARK = "\uFEFF";
const LINE_END = /\r\n|\r|\n/g;

/** Eats decoded text in any chunking and yields each part as soon as its last character is there. */
export class SseParser {
  #begun = false;
  #afterReturn = false;
  #line = "";
  #type = "";
  /** @type {string[]} */
  #data = [];
  #id = "";

  /**
   * @param {string} text
   * @returns {Generator<SsePart, void, undefined>}
   */
  *feed(text) {
    if (text === "") return;
    let begin = 0;
    if (!this.#begun) {
      this.#begun = true;
      if (text.startsWith(BYTE_ORDER_MARK)) begin = 1;
    }
    if (this.#afterReturn) {
      // The line ended with the carriage return that closed the chunk before; its line feed is no line of its own.
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
    this.#type = "";
    if (data.length === 0) return null;
    return { kind: "event", type: type || "message", data: data.join("\n"), id: this.#id };
  }
}
