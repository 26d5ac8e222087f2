/** Elements that fill while a model writes. */

/** @import { Attributes } from "../app/dom.js" */

import { h, setText } from "../app/dom.js";

/**
 * An element that is hidden until it has text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 */
export function liveText(tag, attributes = {}) {
  const element = h(tag, { ...attributes, hidden: true });
  return {
    element,
    /** @param {unknown} value text; any other value counts as empty text */
    show(value) {
      const text = typeof value === "string" ? value : "";
      setText(element, text);
      element.hidden = text === "";
    },
  };
}

/**
 * A list with one child for each value. A child keeps its index, so that showing more values does not draw it again.
 * @template V
 * @param {HTMLElement} list
 * @param {() => { element: HTMLElement, show: (value: V, index: number) => void }} make
 */
export function liveList(list, make) {
  /** @type {ReturnType<typeof make>[]} */
  const children = [];
  return {
    /** @param {readonly V[]} values */
    show(values) {
      while (children.length > values.length) children.pop()?.element.remove();
      values.forEach((value, index) => {
        let child = children[index];
        if (child === undefined) {
          child = make();
          children.push(child);
          list.append(child.element);
        }
        child.show(value, index);
      });
    },
  };
}

/**
 * Show the cursor after the last text in `within` while the model writes it, and nowhere otherwise.
 * @param {HTMLElement} within
 * @param {boolean} writing
 */
export function showCursor(within, writing) {
  const texts = within.querySelectorAll("[data-text]:not([hidden])");
  const last = writing ? texts[texts.length - 1] : undefined;
  const before = within.querySelector(".writing");
  if (before === last) return;
  before?.classList.remove("writing");
  last?.classList.add("writing");
}
