/** Parses JSON that is not complete yet, in one recursive pass: the reader of the client has to return the same. */

/**
 * Return the value of an unfinished JSON text, without the parts that may still change: a key without a value, a number or
 * a literal at the end of the text, half of an escape sequence. Undefined if no value has started or the text is not JSON.
 * @param {string} text
 * @returns {unknown}
 */
export function parseAtOnce(text) {
  return new Reader(text).value();
}

const SPACE = /\s*/y;
const PLAIN = /[^"\\]*/y;
const SCALAR = /-?[0-9][0-9.eE+-]*|true|false|null/y;
/** @type {Record<string, string>} */
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

class Reader {
  #at = 0;
  #text;
  /** Whether the text ended inside the last value. */
  #open = false;

  /** @param {string} text */
  constructor(text) {
    this.#text = text;
  }

  /** @returns {unknown} */
  value() {
    this.#skip(SPACE);
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #object() {
    /** @type {Record<string, unknown>} */
    const object = {};
    this.#at += 1;
    for (;;) {
      if (this.#closes("}")) return object;
      if (this.#open || this.#text[this.#at] !== '"') return this.#stop(object);
      const key = this.#string();
      this.#skip(SPACE);
      if (this.#open || this.#text[this.#at] !== ":") return this.#stop(object);
      this.#at += 1;
      const value = this.value();
      if (value === undefined) return this.#stop(object);
      Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
      if (this.#open) return object;
    }
  }

  #array() {
    /** @type {unknown[]} */
    const array = [];
    this.#at += 1;
    for (;;) {
      if (this.#closes("]")) return array;
      const value = this.#open ? undefined : this.value();
      if (value === undefined) return this.#stop(array);
      array.push(value);
      if (this.#open) return array;
    }
  }

  #string() {
    let string = "";
    this.#at += 1;
    for (;;) {
      string += this.#skip(PLAIN);
      const next = this.#text[this.#at];
      if (next === '"') {
        this.#at += 1;
        return string;
      }
      const escape = next === undefined ? undefined : this.#escape();
      if (escape === undefined) return this.#stop(string);
      string += escape;
    }
  }

  /** @returns {string | undefined} */
  #escape() {
    const letter = this.#text[this.#at + 1];
    if (letter === "u") {
      const digits = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) return undefined;
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    this.#at += 2;
    return letter === undefined ? undefined : ESCAPES[letter];
  }

  #scalar() {
    const text = this.#skip(SCALAR);
    if (text === "" || (this.#at === this.#text.length && /[0-9]/.test(text))) return this.#stop(undefined);
    try {
      return JSON.parse(text);
    } catch {
      return this.#stop(undefined);
    }
  }

  /**
   * Skip the closing bracket and return true, or skip the comma before the next element and return false.
   * @param {string} bracket
   */
  #closes(bracket) {
    this.#skip(SPACE);
    if (this.#text[this.#at] === ",") {
      this.#at += 1;
      this.#skip(SPACE);
      return false;
    }
    if (this.#text[this.#at] !== bracket) {
      this.#open = this.#at >= this.#text.length;
      return false;
    }
    this.#at += 1;
    return true;
  }

  /**
   * @template T
   * @param {T} value
   */
  #stop(value) {
    this.#open = true;
    return value;
  }

  /** @param {RegExp} pattern sticky */
  #skip(pattern) {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }
}
