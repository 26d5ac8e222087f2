/** Short messages at the edge of the page, such as "Saved", which disappear by themselves. */

import { h } from "./dom.js";

/** How long a message stays, in milliseconds. */
const SHOWN = 6_000;

/**
 * Show a message, which screen readers announce, too. It stays longer while the pointer is on it.
 * @param {HTMLElement} place the element of all messages, a live region
 * @param {string} text
 */
export function toast(place, text) {
  const close = h("button", { type: "button", class: "toast-close", "aria-label": "Close", onclick: () => remove() }, "×");
  const element = h("p", { class: "toast" }, h("span", { dir: "auto" }, text), close);
  let timer = setTimeout(() => remove(), SHOWN);
  const remove = () => {
    clearTimeout(timer);
    element.remove();
  };
  element.addEventListener("pointerenter", () => clearTimeout(timer));
  element.addEventListener("pointerleave", () => (timer = setTimeout(remove, SHOWN)));
  place.append(element);
}
