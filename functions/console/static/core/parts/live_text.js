/** Pieces of a card that fill while a model writes. */

/** @import { Attributes } from "../app/dom.js" */

import { h, setText } from "../app/dom.js";

/**
 * A piece of text that is there once it has begun.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 */
export function slot(tag, attributes = {}) {
  const element = h(tag, { ...attributes, hidden: true });
  return {
    element,
    /** @param {unknown} value */
    show(value) {
      const text = typeof value === "string" ? value : "";
      setText(element, text);
      element.hidden = text === "";
    },
  };
}

/**
 * Keeps as many cards as there are values, and each showing its own.
 * @template V
 * @param {HTMLElement} list
 * @param {() => { element: HTMLElement, show: (value: V, index: number) => void }} make
 */
export function keyed(list, make) {
  /** @type {ReturnType<typeof make>[]} */
  const cards = [];
  return {
    /** @param {readonly V[]} values */
    show(values) {
      while (cards.length > values.length) cards.pop()?.element.remove();
      values.forEach((value, index) => {
        let card = cards[index];
        if (card === undefined) {
          card = make();
          cards.push(card);
          list.append(card.element);
        }
        card.show(value, index);
      });
    },
  };
}

/**
 * Marks the piece that is being written, if one is, with the cursor.
 * @param {HTMLElement} within
 * @param {boolean} writing
 */
export function putCursor(within, writing) {
  const pieces = within.querySelectorAll("[data-text]:not([hidden])");
  const last = writing ? pieces[pieces.length - 1] : undefined;
  const before = within.querySelector(".writing");
  if (before === last) return;
  before?.classList.remove("writing");
  last?.classList.add("writing");
}
