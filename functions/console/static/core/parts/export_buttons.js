/** Buttons that copy text to the clipboard or save it as a file. As components: `export_components.js`. */

import { h } from "../app/dom.js";

/** How long a button shows the outcome of copying, in milliseconds. */
export const FEEDBACK = 2_000;

/**
 * A button that copies the return value of `text` when the user presses it, and shows whether that worked.
 * @param {string} label
 * @param {() => string} text
 * @param {string} [about] what the button copies, for screen readers
 */
export function copyButton(label, text, about = "") {
  const button = h("button", { type: "button", class: "button small" }, label, about && h("span", { class: "visually-hidden" }, ` ${about}`));
  button.addEventListener("click", async () => {
    const outcome = await copy(text());
    const before = [...button.childNodes];
    button.replaceChildren(h("span", { role: "status" }, outcome));
    setTimeout(() => button.replaceChildren(...before), FEEDBACK);
  });
  return button;
}

/**
 * Copy the text to the clipboard, and return in words whether that worked.
 * @param {string} text
 */
export function copy(text) {
  return navigator.clipboard.writeText(text).then(() => "Copied", () => "Not allowed");
}

/**
 * @param {string} label
 * @param {string} name of the file
 * @param {string} type
 * @param {() => string} text
 */
export function downloadButton(label, name, type, text) {
  return h("button", { type: "button", class: "button small", onclick: () => download(name, type, text()) }, label);
}

/**
 * @param {string} name
 * @param {string} type
 * @param {string} text
 */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  h("a", { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}

/**
 * Indented JSON.
 * @param {unknown} value
 */
export function pretty(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}
