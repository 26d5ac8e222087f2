/** The card of a save that was refused because another tab or program has saved another version. */

import { h } from "../app/dom.js";
import { timeOf } from "./facts.js";

/**
 * @typedef {object} Conflict
 * @property {string} thing what was changed: `agent`
 * @property {Readonly<Record<string, string>>} labels the label of each field that is compared
 * @property {Readonly<Record<string, any>>} own what the user wanted to save
 * @property {Readonly<Record<string, any>> & { version: number, updatedAt: string }} stored
 * @property {() => void} load shows the stored version
 * @property {() => void} keep puts what the user has typed on top of the stored version, to be saved after it
 */

/**
 * The card tells in which fields the form and the stored version differ. What the user has typed stays in the form below it.
 * @param {Conflict} conflict
 */
export function conflictCard({ thing, labels, own, stored, load, keep }) {
  const different = differences(labels, own, stored);
  return h("section", { class: "problem", role: "alert" },
    h("h2", { tabindex: "-1" }, `This ${thing} was changed in another tab or by another program`),
    h("p", {}, `Version ${stored.version} was saved `, timeOf(stored.updatedAt), ". Your changes are not saved; they are still in the form."),
    different.length > 0
      ? h("table", { class: "differences" },
          h("thead", {}, h("tr", {}, ["Field", `Version ${stored.version}`, "Your form"].map((each) => h("th", { scope: "col" }, each)))),
          h("tbody", {}, different.map(({ label, own: mine, stored: theirs }) =>
            h("tr", {}, h("th", { scope: "row" }, label), h("td", { dir: "auto" }, theirs), h("td", { dir: "auto" }, mine)))))
      : h("p", {}, `Version ${stored.version} has the same fields as your form.`),
    h("p", { class: "actions" },
      h("button", { type: "button", class: "button main", onclick: load }, `Load version ${stored.version}`),
      different.length > 0 && h("button", { type: "button", class: "button", onclick: keep }, `Use my form after version ${stored.version}`)));
}

/**
 * The fields in which two states differ: the label and both values as text. The order of a list does not matter.
 * @param {Conflict["labels"]} labels
 * @param {Conflict["own"]} own
 * @param {Conflict["own"]} stored
 */
export function differences(labels, own, stored) {
  return Object.entries(labels)
    .map(([field, label]) => ({ label, own: textOf(own[field]), stored: textOf(stored[field]) }))
    .filter((each) => each.own !== each.stored);
}

/** @param {unknown} value */
function textOf(value) {
  if (value === null || value === undefined) return "default";
  if (Array.isArray(value)) return value.length === 0 ? "none" : [...value].sort().join(", ");
  return value === "" ? "empty" : String(value);
}
