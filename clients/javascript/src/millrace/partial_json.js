/** Parses JSON that is not complete yet: once, or again and again while it grows. */

import { appended } from "./text_growth.js";

/**
 * Return the value of an unfinished JSON text, without the parts that may still change: a key without a value, a number or
 * a literal at the end of the text, half of an escape sequence. Undefined if no value has started or the text is not JSON.
 * @param {string} text
 * @returns {unknown}
 */
export function parsePartial(text) {
  return new PartialJsonParser().append(text);
}

const SPACE = /\s*/y;
const PLAIN = /[^"\\]*/y;
const SCALAR = /-?[0-9][0-9.eE+-]*|true|false|null/y;
/** Nothing, or the beginning of a number, a literal or an escape sequence, to its end. */
const BEGUN_SCALAR = /^(?:|-|-?[0-9][0-9.eE+-]*|t|tr|tru|f|fa|fal|fals|n|nu|nul)$/;
const BEGUN_ESCAPE = /^(?:|\\(?:|u[0-9a-fA-F]{0,3}))$/;
/** @type {Record<string, string>} */
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/**
 * An object or array whose end has not been read. `value` has its complete children only. `next` is what has to be read
 * next: the comma or bracket before or behind a child, or a part of a child. `key` is the key of the child that is read.
 * @typedef {{ value: Record<string, unknown> | unknown[], next: "delimiter" | "key" | "colon" | "child", key: string }} Open
 */

/**
 * Returns for a growing text what `parsePartial` returns for it. The work of a call depends on the text that was added since
 * the last call, and on how many siblings the open objects and arrays have; not on the length of the text.
 *
 * Values are never changed after they were returned, and what is complete is returned as the same object again, so
 * that a page can find what has changed by comparing identities.
 */
export class PartialJsonParser {
  /** What was not read yet: the rest of the text is not kept. */
  #text = "";
  #at = 0;
  /** From the outermost to the innermost. @type {Open[]} */
  #open = [];
  /** The string that has begun and not ended. @type {string | null} */
  #string = null;
  /** The value when it is complete. @type {{ value: unknown } | null} */
  #complete = null;
  /** Whether no further text can change the value. */
  #over = false;
  /** @type {unknown} */
  #returned = undefined;

  /**
   * Return the value of all text so far.
   * @param {string} added the text behind that of the last call
   * @returns {unknown}
   */
  append(added) {
    if (added === "" || this.#over) return this.#returned;
    this.#text = this.#text.slice(this.#at) + added;
    this.#at = 0;
    while (this.#complete === null && this.#step());
    this.#over = this.#complete !== null || !this.#canContinue();
    this.#returned = this.#complete === null ? this.#unfinished() : this.#complete.value;
    return this.#returned;
  }

  /** Whether what was not read may be the beginning of a token; otherwise the text is not JSON. */
  #canContinue() {
    return (this.#string === null ? BEGUN_SCALAR : BEGUN_ESCAPE).test(this.#text.slice(this.#at));
  }

  /** Read one token, and return true; or return false if the text has to grow first, or is not JSON. */
  #step() {
    const open = this.#open.at(-1);
    if (this.#string !== null) return this.#endString(open);
    this.#skip(SPACE);
    switch (open?.next) {
      case "delimiter":
        return this.#delimiter(open);
      case "key":
        return this.#begin('"') && this.#beginString();
      case "colon":
        if (!this.#begin(":")) return false;
        open.next = "child";
        return true;
      default:
        return this.#value();
    }
  }

  /** @param {Open} open */
  #delimiter(open) {
    if (this.#at >= this.#text.length) return false;
    const list = Array.isArray(open.value);
    if (this.#begin(list ? "]" : "}")) {
      this.#open.pop();
      return this.#add(open.value);
    }
    this.#begin(",");
    open.next = list ? "child" : "key";
    return true;
  }

  #value() {
    if (this.#begin('"')) return this.#beginString();
    if (this.#begin("{")) return this.#push({});
    if (this.#begin("[")) return this.#push([]);
    const from = this.#at;
    const scalar = this.#skip(SCALAR);
    if (scalar !== "" && (this.#at < this.#text.length || !/[0-9]/.test(scalar))) {
      try {
        return this.#add(JSON.parse(scalar));
      } catch {
        // A number such as 1.2.3: the text is not JSON from here on.
      }
    }
    this.#at = from;
    return false;
  }

  /** @param {Open["value"]} value */
  #push(value) {
    this.#open.push({ value, next: "delimiter", key: "" });
    return true;
  }

  #beginString() {
    this.#string = "";
    return true;
  }

  /**
   * Read the string to its end, or as far as the text goes.
   * @param {Open | undefined} open
   */
  #endString(open) {
    let string = this.#string ?? "";
    for (;;) {
      string += this.#skip(PLAIN);
      const escaped = this.#text[this.#at] === "\\" ? this.#escape() : undefined;
      if (escaped === undefined) break;
      string += escaped;
    }
    this.#string = string;
    if (!this.#begin('"')) return false;
    this.#string = null;
    if (open?.next !== "key") return this.#add(string);
    open.key = string;
    open.next = "colon";
    return true;
  }

  /** @returns {string | undefined} */
  #escape() {
    const letter = this.#text[this.#at + 1] ?? "";
    const digits = letter === "u" ? this.#text.slice(this.#at + 2, this.#at + 6) : "";
    const found = /^[0-9a-fA-F]{4}$/.test(digits) ? String.fromCharCode(Number.parseInt(digits, 16)) : ESCAPES[letter];
    if (found !== undefined) this.#at += 2 + digits.length;
    return found;
  }

  /**
   * Add a complete value to the object or array that is open.
   * @param {unknown} value
   */
  #add(value) {
    const open = this.#open.at(-1);
    if (open === undefined) {
      this.#complete = { value };
    } else {
      put(open, open.value, value);
      open.next = "delimiter";
    }
    return true;
  }

  /** Return the value with what is open, as copies: those that were returned before must not change. */
  #unfinished() {
    /** @type {unknown} */
    let value = this.#open.at(-1)?.next === "key" ? undefined : (this.#string ?? undefined);
    for (const open of this.#open.toReversed()) {
      const copy = Array.isArray(open.value) ? [...open.value] : { ...open.value };
      if (value !== undefined) put(open, copy, value);
      value = copy;
    }
    return value;
  }

  /**
   * Skip the character if it is the next one, and return whether it is.
   * @param {string} character
   */
  #begin(character) {
    const is = this.#text[this.#at] === character;
    if (is) this.#at += 1;
    return is;
  }

  /** @param {RegExp} pattern sticky */
  #skip(pattern) {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }
}

/** Returns for a text that mostly grows what `parsePartial` returns for it, with the work of `PartialJsonParser`. */
export class PartialJsonReader {
  #text = "";
  #parser = new PartialJsonParser();

  /**
   * Return the value of the text so far. If the text does not continue that of the last call, begin again.
   * @param {string} text
   * @returns {unknown}
   */
  read(text) {
    const added = appended({ text: this.#text }, { text });
    if (added === null) this.#parser = new PartialJsonParser();
    this.#text = text;
    return this.#parser.append(added ?? text);
  }
}

/**
 * @param {Open} open
 * @param {Open["value"]} into
 * @param {unknown} value
 */
function put({ key }, into, value) {
  if (Array.isArray(into)) into.push(value);
  // As an assignment, the key "__proto__" would set the prototype.
  else Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
}
