/** Keeps every relative time of the document true: one timer for all of them. */

import { ago } from "./format.js";

/** In milliseconds. */
const TICK = 1_000;
let isTicking = false;

/**
 * Return `3 minutes ago`, or `in 2 hours`, for an element `<time datetime data-relative>` whose only child is this text.
 * @param {string} iso
 */
export function relativeTime(iso) {
  if (!isTicking) {
    isTicking = true;
    /** @type {any} */ (setInterval(() => showRelativeTimes(), TICK)).unref?.(); // in Node, the timer must not keep a test alive
  }
  return ago(iso);
}

/**
 * Write the present text into every relative time that the document shows.
 * @param {number} [now] milliseconds since 1970
 */
export function showRelativeTimes(now = Date.now()) {
  if (document.hidden) return;
  for (const shown of document.querySelectorAll("time[data-relative]")) {
    const node = shown.firstChild;
    const text = ago(shown.getAttribute("datetime") ?? "", now);
    if (node instanceof Text && node.data !== text) node.data = text; // the same text node, which a component may have made
  }
}
