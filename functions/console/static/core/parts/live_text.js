/** Elements that fill while a model writes. */

/** @import { Attributes } from "../app/dom.js" */

import { h } from "../app/dom.js";
import { TextGrowth } from "../../millrace/text_growth.js";

/** A text node gets no more text when it has this number of characters. */
const LONGEST_NODE = 4_096;

/**
 * An element that is hidden until it has text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 */
export function liveText(tag, attributes = {}) {
  const element = h(tag, { ...attributes, hidden: true });
  let shown = "";
  return {
    element,
    /** @param {unknown} value text; any other value counts as empty text */
    show(value) {
      const text = typeof value === "string" ? value : "";
      if (text === shown) return;
      const last = element.lastChild;
      // `setText` would read the whole text of the element. Appending keeps the user's selection.
      if (last instanceof Text && shown !== "" && text.startsWith(shown)) appendTo(element, text.slice(shown.length));
      else element.textContent = text;
      shown = text;
      element.hidden = text === "";
    },
  };
}

/**
 * The text of a job, which grows to any length. What a call does depends on what was added only: the text is not compared,
 * and no long text is copied to append to it.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 */
export function growingText(tag, attributes = {}) {
  const element = h(tag, attributes);
  const growth = new TextGrowth();
  return {
    element,
    /** @param {{ text: string }} view of the job */
    show(view) {
      const { added, begins } = growth.next(view);
      if (begins) element.replaceChildren(added);
      else if (added !== "") appendTo(element, added);
    },
  };
}

/**
 * @param {Element} element that contains only text
 * @param {string} added
 */
function appendTo(element, added) {
  const last = element.lastChild;
  if (last instanceof Text && last.length < LONGEST_NODE) last.appendData(added);
  else element.append(added);
}

/**
 * A list with one child for each value. A child keeps its index, and is drawn again only if its value is not the same as
 * before. So values must not be changed after they were shown.
 * @template V
 * @param {HTMLElement} list
 * @param {() => { element: HTMLElement, show: (value: V, index: number) => void }} make
 * @param {(index: number) => HTMLElement} [parentOf] returns the element in the list that gets the child; by default the list
 */
export function liveList(list, make, parentOf = () => list) {
  /** @type {(ReturnType<typeof make> & { shown?: V })[]} */
  const children = [];
  return {
    /** @param {readonly V[]} values */
    show(values) {
      while (children.length > values.length) children.pop()?.element.remove();
      values.forEach((value, index) => {
        let child = children[index];
        if (child === undefined) {
          child = { ...make() };
          children.push(child);
          parentOf(index).append(child.element);
        }
        if ("shown" in child && child.shown === value) return;
        child.shown = value;
        child.show(value, index);
      });
    },
  };
}

/** The element with the cursor, by the list that contains it. @type {WeakMap<HTMLElement, Element>} */
const cursors = new WeakMap();

/**
 * Show the cursor after the last text in a list while the model writes it, and nowhere otherwise.
 * @param {HTMLElement} list
 * @param {boolean} writing
 */
export function showCursor(list, writing) {
  const last = writing ? lastText(list) : undefined;
  const before = cursors.get(list);
  if (before === last) return;
  before?.classList.remove("writing");
  last?.classList.add("writing");
  if (last) cursors.set(list, last);
  else cursors.delete(list);
}

/**
 * Return the last text that is shown. It is looked for from the end: the list may be long.
 * @param {Element} list of cards, or a group of them
 * @returns {Element | undefined}
 */
function lastText(list) {
  for (let item = list.lastElementChild; item !== null; item = item.previousElementSibling) {
    const found = item.classList.contains("card-group") ? lastText(item) : [...item.querySelectorAll("[data-text]:not([hidden])")].at(-1);
    if (found) return found;
  }
  return undefined;
}
