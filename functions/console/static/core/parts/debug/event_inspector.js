/** Shows the raw events of a job's log: only the rows on the screen are elements, however many events there are. */

/** @import { Recorded } from "./job_record.js" */
/** @import { JobFeed } from "./job_feed.js" */

import { problemOf } from "../../../millrace.js";
import { number } from "../../app/format.js";
import { h, useLayoutEffect, useMemo, useRef, useState } from "../../app/preact.js";
import { useKeptFocus } from "../../app/use_kept_focus.js";
import { pretty } from "../export_buttons.js";
import { CopyButton, DownloadButton } from "../export_components.js";
import { EventFilter, ndjsonOf } from "./event_filter.js";
import { LoadAll } from "./load_all.js";

/** The height of a row and of the list, in pixels. */
const ROW = 28;
const HEIGHT = 336;
/** Rows above and below those on the screen, so that a row is an element before it is scrolled to. */
const MARGIN = 4;

/** @param {{ feed: JobFeed }} properties */
export function EventInspector({ feed }) {
  const [wanted, setWanted] = useState({ type: "", text: "" });
  const [chosen, setChosen] = useState(/** @type {Recorded | null} */ (null));
  const filter = useMemo(() => {
    const made = new EventFilter();
    made.change(wanted);
    return made;
  }, [feed.record, wanted]);
  filter.take(feed.record.events);
  const all = () => ndjsonOf(filter.found);
  /** @param {Partial<typeof wanted>} change */
  const want = (change) => setWanted({ ...wanted, ...change });
  return h("div", {},
    h("div", { class: "event-filters" },
      h("label", { for: "event-type" }, "Type"),
      h("select", { id: "event-type", onchange: (/** @type {any} */ event) => want({ type: event.target.value }) },
        ["", ...filter.types].map((type) => h("option", { key: type, value: type, selected: type === wanted.type }, type || "All types"))),
      h("label", { for: "event-text" }, "Text"),
      h("input", { id: "event-text", type: "search", value: wanted.text, oninput: (/** @type {any} */ event) => want({ text: event.target.value }) }),
      !feed.isWhole && h(LoadAll, { feed }),
      h(CopyButton, { label: "Copy", text: all, about: "the shown events, as NDJSON" }),
      h(DownloadButton, { label: "Download", name: `${feed.job.jobId}.ndjson`, type: "application/x-ndjson", text: all })),
    h("p", { class: "subtitle", role: "status" }, countOf(feed, filter.found.length)),
    h(Rows, { found: filter.found, key: JSON.stringify(wanted), chosen, choose: setChosen }),
    chosen && h("div", { class: "debug-details" }, h(Details, { recorded: chosen })));
}

/**
 * The list, which begins at its top for each filter.
 * @param {{ found: readonly Recorded[], chosen: Recorded | null, choose: (recorded: Recorded) => void }} properties
 */
function Rows({ found, chosen, choose }) {
  const [begin, setBegin] = useState(0);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const rows = useRef(/** @type {HTMLElement | null} */ (null));
  const moved = useRef(false);
  useKeptFocus(rows, list);
  useLayoutEffect(() => {
    if (!moved.current) return;
    moved.current = false;
    /** @type {HTMLElement | null | undefined} */ (rows.current?.querySelector('[aria-pressed="true"]'))?.focus({ preventScroll: true });
  });
  const shown = found.slice(begin, begin + Math.ceil(HEIGHT / ROW) + 2 * MARGIN);
  /** @param {KeyboardEvent} event */
  const move = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const element = list.current;
    if (step === undefined || element === null || !rows.current?.contains(document.activeElement)) return;
    event.preventDefault();
    const index = found.findIndex(({ id }) => id === chosen?.id) + step;
    const next = found[index];
    if (next === undefined) return;
    if (index * ROW < element.scrollTop) element.scrollTop = index * ROW;
    if ((index + 1) * ROW > element.scrollTop + HEIGHT) element.scrollTop = (index + 1) * ROW - HEIGHT;
    moved.current = true;
    choose(next);
  };
  return h("div", {
    ...{ class: "event-list", role: "region", "aria-label": "Events", tabindex: "0", ref: list, hidden: found.length === 0, onkeydown: move },
    onscroll: (/** @type {any} */ event) => setBegin(Math.max(0, Math.floor(event.currentTarget.scrollTop / ROW) - MARGIN)),
  }, h("div", { class: "event-space", style: { height: `${found.length * ROW}px` } },
    h("ol", { class: "event-rows", ref: rows, style: { top: `${begin * ROW}px` } },
      shown.map((each) => h(Row, { key: each.id, recorded: each, isChosen: each.id === chosen?.id, choose })))));
}

/** @param {{ recorded: Recorded, isChosen: boolean, choose: (recorded: Recorded) => void }} properties */
function Row({ recorded, isChosen, choose }) {
  const { type, ...data } = recorded.event;
  const time = recorded.at === null ? "" : new Date(recorded.at).toISOString().slice(11, 23);
  return h("li", {}, h("button", { type: "button", class: "event-row", "aria-pressed": String(isChosen), onclick: () => choose(recorded) },
    h("span", { class: "event-id" }, recorded.id), h("span", { class: "event-time" }, time), h("span", { class: "event-type" }, type),
    h("span", { class: "event-data" }, JSON.stringify(data).slice(0, 300))));
}

/** @param {{ recorded: Recorded }} properties */
function Details({ recorded: { id, event } }) {
  return [
    h("div", { class: "section-head" }, h("h3", {}, `Event ${id}: ${event.type}`), h(CopyButton, { label: "Copy", text: () => pretty(event), about: "this event, as JSON" })),
    h("pre", { class: "debug-text", tabindex: "0", role: "region", "aria-label": `Event ${id} as JSON` }, pretty(event)),
  ];
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
