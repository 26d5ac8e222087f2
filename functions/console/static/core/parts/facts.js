/** Names and what stands for them. */

/** @import { Child } from "../app/dom.js" */

import { h } from "../app/dom.js";
import { ago, time } from "../app/format.js";

/** @param {readonly (readonly [string, Child] | false | null)[]} facts those without a value are left out */
export function factList(facts) {
  const shown = facts.filter((fact) => fact !== false && fact !== null && fact[1] !== null && fact[1] !== undefined);
  return h("dl", { class: "facts" }, shown.map((fact) => fact && h("div", {}, h("dt", {}, fact[0]), h("dd", {}, fact[1]))));
}

/**
 * `3 minutes ago`, with the exact time behind it.
 * @param {string} iso
 */
export function timeOf(iso) {
  return h("time", { datetime: iso, title: time(iso) }, ago(iso));
}

/**
 * @param {string} status
 * @param {string} label
 */
export function badge(status, label) {
  return h("span", { class: "badge", "data-status": status }, label);
}
