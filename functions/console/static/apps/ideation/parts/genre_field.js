/** Genres with the share of ideas that each is to get; the shares make a hundred together. */

/** @import { Field } from "../../../core/parts/fields.js" */

import { fill, h, setAttribute, setText } from "../../../core/app/dom.js";
import { showRule } from "../../../core/parts/fields.js";

/** @typedef {{ path: string[], share: number | null }} Genre */

const MOST = 20;
const DEEPEST = 6;
const LONGEST = 60;
const TOLERANCE = 0.01;

/**
 * The two fields of the API that belong together, as one table of rows.
 * @param {readonly Genre[]} given
 */
export function genreField(given) {
  /** @type {ReturnType<typeof genreRow>[]} */
  let rows = [];
  const list = h("ol", { class: "genres" });
  const sum = h("output", { class: "sum" });
  const error = h("p", { class: "error", id: "genres-error", hidden: true });
  const add = h("button", { type: "button", class: "button small", onclick: () => insert({ path: [], share: null }).focus() }, "Add a genre");
  const share = h("button", { type: "button", class: "button small", onclick: () => shareEvenly() }, "Share evenly");
  const element = h("fieldset", { class: "field", "aria-describedby": "genres-hint genres-error" },
    h("legend", {}, "Genres and their share of the ideas"),
    h("p", { class: "hint", id: "genres-hint" },
      `From the widest genre to the narrowest, with “>” between: Fiction > Mystery > Cozy. Up to ${MOST} genres; shares in percent, 100 in all.`),
    list, h("div", { class: "below" }, h("span", { class: "actions" }, add, share), sum), error);

  const total = () => rows.reduce((so_far, row) => so_far + (row.share() ?? 0), 0);
  const changed = () => {
    const now = Math.round(total() * 100) / 100;
    setText(sum, `${now} % of 100 %`);
    sum.dataset["right"] = String(Math.abs(now - 100) <= TOLERANCE);
    add.disabled = rows.length >= MOST;
    rows.forEach((row, index) => row.number(index + 1, rows.length));
    showRule(error, null);
  };
  /** @param {Genre} genre */
  const insert = (genre) => {
    const row = genreRow(genre, changed, () => {
      rows = rows.filter((each) => each !== row);
      row.element.remove();
      changed();
      rows.at(-1)?.focus();
    });
    rows.push(row);
    list.append(row.element);
    changed();
    return row;
  };
  const shareEvenly = () => {
    // What a hundredth of a percent cannot be divided by goes to the first.
    const each = Math.floor(10_000 / rows.length) / 100;
    rows.forEach((row, index) => row.setShare(index === 0 ? Math.round((100 - each * (rows.length - 1)) * 100) / 100 : each));
    changed();
  };
  for (const genre of given) insert(genre);

  /** @param {string | null} rule */
  const refuse = (rule) => {
    showRule(error, rule);
    for (const row of rows) row.mark(rule !== null && row.rule() !== null);
  };
  const check = () => {
    const broken = rows.find((row) => row.rule() !== null);
    if (broken) return broken.rule();
    const now = Math.round(total() * 100) / 100;
    return Math.abs(now - 100) <= TOLERANCE ? null : `shares must sum to 100, and are ${now} together`;
  };
  const focus = () => (rows.find((row) => row.rule() !== null) ?? rows[0])?.focus();
  /** @type {Field<string[][]>} */
  const paths = { name: "genrePaths", element, check, refuse, focus, value: () => rows.map((row) => row.path()) };
  /** @type {Field<number[]>} */
  const shares = { ...paths, name: "genreProportions", check: () => null, refuse: (rule) => rule && refuse(rule), value: () => rows.map((row) => row.share() ?? 0) };
  return { element, paths, shares };
}

/**
 * @param {Genre} genre
 * @param {() => void} changed
 * @param {() => void} remove
 */
function genreRow({ path, share }, changed, remove) {
  const name = h("input", { type: "text", class: "genre-path", placeholder: "Fiction > Mystery", autocomplete: "off", value: path.join(" > "), "aria-describedby": "genres-hint genres-error" });
  const part = h("input", { type: "number", class: "genre-share", min: 0, max: 100, step: "any", inputmode: "decimal", value: share ?? "", "aria-describedby": "genres-error" });
  const unseen = h("span", { class: "unseen" });
  const button = h("button", { type: "button", class: "button small bare", onclick: remove }, unseen, h("span", { "aria-hidden": "true" }, "×"));
  const element = h("li", {}, name, h("span", { class: "percent-input" }, part, h("span", { "aria-hidden": "true" }, "%")), button);
  for (const input of [name, part]) {
    input.addEventListener("input", () => {
      setAttribute(input, "aria-invalid", null);
      changed();
    });
  }
  const names = () => name.value.split(/[>›]/).map((each) => each.trim()).filter((each) => each !== "");
  const rule = () => {
    const found = names();
    if (found.length === 0) return "every genre needs a name";
    if (found.length > DEEPEST) return `a genre may have ${DEEPEST} names at most, and “${found.join(" > ")}” has ${found.length}`;
    if (found.some((each) => each.length > LONGEST)) return `a genre’s name may have ${LONGEST} characters at most`;
    const given = part.valueAsNumber;
    return given >= 0 && given <= 100 ? null : `“${found.join(" > ")}” needs a share from 0 to 100`;
  };
  return {
    element,
    rule,
    path: names,
    share: () => (Number.isNaN(part.valueAsNumber) ? null : part.valueAsNumber),
    /** @param {number} value */
    setShare: (value) => void (part.value = String(value)),
    focus: () => (names().length > 0 && rule() !== null ? part : name).focus(),
    /** @param {boolean} broken */
    mark(broken) {
      for (const input of [name, part]) setAttribute(input, "aria-invalid", broken ? "true" : null);
    },
    /** @param {number} index @param {number} count */
    number(index, count) {
      name.setAttribute("aria-label", `Genre ${index}`);
      part.setAttribute("aria-label", `Share of genre ${index}, in percent`);
      fill(unseen, `Remove genre ${index}`);
      button.disabled = count === 1;
    },
  };
}
