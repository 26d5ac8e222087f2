/** Shows the text that each reset has discarded, and how what was written afterwards differs from it. */

/** @import { Discard } from "./job_record.js" */
/** @import { JobFeed } from "./job_feed.js" */

import { number } from "../../app/format.js";
import { resetLabel } from "../../app/labels.js";
import { h, useMemo } from "../../app/preact.js";
import { CopyButton } from "../export_components.js";
import { diff } from "./diff.js";
import { LoadAll } from "./load_all.js";

/** @param {{ feed: JobFeed }} properties */
export function DiscardedText({ feed }) {
  const discards = feed.record.discards.filter(({ text }) => text !== "");
  const resets = feed.record.history.filter(({ type }) => type === "reset").length;
  return h("div", {},
    discards.map(({ id, reason, text, replacement, cut }) => h(Discarded, { key: id, id, reason, text, replacement, cut })),
    discards.length === 0 && h("p", { class: "subtitle" }, resets === 0 || feed.isWhole ? "No text was discarded." : "This page has not seen the discarded text."),
    resets > 0 && !feed.isWhole && h("p", { class: "actions" }, h(LoadAll, { feed })));
}

/** @param {Pick<Discard, "id" | "reason" | "text" | "replacement" | "cut">} properties */
function Discarded({ id, reason, text, replacement, cut }) {
  const heading = `${resetLabel(reason)} (event ${id})`;
  const parts = useMemo(() => (replacement === "" ? [/** @type {const} */ ({ kind: "removed", text })] : diff(text, replacement)), [text, replacement]);
  return h("section", { class: "discard", "aria-label": heading },
    h("div", { class: "section-head" }, h("h3", {}, heading), h(CopyButton, { label: "Copy", text: () => text, about: "the discarded text" })),
    h("p", { class: "subtitle" }, `${number(text.length)} characters were discarded.`, cut && " Only their beginning is kept.",
      replacement === "" && " Nothing has replaced them yet."),
    h("pre", { class: "debug-text diff", tabindex: "0", role: "region", "aria-label": `Difference: ${heading}` },
      parts.map((part) => (part.kind === "same" ? part.text : h(part.kind === "removed" ? "del" : "ins", {}, part.text)))));
}
