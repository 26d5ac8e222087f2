/** What `facts.js` creates, as components. Apart from it, because the home page shows values without Preact. */

/** @import { Fact } from "./facts.js" */

import { time } from "../app/format.js";
import { Icon } from "../app/icon_component.js";
import { iconOfStatus } from "../app/icons.js";
import { statusLabel } from "../app/labels.js";
import { h } from "../app/preact.js";
import { relativeTime } from "../app/relative_times.js";
import { describeFacts } from "./facts.js";

/** @param {{ facts: readonly (Fact | false | null)[] }} properties a fact without a value is omitted */
export function FactList({ facts }) {
  return describeFacts(h, facts);
}

/**
 * `3 minutes ago`, with the exact time as its tooltip. The text changes as time passes.
 * @param {{ iso: string }} properties
 */
export function TimeAgo({ iso }) {
  return h("time", { datetime: iso, title: time(iso), "data-relative": true }, relativeTime(iso));
}

/** @param {{ status: string }} properties */
export function StatusBadge({ status }) {
  return h("span", { class: "badge", "data-status": status }, h(Icon, { name: iconOfStatus(status) }), statusLabel(status));
}
