/** The filters above a list. They are in the address, so that a reload keeps them. */

/** @import { Field } from "./fields.js" */

import { h } from "../app/dom.js";
import { selectField } from "./fields.js";

/** @typedef {{ name: string, label: string, choices: readonly (readonly [string, string])[] }} Filter */

/**
 * @param {readonly Filter[]} filters
 * @param {(query: URLSearchParams) => void} onChange
 */
export function filterBar(filters, onChange) {
  const given = new URLSearchParams(location.search);
  /** @type {Field<string>[]} */
  const fields = filters.map((filter) =>
    selectField({ ...filter, value: given.get(filter.name) ?? "", choices: [["", "All"], ...filter.choices] }));
  const values = () => Object.fromEntries(fields.map((field) => [field.name, field.value()]));
  const element = h("form", { class: "filters", "aria-label": "Filters", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
    fields.map((field) => field.element));
  const changed = () => onChange(new URLSearchParams(Object.entries(values()).filter(([, value]) => value !== "")));
  element.addEventListener("change", changed);
  const clear = () => {
    for (const select of element.querySelectorAll("select")) select.value = "";
    changed();
  };
  return { element, values, clear };
}
