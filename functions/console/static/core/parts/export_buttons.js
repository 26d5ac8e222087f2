/** Taking text away: to the clipboard, or as a file. */

import { h } from "../app/dom.js";

const SAID_FOR = 2_000;

/**
 * A button that copies what `text` gives when it is pressed, and says so.
 * @param {string} label
 * @param {() => string} text
 * @param {string} [about] what is copied, for whoever cannot see where the button stands
 */
export function copyButton(label, text, about = "") {
  const button = h("button", { type: "button", class: "button small" }, label, about && h("span", { class: "unseen" }, ` ${about}`));
  button.addEventListener("click", async () => {
    const said = await navigator.clipboard.writeText(text()).then(() => "Copied", () => "Not allowed");
    const before = [...button.childNodes];
    button.replaceChildren(h("span", { role: "status" }, said));
    setTimeout(() => button.replaceChildren(...before), SAID_FOR);
  });
  return button;
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
function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  h("a", { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}

/** @param {unknown} value */
export function pretty(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}
