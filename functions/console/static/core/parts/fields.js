/** Form fields: each has a label, a hint that states its rule, and a place for its error. */

/** @import { Child } from "../app/dom.js" */

import { h, setAttribute, setText } from "../app/dom.js";

/**
 * @template V
 * @typedef {object} Field
 * @property {HTMLElement} element
 * @property {string} name of the field in the API
 * @property {() => V} value
 * @property {(rule: string | null) => void} refuse shows the rule that the value breaks; null removes the error
 * @property {() => string | null} check returns the rule that the value breaks; null if the value is valid
 * @property {() => void} focus
 */
/**
 * @typedef {object} FieldOptions
 * @property {string} name
 * @property {string} label
 * @property {string} [hint] the rule, in words
 * @property {boolean} [required]
 * @property {number} [max] characters; a longer text is marked and not sent
 * @property {string} [value]
 * @property {string} [placeholder]
 */

let fieldCount = 0;

/** An id for the input of a new field. */
function newId() {
  fieldCount += 1;
  return `field-${fieldCount}`;
}

/**
 * @param {FieldOptions & { lines?: number }} options `lines`: the rows of a text area; one for a single-line input
 * @returns {Field<string | null>} its value is the text without surrounding spaces; null if it is empty
 */
export function textField({ name, label, hint = "", required = false, max, value = "", placeholder, lines = 1 }) {
  const id = newId();
  const attributes = {
    ...{ id, name, required, placeholder, "aria-describedby": `${id}-hint ${id}-error` },
    autocomplete: "off",
  };
  const input = lines > 1 ? h("textarea", { ...attributes, rows: lines }) : h("input", { ...attributes, type: "text" });
  input.value = value;
  const counter = h("span", { class: "counter", "aria-hidden": "true" });
  const frame = fieldFrame(id, input, { label, hint, required, beside: counter });
  // The API counts code points of the text without surrounding spaces. What is too long stays, for the user to shorten.
  const length = () => [...input.value.trim()].length;
  const tooLong = () => max !== undefined && length() > max;
  const count = () => {
    setText(counter, max === undefined ? "" : `${length()} / ${max}`);
    counter.classList.toggle("over", tooLong());
  };
  const check = () => {
    if (required && length() === 0) return `Enter a text for “${label}”.`;
    return tooLong() ? `“${label}” has ${length()} characters; ${max} is the maximum.` : null;
  };
  input.addEventListener("input", () => {
    count();
    frame.refuse(tooLong() ? check() : null);
  });
  input.addEventListener("blur", () => input.value !== "" && frame.refuse(check()));
  count();
  return { name, ...frame, check, value: () => input.value.trim() || null };
}

/**
 * @param {FieldOptions & { min: number, max: number, step?: number | "any" }} options whole numbers by default
 * @returns {Field<number | null>} its value is null if it is empty
 */
export function numberField({ name, label, hint = "", required = false, value = "", min, max, step = 1 }) {
  const id = newId();
  const input = h("input", {
    ...{ id, name, required, type: "number", min, max, step, value, "aria-describedby": `${id}-hint ${id}-error` },
    inputmode: step === 1 ? "numeric" : "decimal",
  });
  const frame = fieldFrame(id, input, { label, hint, required });
  input.addEventListener("input", () => frame.refuse(null));
  const rule = `must be a ${step === 1 ? "whole " : ""}number from ${min} to ${max}`;
  const check = () => (input.checkValidity() ? null : rule);
  return { name, ...frame, check, value: () => (input.value === "" ? null : input.valueAsNumber) };
}

/**
 * @param {FieldOptions & { choices: readonly (readonly [string, string])[] }} options `choices`: value and label of each
 * @returns {Field<string>}
 */
export function selectField({ name, label, hint = "", value, choices }) {
  const id = newId();
  const options = choices.map(([choice, text]) => h("option", { value: choice, selected: choice === value }, text));
  const input = h("select", { id, name, "aria-describedby": `${id}-hint ${id}-error` }, options);
  return { name, ...fieldFrame(id, input, { label, hint }), check: () => null, value: () => input.value };
}

/**
 * A group of radio buttons.
 * @param {FieldOptions & { choices: readonly (readonly [string, string])[] }} options `choices`: value and label of each
 * @returns {Field<string>}
 */
export function radioField({ name, label, hint = "", value, choices }) {
  const { element, error, inputs } = choiceFrame("radio", (choice) => choice === value, { name, label, hint, choices });
  return {
    name,
    element,
    check: () => null,
    focus: () => inputs.find((each) => each.checked)?.focus(),
    value: () => inputs.find((each) => each.checked)?.value ?? "",
    refuse: (rule) => showRule(error, rule),
  };
}

/**
 * A group of checkboxes.
 * @template {string} V
 * @param {Omit<FieldOptions, "value"> & { choices: readonly (readonly [V, string])[], value: readonly V[] }} options
 *   `choices`: value and label of each; `value`: the values that are chosen
 * @returns {Field<V[]>} its value has the chosen values in the order of the choices
 */
export function checkboxField({ name, label, hint = "", required = false, value, choices }) {
  const { element, error, inputs } = choiceFrame("checkbox", (choice) => value.includes(choice), { name, label, hint, choices });
  const chosen = () => choices.filter((_, index) => inputs[index]?.checked).map(([choice]) => choice);
  element.addEventListener("change", () => showRule(error, null));
  return {
    name,
    element,
    check: () => (required && chosen().length === 0 ? "must have at least one" : null),
    focus: () => inputs[0]?.focus(),
    value: chosen,
    refuse: (rule) => showRule(error, rule),
  };
}

/**
 * A group of inputs, one for each choice, with its label, its hint and the place of its error.
 * @template {string} V
 * @param {"radio" | "checkbox"} type
 * @param {(choice: V) => boolean} isChecked
 * @param {{ name: string, label: string, hint: string, choices: readonly (readonly [V, string])[] }} parts
 */
function choiceFrame(type, isChecked, { name, label, hint, choices }) {
  const id = newId();
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  const inputs = choices.map(([choice]) =>
    h("input", { type, name: `${name}-${id}`, value: choice, id: `${id}-${choice}`, checked: isChecked(choice) }));
  const element = h("fieldset", { class: "field choices", "aria-describedby": `${id}-hint ${id}-error` },
    h("legend", {}, label),
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    h("div", { class: "choice-row" }, choices.map(([choice, text], index) =>
      h("span", { class: "choice" }, inputs[index], h("label", { for: `${id}-${choice}` }, text)))),
    error);
  return { element, error, inputs };
}

/**
 * @param {string} id
 * @param {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} input
 * @param {{ label: string, hint: string, required?: boolean, beside?: Child }} parts
 */
function fieldFrame(id, input, { label, hint, required = false, beside }) {
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  const element = h("div", { class: "field" },
    h("label", { for: id }, label, !required && input.tagName !== "SELECT" && h("span", { class: "optional" }, " optional")),
    input,
    h("div", { class: "below" }, h("p", { class: "hint", id: `${id}-hint` }, hint), beside),
    error);
  return {
    element,
    focus: () => input.focus(),
    /** @param {string | null} rule */
    refuse(rule) {
      setAttribute(input, "aria-invalid", rule === null ? null : "true");
      showRule(error, rule);
    },
  };
}

/**
 * @param {HTMLElement} error
 * @param {string | null} rule
 */
export function showRule(error, rule) {
  error.hidden = rule === null;
  setText(error, rule === null ? "" : `${rule.charAt(0).toUpperCase()}${rule.slice(1)}`);
}
