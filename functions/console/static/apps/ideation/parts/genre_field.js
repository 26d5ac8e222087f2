/** The form field for genres and the percentage of ideas that each genre gets. */

/** @import { Field } from "../../../core/parts/fields.js" */

import { h, setText } from "../../../core/app/dom.js";
import { showRule } from "../../../core/parts/fields.js";
import { genreRows } from "./genre_rows.js";
import { addUpTo100 } from "./share_sum.js";

/** @typedef {{ path: string[], share: number | null }} Genre `share` in percent */

const MAX_GENRES = 20;

/**
 * Two fields of the API, `genrePaths` and `genreProportions`, as the rows of one list.
 * @param {readonly Genre[]} given
 */
export function genreField(given) {
  const sum = h("output", { class: "sum" });
  const error = h("p", { class: "error", id: "genres-error", hidden: true });
  const add = h("button", { type: "button", class: "button small", onclick: () => rows.add({ path: [], share: null }).focus() }, "Add a genre");
  const share = h("button", { type: "button", class: "button small", onclick: () => rows.shareEvenly() }, "Share evenly");
  const rows = genreRows(() => {
    setText(sum, `${rows.total()}% of 100%`);
    sum.dataset["valid"] = String(addUpTo100(sharesOf(rows)));
    add.disabled = rows.all().length >= MAX_GENRES;
    showRule(error, null);
  });
  const element = h("fieldset", { class: "field", "aria-describedby": "genres-hint genres-error" },
    h("legend", {}, "Genres and their share of the ideas"),
    h("p", { class: "hint", id: "genres-hint" },
      `Write a genre from general to specific, separated by “>”: Fiction > Mystery > Cozy. At most ${MAX_GENRES} genres. The shares are percentages and add up to 100.`),
    rows.element, h("div", { class: "below" }, h("span", { class: "actions" }, add, share), sum), error);
  for (const genre of given) rows.add(genre);
  return { element, ...apiFields(element, error, rows) };
}

/**
 * @param {HTMLElement} element
 * @param {HTMLElement} error
 * @param {ReturnType<typeof genreRows>} rows
 */
function apiFields(element, error, rows) {
  const invalid = () => rows.all().find((row) => row.rule() !== null);
  /** @param {string | null} rule */
  const refuse = (rule) => {
    showRule(error, rule);
    for (const row of rows.all()) row.mark(rule !== null && row.rule() !== null);
  };
  const check = () => invalid()?.rule() ?? (addUpTo100(sharesOf(rows)) ? null : `shares must add up to 100; they add up to ${rows.total()}`);
  const focus = () => (invalid() ?? rows.all()[0])?.focus();
  /** @type {Field<string[][]>} */
  const paths = { name: "genrePaths", element, check, refuse, focus, value: () => rows.all().map((row) => row.path()) };
  /** @type {Field<number[]>} */
  const shares = {
    ...{ ...paths, name: "genreProportions", check: () => null, refuse: (rule) => rule && refuse(rule) },
    value: () => sharesOf(rows),
  };
  return { paths, shares };
}

/** @param {ReturnType<typeof genreRows>} rows */
function sharesOf(rows) {
  return rows.all().map((row) => row.share() ?? 0);
}
