/** Draws the timeline of a job: a table whose last column has the bars, and the details of the chosen row. */

/** @import { Bar, Timeline } from "./timeline.js" */
/** @import { JobFeed } from "./job_feed.js" */

import { duration, number } from "../../app/format.js";
import { h, useState } from "../../app/preact.js";
import { FactList } from "../fact_components.js";
import { figuresOf, timelineOf } from "./timeline.js";

/** @type {Record<Bar["status"], string>} */
const STATUSES = { waiting: "waiting", running: "running", done: "done", failed: "failed", cancelled: "cancelled" };

/** @param {{ feed: JobFeed }} properties */
export function TimelineView({ feed }) {
  const [chosen, setChosen] = useState(/** @type {string | null} */ (null));
  const { moments, record, watch } = feed;
  const now = feed.now();
  const line = timelineOf(moments, record.history, now);
  const bar = line.bars.find(({ id }) => id === chosen);
  return h("div", {},
    h("div", { class: "debug-figures" }, h(FactList, { facts: factsOf(figuresOf(moments, record.history, watch.view, now), watch.live) })),
    h("div", { class: "table-scroll", role: "region", "aria-label": "Timeline", tabindex: "0" },
      h("table", { class: "timeline", onkeydown: moveFocus },
        h("caption", { class: "visually-hidden" }, "Timeline: what the job did, when each part began, and how long it took"),
        h("thead", {}, h("tr", {}, ["Part", "Began", "Duration", "Status"].map((name) => h("th", { key: name, scope: "col" }, name)), h("td", { "aria-hidden": "true" }))),
        h("tbody", {}, line.bars.map((each) =>
          h(Row, { key: each.id, bar: each, line, isChosen: each.id === chosen, choose: () => setChosen(each.id === chosen ? null : each.id) }))))),
    // The element is there before the details, so that screen readers tell them.
    h("div", { class: "debug-details", "aria-live": "polite", hidden: bar === undefined }, bar && h(Details, { bar, begin: line.begin })),
    h("p", { class: "subtitle" }, noteOf(feed)));
}

/** Resets after which the same attempt continues, or after which no attempt had failed. */
const NO_FAILURE = new Set(["REPAIR", "RESTARTED", "RESUMED"]);

/** Arrow keys move the focus from one row to the next. @param {KeyboardEvent & { currentTarget: Element }} event */
function moveFocus(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  buttons[buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement)) + step]?.focus();
  event.preventDefault();
}

/**
 * @param {ReturnType<typeof figuresOf>} figures
 * @param {boolean} live
 * @returns {(readonly [string, string | null])[]}
 */
function factsOf({ elapsedMs, firstTextMs, charactersPerSecond, tokensPerSecond, retriesLeft }, live) {
  return [
    [live ? "Elapsed" : "Duration", duration(elapsedMs)],
    ["Time to first text", firstTextMs === null ? null : duration(firstTextMs)],
    ["Tokens per second", tokensPerSecond === null ? null : number(tokensPerSecond)],
    ["Characters per second", charactersPerSecond === null ? null : number(charactersPerSecond)],
    ["Retries left", retriesLeft === null ? null : String(retriesLeft)],
  ];
}

/** @param {Pick<JobFeed, "job" | "record">} feed */
function noteOf({ job, record }) {
  // A server before this field does not say whether the history is whole.
  const kept = job.historyIsWhole === false ? "The beginning is no longer stored. " : "";
  const hasFailed = record.history.some(({ type, reason }) => type === "reset" && !NO_FAILURE.has(reason ?? ""));
  const failed = "The log does not say when an attempt failed, so the wait before the next one begins at the last event of the attempt.";
  return `${kept}${hasFailed ? failed : ""}`;
}

/** @param {{ bar: Bar, line: Timeline, isChosen: boolean, choose: () => void }} properties */
function Row({ bar, line, isChosen, choose }) {
  const share = (/** @type {number} */ time) => (100 * (time - line.begin)) / (line.end - line.begin);
  const style = {
    insetInlineStart: `${share(bar.begin).toFixed(2)}%`,
    width: `${Math.max(0, share(bar.end) - share(bar.begin)).toFixed(2)}%`,
  };
  return h("tr", { "data-depth": bar.depth, "data-status": bar.status },
    h("th", { scope: "row" }, h("button", { type: "button", class: "timeline-name", "aria-expanded": String(isChosen), onclick: choose }, bar.label)),
    h("td", {}, `+${duration(bar.begin - line.begin)}`),
    h("td", {}, `${bar.known ? "" : "about "}${duration(bar.end - bar.begin)}`),
    h("td", {}, STATUSES[bar.status]),
    h("td", { class: "timeline-track", "aria-hidden": "true" }, h("div", { class: "timeline-bar", "data-kind": bar.kind, style })));
}

/** @param {{ bar: Bar, begin: number }} properties */
function Details({ bar, begin }) {
  const facts = [
    ["Began", new Date(bar.begin).toISOString()],
    ["After the job's creation", duration(bar.begin - begin)],
    [bar.known ? "Duration" : "Duration, at most", duration(bar.end - bar.begin)],
    ["Status", STATUSES[bar.status]],
    ...bar.facts,
  ];
  return [h("h3", {}, bar.label), h(FactList, { facts: facts.map(([name, value]) => /** @type {const} */ ([name ?? "", value])) })];
}
