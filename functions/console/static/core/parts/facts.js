/** Small elements that show a value: lists of names and values, relative times, status badges. */

/** @import { Child } from "../app/dom.js" */

import { h } from "../app/dom.js";
import { ago, time } from "../app/format.js";
import { statusLabel } from "../app/labels.js";

/** @param {readonly (readonly [string, Child] | false | null)[]} facts name and value of each; a fact without a value is omitted */
export function factList(facts) {
  const shown = facts.filter((fact) => fact !== false && fact !== null && fact[1] !== null && fact[1] !== undefined);
  return h("dl", { class: "facts" }, shown.map((fact) => fact && h("div", {}, h("dt", {}, fact[0]), h("dd", {}, fact[1]))));
}

/**
 * `3 minutes ago`, with the exact time as its tooltip.
 * @param {string} iso
 */
export function timeOf(iso) {
  return h("time", { datetime: iso, title: time(iso) }, ago(iso));
}

/** @param {string} status */
export function statusBadge(status) {
  return h("span", { class: "badge", "data-status": status }, statusLabel(status));
}
