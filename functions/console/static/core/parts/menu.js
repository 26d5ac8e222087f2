/** A button that opens a list of links and actions below it. */

import { h, setAttribute } from "../app/dom.js";
import { icon } from "../app/icons.js";

/** @typedef {{ label: string, path?: string, act?: () => unknown, current?: boolean, pressed?: boolean }} MenuItem a link if it has a path, else a button, which can be pressed */

/** Every menu has an id, with which its button names its list. */
let menuCount = 0;

/**
 * The menu closes when the user chooses an item, presses Escape, clicks elsewhere, or moves the focus out of it.
 * @param {string} label
 * @param {readonly MenuItem[]} items
 * @param {{ end?: boolean }} [options] `end`: the list is aligned with the end of the button, as at the end of a row
 */
export function menu(label, items, { end = false } = {}) {
  menuCount += 1;
  const id = `menu-${menuCount}`;
  const button = h("button", { type: "button", class: "menu-button", "aria-expanded": "false", "aria-controls": id },
    h("span", { class: "menu-label", dir: "auto" }, label));
  const list = h("ul", { id, class: end ? "menu-list at-end" : "menu-list", hidden: true }, items.map(({ label: text, path, act, current, pressed }) =>
    h("li", {}, path
      ? h("a", { href: path, "aria-current": current && "page" }, text)
      : h("button", { type: "button", "aria-pressed": pressed === undefined ? null : String(pressed), onclick: act }, pressed && icon("check"), text))));
  const element = h("div", { class: "menu" }, button, list);
  if (items.some(({ current }) => current)) setAttribute(button, "data-current", true);

  /** @param {boolean} open */
  const show = (open) => {
    list.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) document.addEventListener("pointerdown", onPointer);
    else document.removeEventListener("pointerdown", onPointer);
  };
  /** @param {Event} event */
  const onPointer = ({ target }) => {
    if (!(target instanceof Node && element.contains(target))) show(false);
  };
  button.addEventListener("click", () => show(list.hidden !== false));
  list.addEventListener("click", () => show(false));
  element.addEventListener("focusout", ({ relatedTarget }) => {
    // A click on the page takes the focus away without giving it to anything: `onPointer` handles it.
    if (relatedTarget instanceof Node && !element.contains(relatedTarget)) show(false);
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) {
      show(false);
      button.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) show(true);
      moveFocus(list, event.key === "ArrowDown" ? 1 : -1);
    }
  });
  return element;
}

/**
 * @param {HTMLElement} list
 * @param {1 | -1} step
 */
function moveFocus(list, step) {
  const items = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("a, button")]);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const next = at < 0 ? (step > 0 ? 0 : items.length - 1) : (at + step + items.length) % items.length;
  items[next]?.focus();
}
