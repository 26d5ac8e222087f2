/**
 * Tells what was appended to a job's text since a page drew it. Comparing the texts would need work for all of it each time,
 * and reading a text to which much was appended copies it.
 */

/** How many parts of a text are remembered: what is drawn in every frame is a few parts behind. */
const REMEMBERED = 2_048;

/** The newest parts of one text: those from the part `first` on. @typedef {{ first: number, parts: string[] }} Parts */
/** A text that consists of the first `count` parts. @typedef {{ of: Parts, count: number }} Prefix */

/** What is known of the text of a view, or of another object that never changes. @type {WeakMap<{ text: string }, Prefix>} */
const known = new WeakMap();

/**
 * Note that the text of `after` is the text of `before` with `added` behind it.
 * @param {{ text: string }} before
 * @param {{ text: string }} after
 * @param {string} added
 */
export function noteAppended(before, after, added) {
  let prefix = known.get(before);
  // Another view may have continued the same text in another way: its parts are not those of this one.
  if (prefix === undefined || prefix.count !== prefix.of.first + prefix.of.parts.length) {
    prefix = { of: { first: 0, parts: [] }, count: 0 };
    known.set(before, prefix);
  }
  if (added === "") return void known.set(after, prefix);
  const { of, count } = prefix;
  of.parts.push(added);
  if (of.parts.length > 2 * REMEMBERED) {
    of.parts.splice(0, REMEMBERED);
    of.first += REMEMBERED;
  }
  known.set(after, { of, count: count + 1 });
}

/**
 * Return what the text of `after` has behind the text of `before`; null if it does not begin with that.
 * @param {{ text: string }} before
 * @param {{ text: string }} after
 * @returns {string | null}
 */
export function appended(before, after) {
  const [from, to] = [known.get(before), known.get(after)];
  if (from !== undefined && to !== undefined && from.of === to.of && from.count >= from.of.first && from.count <= to.count) {
    const { first, parts } = from.of;
    return parts.slice(from.count - first, to.count - first).join("");
  }
  if (before.text === after.text) return "";
  return after.text.startsWith(before.text) ? after.text.slice(before.text.length) : null;
}

/** Follows the text of a job through its views. */
export class TextGrowth {
  /** @type {{ text: string } | null} */
  #last = null;

  /**
   * Return what was appended since the last call. The first time, and if the text does not continue that of the last call,
   * `begins` is true and `added` is the whole text.
   * @param {{ text: string }} view of the job
   * @returns {{ added: string, begins: boolean }}
   */
  next(view) {
    const added = this.#last === null ? null : appended(this.#last, view);
    this.#last = view;
    return added === null ? { added: view.text, begins: true } : { added, begins: false };
  }
}
