/** The icons of the console: drawn by its own code, because its policy allows no HTML to be parsed. */

/** Each is a path in a square of 16 units, drawn as a line. */
const PATHS = {
  agent: "M3 6h10v7H3zM8 6V3M6 9v1M10 9v1",
  bulb: "M6 13h4M6 11C3 8 4 3 8 3s5 5 2 8z",
  check: "M3 8l3.5 3.5L13 5",
  clock: "M8 2a6 6 0 100 12A6 6 0 008 2M8 5v3l2 1.5",
  cross: "M4 4l8 8M12 4l-8 8",
  film: "M2 4h12v8H2zM5 4v8M11 4v8",
  grid: "M2 3h12v10H2zM2 6.5h12M2 10h12M6 3v10",
  hook: "M5 2v7a3 3 0 106 0V7M9 9l2-2 2 2",
  list: "M2 4h1M2 8h1M2 12h1M6 4h8M6 8h8M6 12h8",
  plus: "M8 3v10M3 8h10",
  run: "M5 3l7 5-7 5z",
  stop: "M4 4h8v8H4z",
};

/** @typedef {keyof typeof PATHS} IconName */

const SVG = "http://www.w3.org/2000/svg";

/**
 * The icon as an element, for pages that are not components. Screen readers ignore it.
 * @param {IconName} name
 */
export function icon(name) {
  const element = document.createElementNS(SVG, "svg");
  const path = element.appendChild(document.createElementNS(SVG, "path"));
  for (const [key, value] of Object.entries(attributesOf(name))) element.setAttribute(key, value);
  path.setAttribute("d", PATHS[name]);
  return element;
}

/** @param {IconName} name */
export function pathOf(name) {
  return PATHS[name];
}

/** @param {IconName} name */
export function attributesOf(name) {
  return { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true", "data-icon": name };
}

/** By status of a job, a run, a webhook, a delivery or an erasure. @type {Record<string, IconName>} */
const OF_STATUS = {
  ...{ pending: "clock", in_progress: "run", running: "run", completed: "check", failed: "cross", cancelled: "stop" },
  ...{ enabled: "check", paused: "clock", disabled: "stop", delivered: "check", discarded: "stop" },
};

/** @param {string} status */
export function iconOfStatus(status) {
  return OF_STATUS[status] ?? "clock";
}
