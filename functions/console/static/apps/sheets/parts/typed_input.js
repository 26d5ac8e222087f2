/** What a person types into a cell, as the API writes it. */

/** @import { Cell, CellValue } from "../../../millrace/sheets.js" */

const NUMBER = /^[-+]?(?:0|[1-9]\d*)?(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
const LONGEST_NUMBER = 15;

/**
 * Return the value or formula that was typed. A number with leading zeros or with more than 15 digits stays text, and so
 * does everything after an apostrophe.
 * @param {string} typed
 * @returns {{ value: CellValue } | { formula: string }}
 */
export function typedInput(typed) {
  if (typed.startsWith("'")) return { value: typed.slice(1) };
  const text = typed.trim();
  if (text === "") return { value: null };
  if (text.startsWith("=") && text.length > 1) return { formula: text };
  if (/^(true|false)$/i.test(text)) return { value: text.toLowerCase() === "true" };
  const digits = text.replaceAll(/\D/g, "").length;
  if (NUMBER.test(text) && digits > 0 && digits <= LONGEST_NUMBER) return { value: Number(text) };
  return { value: typed };
}

/**
 * Return what the editor of a cell begins with: its formula, or its value so that typing it again writes the same.
 * @param {Cell | undefined} cell
 */
export function editText(cell) {
  const { value, formula } = fieldsOf(cell);
  if (formula !== undefined) return formula;
  if (value === null) return "";
  if (typeof value !== "string") return String(value).toUpperCase();
  const typed = typedInput(value);
  return "value" in typed && typed.value === value ? value : `'${value}`;
}

/**
 * Return what is shown of a cell.
 * @param {Cell | undefined} cell
 */
export function shownText(cell) {
  const { value, text } = fieldsOf(cell);
  if (text !== undefined) return text;
  if (value === null) return "";
  return typeof value === "boolean" ? String(value).toUpperCase() : String(value);
}

/** @param {Cell | undefined} cell */
export function fieldsOf(cell) {
  if (typeof cell === "object" && cell !== null) return cell;
  return { value: cell ?? null };
}
