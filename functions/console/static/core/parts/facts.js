/**
 * What shows a value: lists of names and values, relative times, status badges. Each exists as a component, and as a
 * function that creates the same element for pages that are not components.
 */

/** @import { Child } from "../app/dom.js" */
/** @import { Child as Described } from "../app/preact.js" */

import { h as element } from "../app/dom.js";
import { time } from "../app/format.js";
import { Icon, icon, iconOfStatus } from "../app/icons.js";
import { statusLabel } from "../app/labels.js";
import { h } from "../app/preact.js";
import { relativeTime } from "../app/relative_times.js";

/**
 * Creates an element or describes a component: `h` of dom.js or of preact.js.
 * @template T
 * @typedef {(tag: string, attributes: Record<string, any>, ...children: any[]) => T} Create
 */
/** @typedef {readonly [string, Described]} Fact a name and its value */

/** @type {Create<HTMLElement>} */
const create = (tag, { key: _, ...attributes }, ...children) => element(/** @type {"div"} */ (tag), attributes, ...children);

/** @param {{ facts: readonly (Fact | false | null)[] }} properties a fact without a value is omitted */
export function FactList({ facts }) {
  return listOf(h, facts);
}

/** @param {readonly (readonly [string, Child] | false | null)[]} facts as `FactList` takes them */
export function factList(facts) {
  return listOf(create, facts);
}

/**
 * @template T
 * @param {Create<T>} make
 * @param {readonly (readonly [string, unknown] | false | null)[]} facts
 */
function listOf(make, facts) {
  const shown = facts.filter((fact) => fact !== false && fact !== null && fact[1] !== null && fact[1] !== undefined && fact[1] !== false);
  return make("dl", { class: "facts" }, shown.map((fact) => fact && make("div", { key: fact[0] }, make("dt", {}, fact[0]), make("dd", {}, fact[1]))));
}

/**
 * `3 minutes ago`, with the exact time as its tooltip. The text changes as time passes.
 * @param {{ iso: string }} properties
 */
export function TimeAgo({ iso }) {
  return h("time", { datetime: iso, title: time(iso), "data-relative": true }, relativeTime(iso));
}

/** @param {string} iso as `TimeAgo` takes it */
export function timeOf(iso) {
  return element("time", { datetime: iso, title: time(iso), "data-relative": true }, relativeTime(iso));
}

/** @param {{ status: string }} properties */
export function StatusBadge({ status }) {
  return h("span", { class: "badge", "data-status": status }, h(Icon, { name: iconOfStatus(status) }), statusLabel(status));
}

/** @param {string} status */
export function statusBadge(status) {
  return element("span", { class: "badge", "data-status": status }, icon(iconOfStatus(status)), statusLabel(status));
}
