/** Draws the timeline of a job: a table whose last column has the bars, and the details of the chosen row. */

/** @import { Bar } from "./timeline.js" */
/** @import { JobFeed } from "./job_feed.js" */

import { fill, h, setText } from "../../app/dom.js";
import { duration, number } from "../../app/format.js";
import { factList } from "../facts.js";
import { figuresOf, timelineOf } from "./timeline.js";

/** @type {Record<Bar["status"], string>} */
const STATUSES = { waiting: "waiting", running: "running", done: "done", failed: "failed", cancelled: "cancelled" };

/** @param {JobFeed} feed */
export function timelineView(feed) {
  const figures = h("div", { class: "debug-figures" });
  const body = h("tbody", {});
  const details = h("div", { class: "debug-details", "aria-live": "polite", hidden: true });
  const note = h("p", { class: "subtitle" });
  /** @type {string | null} */
  let chosen = null;
  /** The rows by bar, which keep their elements, so that the focus stays. @type {Map<string, ReturnType<typeof row>>} */
  const rows = new Map();
  /** @param {string} id */
  const choose = (id) => {
    chosen = chosen === id ? null : id;
    show();
  };
  const table = h("table", { class: "timeline" },
    h("caption", { class: "visually-hidden" }, "Timeline: what the job did, when each part began, and how long it took"),
    h("thead", {}, h("tr", {}, ["Part", "Began", "Duration", "Status"].map((name) => h("th", { scope: "col" }, name)), h("td", { "aria-hidden": "true" }))),
    body);
  table.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const buttons = [...body.querySelectorAll("button")];
    buttons[buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement)) + step]?.focus();
    event.preventDefault();
  });

  function show() {
    const { moments, record, watch } = feed;
    const now = feed.now();
    const line = timelineOf(moments, record.history, now);
    fill(figures, factList(factsOf(figuresOf(moments, record.history, watch.view, now), watch.live)));
    const kept = new Set(line.bars.map(({ id }) => id));
    for (const [id, { element }] of rows) {
      if (!kept.has(id)) {
        element.remove();
        rows.delete(id);
      }
    }
    line.bars.forEach((bar, index) => {
      const known = rows.get(bar.id) ?? row(bar, () => choose(bar.id));
      rows.set(bar.id, known);
      if (body.children[index] !== known.element) body.insertBefore(known.element, body.children[index] ?? null);
      known.show(bar, line, bar.id === chosen);
    });
    const bar = line.bars.find(({ id }) => id === chosen);
    details.hidden = bar === undefined;
    if (bar) showDetails(details, bar, line.begin);
    setText(note, noteOf(feed));
  }
  return { element: h("div", {}, figures, h("div", { class: "table-scroll", role: "region", "aria-label": "Timeline", tabindex: "0" }, table), details, note), show };
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

/** @param {JobFeed} feed */
function noteOf({ job, record }) {
  const kept = job.historyIsWhole ? "" : "The beginning is no longer stored. ";
  const tools = record.history.some(({ type }) => type === "tool") ? "" : " Only text tells when the model writes.";
  return `${kept}The log has no event for the moment at which an attempt fails: the wait before a retry begins at its last event.${tools}`;
}

/**
 * @param {Bar} first
 * @param {() => void} choose
 */
function row(first, choose) {
  const button = h("button", { type: "button", class: "timeline-name", onclick: choose }, first.label);
  const [began, took, status] = [h("td", {}), h("td", {}), h("td", {})];
  const bar = h("div", { class: "timeline-bar", "data-kind": first.kind });
  const element = h("tr", { "data-depth": first.depth }, h("th", { scope: "row" }, button), began, took, status,
    h("td", { class: "timeline-track", "aria-hidden": "true" }, bar));
  return {
    element,
    /**
     * @param {Bar} shown
     * @param {{ begin: number, end: number }} line
     * @param {boolean} isChosen
     */
    show(shown, { begin, end }, isChosen) {
      setText(button, shown.label);
      button.setAttribute("aria-expanded", String(isChosen));
      setText(began, `+${duration(shown.begin - begin)}`);
      setText(took, `${shown.known ? "" : "about "}${duration(shown.end - shown.begin)}`);
      setText(status, STATUSES[shown.status]);
      element.dataset.status = shown.status;
      const share = (/** @type {number} */ time) => (100 * (time - begin)) / (end - begin);
      bar.style.insetInlineStart = `${share(shown.begin).toFixed(2)}%`;
      bar.style.width = `${Math.max(0, share(shown.end) - share(shown.begin)).toFixed(2)}%`;
    },
  };
}

/**
 * @param {HTMLElement} element
 * @param {Bar} bar
 * @param {number} begin
 */
function showDetails(element, bar, begin) {
  const facts = [
    ["Began", new Date(bar.begin).toISOString()],
    ["After the job's creation", duration(bar.begin - begin)],
    [bar.known ? "Duration" : "Duration, at most", duration(bar.end - bar.begin)],
    ["Status", STATUSES[bar.status]],
    ...bar.facts,
  ];
  const key = JSON.stringify([bar.id, facts]);
  if (element.dataset.shown === key) return;
  element.dataset.shown = key;
  fill(element, h("h3", {}, bar.label), factList(facts.map(([name, value]) => /** @type {const} */ ([name ?? "", value]))));
}
