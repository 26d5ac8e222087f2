/** Form fields: each with its label, its rule said before it is broken, and its error beside it. */

/** @import { Child } from "../app/dom.js" */

import { h, setAttribute, setText } from "../app/dom.js";

/**
 * @template V
 * @typedef {object} Field
 * @property {HTMLElement} element
 * @property {string} name as the API names it
 * @property {() => V} value
 * @property {(rule: string | null) => void} refuse shows what is wrong, or that nothing is
 * @property {() => string | null} check the rule that is broken, if one is
 * @property {() => void} focus
 */
/**
 * @typedef {object} FieldOptions
 * @property {string} name
 * @property {string} label
 * @property {string} [hint] the rule, in words
 * @property {boolean} [required]
 * @property {number} [max] characters
 * @property {string} [value]
 * @property {string} [placeholder]
 */

let made = 0;

/**
 * @param {FieldOptions & { lines?: number }} options `lines`: more than one makes it a text area of so many
 * @returns {Field<string | null>} the text without spaces around it; null when there is none
 */
export function textField({ name, label, hint = "", required = false, max, value = "", placeholder, lines = 1 }) {
  const id = `field-${(made += 1)}`;
  const attributes = {
    ...{ id, name, required, maxlength: max, placeholder, "aria-describedby": `${id}-hint ${id}-error` },
    autocomplete: "off",
  };
  const input = lines > 1 ? h("textarea", { ...attributes, rows: lines }) : h("input", { ...attributes, type: "text" });
  input.value = value;
  const counter = h("span", { class: "counter", "aria-hidden": "true" });
  const frame = fieldFrame(id, input, { label, hint, required, beside: counter });
  const count = () => setText(counter, max === undefined ? "" : `${input.value.length} / ${max}`);
  const check = () => (required && input.value.trim() === "" ? "is required" : null);
  input.addEventListener("input", () => {
    count();
    frame.refuse(null);
  });
  input.addEventListener("blur", () => input.value !== "" && frame.refuse(check()));
  count();
  return { name, ...frame, check, value: () => input.value.trim() || null };
}

/**
 * @param {FieldOptions & { least: number, most: number, step?: number | "any" }} options whole numbers by default
 * @returns {Field<number | null>} null when there is none
 */
export function numberField({ name, label, hint = "", required = false, value = "", least, most, step = 1 }) {
  const id = `field-${(made += 1)}`;
  const input = h("input", {
    ...{ id, name, required, type: "number", min: least, max: most, step, value, "aria-describedby": `${id}-hint ${id}-error` },
    inputmode: step === 1 ? "numeric" : "decimal",
  });
  const frame = fieldFrame(id, input, { label, hint, required });
  input.addEventListener("input", () => frame.refuse(null));
  const rule = `must be a ${step === 1 ? "whole " : ""}number from ${least} to ${most}`;
  const check = () => (input.checkValidity() ? null : rule);
  return { name, ...frame, check, value: () => (input.value === "" ? null : input.valueAsNumber) };
}

/**
 * @param {FieldOptions & { choices: readonly (readonly [string, string])[] }} options value and label of each choice
 * @returns {Field<string>}
 */
export function selectField({ name, label, hint = "", value, choices }) {
  const id = `field-${(made += 1)}`;
  const options = choices.map(([choice, text]) => h("option", { value: choice, selected: choice === value }, text));
  const input = h("select", { id, name, "aria-describedby": `${id}-hint ${id}-error` }, options);
  return { name, ...fieldFrame(id, input, { label, hint }), check: () => null, value: () => input.value };
}

/**
 * A few choices that are all seen at once.
 * @param {FieldOptions & { choices: readonly (readonly [string, string])[] }} options
 * @returns {Field<string>}
 */
export function choiceField({ name, label, hint = "", value, choices }) {
  const id = `field-${(made += 1)}`;
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  const inputs = choices.map(([choice]) =>
    h("input", { type: "radio", name: `${name}-${id}`, value: choice, id: `${id}-${choice}`, checked: choice === value }));
  const element = h("fieldset", { class: "field choices", "aria-describedby": `${id}-hint ${id}-error` },
    h("legend", {}, label),
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    h("div", { class: "choice-row" }, choices.map(([choice, text], index) =>
      h("span", { class: "choice" }, inputs[index], h("label", { for: `${id}-${choice}` }, text)))),
    error);
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
