/** Ranges in A1 notation, such as `B2:D9`. */

/** @typedef {{ top: number, left: number, bottom: number, right: number }} Area rows and columns from 1, both ends included */

const RANGE = /^\$?([A-Z]{1,3})\$?(\d+)(?::\$?([A-Z]{1,3})\$?(\d+))?$/i;

/**
 * @param {string} text
 * @returns {Area | null} null if the text is no range
 */
export function areaOf(text) {
  const match = RANGE.exec(text.trim());
  if (match === null) return null;
  const [, left = "", top = "", right = left, bottom = top] = match;
  const [a, b, c, d] = [Number(top), columnNumber(left), Number(bottom), columnNumber(right)];
  return { top: Math.min(a, c), left: Math.min(b, d), bottom: Math.max(a, c), right: Math.max(b, d) };
}

/**
 * Return the sheet and the area of a text such as `Orders!B2:D9`; null if it is no range.
 * @param {string} text
 * @returns {{ sheet: string, area: Area } | null}
 */
export function qualifiedArea(text) {
  const end = text.lastIndexOf("!");
  const area = areaOf(text.slice(end + 1));
  return end > 0 && area ? { sheet: text.slice(0, end), area } : null;
}

/**
 * @param {Area} area
 * @param {number} row
 * @param {number} column
 */
export function contains({ top, left, bottom, right }, row, column) {
  return row >= top && row <= bottom && column >= left && column <= right;
}

/** @param {string} letters */
function columnNumber(letters) {
  return [...letters.toUpperCase()].reduce((number, letter) => number * 26 + letter.charCodeAt(0) - 64, 0);
}
