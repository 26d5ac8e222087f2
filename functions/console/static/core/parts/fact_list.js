/** Components that show a value: lists of names and values, relative times, status badges. */

/** @import { Child } from "../app/preact.js" */

import { ago, time } from "../app/format.js";
import { statusLabel } from "../app/labels.js";
import { h } from "../app/preact.js";
import { useNow } from "../app/use_watch.js";

/** @typedef {readonly [string, Child]} Fact a name and its value */

/** @param {{ facts: readonly (Fact | false | null)[] }} properties a fact without a value is omitted */
export function FactList({ facts }) {
  const shown = facts.filter((fact) => fact !== false && fact !== null && fact[1] !== null && fact[1] !== undefined && fact[1] !== false);
  return h("dl", { class: "facts" }, shown.map((fact) => fact && h("div", { key: fact[0] }, h("dt", {}, fact[0]), h("dd", {}, fact[1]))));
}

/**
 * `3 minutes ago`, with the exact time as its tooltip. It is drawn again as time passes.
 * @param {{ iso: string }} properties
 */
export function TimeAgo({ iso }) {
  const now = useNow();
  return h("time", { datetime: iso, title: time(iso) }, ago(iso, Math.max(now, Date.parse(iso))));
}

/** @param {{ status: string }} properties */
export function StatusBadge({ status }) {
  return h("span", { class: "badge", "data-status": status }, statusLabel(status));
}
