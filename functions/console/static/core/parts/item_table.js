/** A table of a list's items. Of a long one, only the rows near the visible part of the page are in the document. */

/** @import { Attributes, Child, VNode } from "../app/preact.js" */

import { h, useEffect, useRef, useState } from "../app/preact.js";

/** Rows that enter and leave the document together. */
const CHUNK = 10;
/** How far from the visible part of the page a chunk enters the document, in pixels. */
const MARGIN = 400;
/** All rows of a list of this length are in the document. */
const SHORT = 100;
/** Rows of a longer list that are drawn at once, before anything is known of the visible part. */
const FIRST = 50;
/** The height of a row of a chunk that was never drawn, in pixels. */
const ROW = 40;

/**
 * @template T
 * @typedef {object} ItemTableProperties
 * @property {string} caption for screen readers
 * @property {readonly Child[]} columns the heading of each; one that is not a text is its own cell
 * @property {readonly T[]} items
 * @property {(item: T) => string} idOf
 * @property {(item: T) => Child} cells of the item's row; it is called again when the list changes, and not as time passes
 * @property {(item: T) => Attributes} [rowOf] attributes of the row
 */

/**
 * @template T
 * @param {ItemTableProperties<T> & Attributes} properties further ones are attributes of the table
 */
export function ItemTable({ caption, columns, items, idOf, cells, rowOf, class: name = "list", ...attributes }) {
  const chunks = [];
  for (let from = 0; from < items.length; from += CHUNK) chunks.push(items.slice(from, from + CHUNK));
  const long = items.length > SHORT;
  return h("table", { ...attributes, class: name, "aria-rowcount": long ? items.length + 1 : null },
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", {}, h("tr", { "aria-rowindex": long ? 1 : null },
      columns.map((each) => (typeof each === "string" ? h("th", { key: each, scope: "col" }, each) : each)))),
    chunks.map((each, index) => h(Chunk, {
      ...{ key: index, items: each, idOf, cells, rowOf, columns: columns.length },
      ...{ first: !long || index * CHUNK < FIRST, before: long ? index * CHUNK + 1 : null },
    })));
}

/**
 * A part of the rows, or one empty row of their height. A chunk that has the focus stays in the document.
 * @param {{ items: readonly any[], idOf: (item: any) => string, cells: ItemTableProperties<any>["cells"], rowOf?: ItemTableProperties<any>["rowOf"], columns: number, first: boolean, before: number | null }} properties
 */
function Chunk({ items, idOf, cells, rowOf, columns, first, before }) {
  const body = useRef(/** @type {HTMLElement | null} */ (null));
  const rowHeight = useRef(ROW);
  const count = useRef(items.length);
  count.current = items.length;
  const [near, setNear] = useState(first);
  useEffect(() => {
    const element = body.current;
    if (element === null || before === null) return setNear(true);
    const seen = new IntersectionObserver((entries) => {
      const { isIntersecting = false, boundingClientRect } = entries.at(-1) ?? {};
      // The observer has measured the rows. To read their height would lay out the table at once, for each chunk.
      if (!isIntersecting && boundingClientRect) rowHeight.current = boundingClientRect.height / count.current;
      setNear(isIntersecting || element.contains(document.activeElement));
    }, { rootMargin: `${MARGIN}px` });
    seen.observe(element);
    return () => seen.disconnect();
  }, [before === null]);
  if (!near) {
    const space = `${rowHeight.current * items.length}px`;
    return h("tbody", { ref: body }, h("tr", { key: "space", class: "space", "aria-hidden": "true" }, h("td", { colspan: columns, style: { height: space } })));
  }
  return h("tbody", { ref: body }, items.map((item, index) => h("tr", {
    ...{ key: idOf(item), "aria-rowindex": before === null ? null : before + index + 1 },
    ...rowOf?.(item),
  }, cells(item))));
}

/**
 * A cell. One without a value is a dash on a wide page, and nothing on a narrow one.
 * @param {string} label of its column, which a narrow page shows beside the value
 * @param {Child} value
 * @param {string} [name] its class
 * @returns {VNode}
 */
export function cell(label, value, name = "") {
  const none = value === null || value === undefined;
  return h("td", { key: label, "data-label": label, class: none ? `${name} none`.trim() : name || null }, none ? "–" : value);
}

/**
 * The cell that names the row's item.
 * @param {string} title
 * @param {string | null} path of its page
 * @param {string} id
 */
export function titleCell(title, path, id) {
  return h("th", { key: "title", scope: "row", title: `${title} · ${id}` },
    path === null ? h("span", { dir: "auto" }, title) : h("a", { href: path, dir: "auto" }, title), " ", h("span", { class: "id" }, id));
}
