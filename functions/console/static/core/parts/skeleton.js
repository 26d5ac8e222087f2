/** Gray bars in the place of what is being loaded. */

import { h as element } from "../app/dom.js";
import { h } from "../app/preact.js";

/** @param {{ label: string, rows?: number }} properties `label` is for screen readers: `Loading jobs…` */
export function Skeleton({ label, rows = 5 }) {
  return described(h, label, rows);
}

/**
 * The bars as an element, for pages that are not components.
 * @param {string} label
 * @param {number} [rows]
 * @returns {HTMLElement}
 */
export function skeleton(label, rows = 5) {
  return described(/** @type {any} */ (element), label, rows);
}

/**
 * @template T
 * @param {(tag: string, attributes: Record<string, any>, ...children: any[]) => T} create
 * @param {string} label
 * @param {number} rows
 */
function described(create, label, rows) {
  return create("div", { class: "skeleton" }, create("p", { class: "visually-hidden", role: "status" }, label),
    Array.from({ length: rows }, () => create("span", { "aria-hidden": "true" })));
}
