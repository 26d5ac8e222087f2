/** Shows the raw events of a job's log: only the rows on the screen are elements, however many events there are. */

/** @import { Recorded } from "./job_record.js" */
/** @import { JobFeed } from "./job_feed.js" */

import { fill, h, setText } from "../../app/dom.js";
import { number } from "../../app/format.js";
import { problemOf } from "../../../millrace.js";
import { copyButton, downloadButton, pretty } from "../export_buttons.js";
import { EventFilter, ndjsonOf } from "./event_filter.js";

/** The height of a row and of the list, in pixels. */
const ROW = 28;
const HEIGHT = 336;

/** @param {JobFeed} feed */
export function eventInspector(feed) {
  const filter = new EventFilter();
  let record = feed.record;
  let chosen = 0;
  const types = h("select", { id: "event-type", onchange: () => refilter() }, h("option", { value: "" }, "All types"));
  const text = h("input", { id: "event-text", type: "search", oninput: () => refilter() });
  const count = h("p", { class: "subtitle", role: "status" });
  const load = h("button", { type: "button", class: "button small", onclick: () => void feed.loadAll() }, "Load all events");
  const rows = h("ol", { class: "event-rows" });
  const space = h("div", { class: "event-space" }, rows);
  const list = h("div", { class: "event-list", role: "region", "aria-label": "Events", tabindex: "0", onscroll: () => draw(), onkeydown: (/** @type {KeyboardEvent} */ event) => move(event) }, space);
  const details = h("div", { class: "debug-details", hidden: true });
  const all = () => ndjsonOf(filter.found);
  const element = h("div", {},
    h("div", { class: "event-filters" },
      h("label", { for: "event-type" }, "Type"), types, h("label", { for: "event-text" }, "Text"), text, load,
      copyButton("Copy", all, "the shown events, as NDJSON"),
      downloadButton("Download", `${feed.job.jobId}.ndjson`, "application/x-ndjson", all)),
    count, list, details);

  function refilter() {
    filter.change({ type: types.value, text: text.value });
    list.scrollTop = 0;
    show();
  }

  function show() {
    if (record !== feed.record) {
      record = feed.record;
      filter.change({ type: types.value, text: text.value });
    }
    filter.take(record.events);
    for (const type of filter.types) {
      if (![...types.options].some(({ value }) => value === type)) types.append(h("option", { value: type }, type));
    }
    load.hidden = feed.isWhole;
    load.disabled = feed.isLoading;
    setText(count, countOf(feed, filter.found.length));
    list.hidden = filter.found.length === 0;
    space.style.height = `${filter.found.length * ROW}px`;
    draw();
  }

  function draw() {
    const begin = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
    const shown = filter.found.slice(begin, begin + Math.ceil(HEIGHT / ROW) + 8);
    const focused = rows.contains(document.activeElement) ? chosen : 0;
    const key = `${begin} ${shown[0]?.id} ${shown.at(-1)?.id} ${chosen}`;
    if (rows.dataset.shown === key) return;
    rows.dataset.shown = key;
    rows.style.top = `${begin * ROW}px`;
    fill(rows, shown.map((each) => eventRow(each, each.id === chosen, () => choose(each))));
    if (focused) /** @type {HTMLElement | null} */ (rows.querySelector('[aria-pressed="true"]'))?.focus({ preventScroll: true });
  }

  /** @param {Recorded} each */
  function choose(each) {
    chosen = each.id;
    fill(details,
      h("div", { class: "section-head" }, h("h3", {}, `Event ${each.id}: ${each.event.type}`), copyButton("Copy", () => pretty(each.event), "this event, as JSON")),
      h("pre", { class: "debug-text", tabindex: "0", role: "region", "aria-label": `Event ${each.id} as JSON` }, pretty(each.event)));
    details.hidden = false;
    draw();
    /** @type {HTMLElement | null} */ (rows.querySelector('[aria-pressed="true"]'))?.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  function move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined || !rows.contains(document.activeElement)) return;
    event.preventDefault();
    const index = filter.found.findIndex(({ id }) => id === chosen) + step;
    const next = filter.found[index];
    if (next === undefined) return;
    if (index * ROW < list.scrollTop) list.scrollTop = index * ROW;
    if ((index + 1) * ROW > list.scrollTop + HEIGHT) list.scrollTop = (index + 1) * ROW - HEIGHT;
    chosen = next.id;
    draw();
    choose(next);
  }
  return { element, show };
}

/**
 * @param {JobFeed} feed
 * @param {number} found
 */
function countOf({ record, isLoading, isWhole, error, job, watch }, found) {
  if (error !== null) return `The events could not be loaded: ${problemOf(error).message}`;
  if (isLoading) return "Loading events…";
  const dropped = record.dropped > 0 ? ` The oldest ${number(record.dropped)} are no longer in memory.` : "";
  const total = Math.max(record.lastId, watch.view.lastEventId, job.lastEventId);
  const first = record.events[0]?.id ?? 0;
  const missing = first > 1 && isWhole ? ` The server has replaced the events before ${number(first)} by a snapshot.` : "";
  return `${number(found)} of ${number(total)} events.${dropped}${missing}`;
}

/**
 * @param {Recorded} each
 * @param {boolean} isChosen
 * @param {() => void} choose
 */
function eventRow({ id, at, event }, isChosen, choose) {
  const { type, ...data } = event;
  const time = at === null ? "" : new Date(at).toISOString().slice(11, 23);
  return h("li", {}, h("button", { type: "button", class: "event-row", "aria-pressed": String(isChosen), onclick: choose },
    h("span", { class: "event-id" }, id), h("span", { class: "event-time" }, time), h("span", { class: "event-type" }, type),
    h("span", { class: "event-data" }, JSON.stringify(data).slice(0, 300))));
}
