/** The rows of the genre field: a genre and its share each. */

/** @import { Genre } from "./genre_field.js" */

import { fill, h, setAttribute } from "../../../core/app/dom.js";

const MAX_LEVELS = 6;
const MAX_NAME_LENGTH = 60;

/** @param {() => void} changed called after every change of a row or of the number of rows */
export function genreRows(changed) {
  /** @type {ReturnType<typeof genreRow>[]} */
  let rows = [];
  const element = h("ol", { class: "genres" });
  const update = () => {
    rows.forEach((row, index) => row.setPosition(index + 1, rows.length));
    changed();
  };
  return {
    element,
    all: () => rows,
    /** The sum of the shares, in percent. */
    total: () => Math.round(rows.reduce((sum, row) => sum + (row.share() ?? 0), 0) * 100) / 100,
    /** @param {Genre} genre */
    add(genre) {
      const row = genreRow(genre, update, () => {
        rows = rows.filter((each) => each !== row);
        row.element.remove();
        update();
        rows.at(-1)?.focus();
      });
      rows.push(row);
      element.append(row.element);
      update();
      return row;
    },
    shareEvenly() {
      // The first row gets the hundredths of a percent that remain after the division.
      const each = Math.floor(10_000 / rows.length) / 100;
      const first = Math.round((100 - each * (rows.length - 1)) * 100) / 100;
      rows.forEach((row, index) => row.setShare(index === 0 ? first : each));
      update();
    },
  };
}

/**
 * @param {Genre} genre
 * @param {() => void} changed
 * @param {() => void} remove
 */
function genreRow({ path, share }, changed, remove) {
  const { element, name, percent, setPosition } = rowElements(path.join(" > "), share, remove);
  for (const input of [name, percent]) {
    input.addEventListener("input", () => {
      setAttribute(input, "aria-invalid", null);
      changed();
    });
  }
  const names = () => name.value.split(/[>›]/).map((each) => each.trim()).filter((each) => each !== "");
  const rule = () => brokenRule(names(), percent.valueAsNumber);
  return {
    element,
    rule,
    setPosition,
    path: names,
    share: () => (Number.isNaN(percent.valueAsNumber) ? null : percent.valueAsNumber),
    /** @param {number} value */
    setShare: (value) => void (percent.value = String(value)),
    focus: () => (names().length > 0 && rule() !== null ? percent : name).focus(),
    /** @param {boolean} invalid */
    mark(invalid) {
      for (const input of [name, percent]) setAttribute(input, "aria-invalid", invalid ? "true" : null);
    },
  };
}

/**
 * @param {string} path
 * @param {number | null} share
 * @param {() => void} remove
 */
function rowElements(path, share, remove) {
  const name = h("input", {
    ...{ type: "text", class: "genre-path", placeholder: "Fiction > Mystery", autocomplete: "off", value: path },
    "aria-describedby": "genres-hint genres-error",
  });
  const percent = h("input", {
    ...{ type: "number", class: "genre-share", min: 0, max: 100, step: "any", inputmode: "decimal", value: share ?? "" },
    "aria-describedby": "genres-error",
  });
  const removeLabel = h("span", { class: "visually-hidden" });
  const button = h("button", { type: "button", class: "button small bare", onclick: remove }, removeLabel, h("span", { "aria-hidden": "true" }, "×"));
  return {
    ...{ name, percent },
    element: h("li", {}, name, h("span", { class: "percent-input" }, percent, h("span", { "aria-hidden": "true" }, "%")), button),
    /** @param {number} position from 1 @param {number} count of all rows */
    setPosition(position, count) {
      name.setAttribute("aria-label", `Genre ${position}`);
      percent.setAttribute("aria-label", `Share of genre ${position}, in percent`);
      fill(removeLabel, `Remove genre ${position}`);
      button.disabled = count === 1;
    },
  };
}

/**
 * Return the rule that a row breaks, or null.
 * @param {readonly string[]} names of the genre, from general to specific
 * @param {number} share NaN if it is missing
 */
function brokenRule(names, share) {
  if (names.length === 0) return "every genre needs a name";
  const path = names.join(" > ");
  if (names.length > MAX_LEVELS) return `a genre can have at most ${MAX_LEVELS} levels; “${path}” has ${names.length}`;
  if (names.some((name) => name.length > MAX_NAME_LENGTH)) return `a name in a genre can have at most ${MAX_NAME_LENGTH} characters`;
  return share >= 0 && share <= 100 ? null : `“${path}” needs a share from 0 to 100`;
}
