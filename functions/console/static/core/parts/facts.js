/** What shows a value: lists of names and values, relative times, status badges. As components: `fact_components.js`. */

/** @import { Child } from "../app/dom.js" */
/** @import { Child as Described } from "../app/preact.js" */

import { h as element } from "../app/dom.js";
import { time } from "../app/format.js";
import { icon, iconOfStatus } from "../app/icons.js";
import { statusLabel } from "../app/labels.js";
import { relativeTime } from "../app/relative_times.js";

/**
 * Creates an element or describes a component: `h` of dom.js or of preact.js.
 * @template T
 * @typedef {(tag: string, attributes: Record<string, any>, ...children: any[]) => T} Create
 */
/** @typedef {readonly [string, Described]} Fact a name and its value */

/** @type {Create<HTMLElement>} */
const create = (tag, { key: _, ...attributes }, ...children) => element(/** @type {"div"} */ (tag), attributes, ...children);

/** @param {readonly (readonly [string, Child] | false | null)[]} facts a fact without a value is omitted */
export function factList(facts) {
  return describeFacts(create, facts);
}

/**
 * @template T
 * @param {Create<T>} make
 * @param {readonly (readonly [string, unknown] | false | null)[]} facts
 */
export function describeFacts(make, facts) {
  const shown = facts.filter((fact) => fact !== false && fact !== null && fact[1] !== null && fact[1] !== undefined && fact[1] !== false);
  return make("dl", { class: "facts" }, shown.map((fact) => fact && make("div", { key: fact[0] }, make("dt", {}, fact[0]), make("dd", {}, fact[1]))));
}

/**
 * `3 minutes ago`, with the exact time as its tooltip. The text changes as time passes.
 * @param {string} iso
 */
export function timeOf(iso) {
  return element("time", { datetime: iso, title: time(iso), "data-relative": true }, relativeTime(iso));
}

/** @param {string} status */
export function statusBadge(status) {
  return element("span", { class: "badge", "data-status": status }, icon(iconOfStatus(status)), statusLabel(status));
}
