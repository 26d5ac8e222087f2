/** The cards of an output, in groups, so that a card that grows costs the same after many cards as after a few. */

import { h } from "../app/dom.js";
import { liveList } from "./live_text.js";

/** When a card grows, the browser looks at all its siblings and at all groups, so this is near the root of the number of cards. */
const GROUP = 20;

/**
 * A list with one card for each value, as `liveList`. The browser lays out only groups near the window (`cards.css`).
 * @template V
 * @param {() => { element: HTMLElement, show: (value: V, index: number) => void }} make returns a card
 */
export function cardList(make) {
  const element = h("div", { class: "cards", role: "list" });
  /** @param {number} index */
  const groupOf = (index) => {
    const place = Math.floor(index / GROUP);
    return /** @type {HTMLElement} */ (element.children[place] ?? element.appendChild(h("div", { class: "card-group" })));
  };
  const cards = liveList(element, make, groupOf);
  return {
    element,
    /** @param {readonly V[]} values */
    show(values) {
      cards.show(values);
      while (element.lastElementChild?.childElementCount === 0) element.lastElementChild.remove();
    },
  };
}

/** Return the element of a card. @param {HTMLElement} content */
export function card(content) {
  return h("div", { class: "card", role: "listitem" }, content);
}
