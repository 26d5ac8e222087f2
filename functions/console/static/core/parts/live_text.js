/** Elements that fill while a model writes. */

/** @import { Attributes } from "../app/dom.js" */

import { h, setText } from "../app/dom.js";

/** A text node of `growingText` gets no more text when it has this number of characters. */
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
      shown = text;
      setText(element, text);
      element.hidden = text === "";
    },
  };
}

/**
 * Text that grows to any length. Only what was added is drawn, and no long text is copied to append to it.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 */
export function growingText(tag, attributes = {}) {
  const element = h(tag, attributes);
  let shown = "";
  return {
    element,
    /** @param {string} text */
    show(text) {
      const grown = text.startsWith(shown);
      if (grown && text.length === shown.length) return;
      const added = grown ? text.slice(shown.length) : text;
      const last = element.lastChild;
      if (!grown) element.replaceChildren(added);
      else if (last instanceof Text && last.length < LONGEST_NODE) last.appendData(added);
      else element.append(added);
      shown = text;
    },
  };
}

/**
 * A list with one child for each value. A child keeps its index, and is drawn again only if its value is not the same as
 * before. So values must not be changed after they were shown.
 * @template V
 * @param {HTMLElement} list
 * @param {() => { element: HTMLElement, show: (value: V, index: number) => void }} make
 */
export function liveList(list, make) {
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
          list.append(child.element);
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
 * @param {HTMLElement} list
 * @returns {Element | undefined}
 */
function lastText(list) {
  for (let item = list.lastElementChild; item !== null; item = item.previousElementSibling) {
    const texts = item.querySelectorAll("[data-text]:not([hidden])");
    if (texts.length > 0) return texts[texts.length - 1];
  }
  return undefined;
}
