/** The keyboard shortcuts of the console. */

import { h } from "./dom.js";

/** What the dialog lists: keys and their meaning. */
const SHORTCUTS = [
  ["/", "Go to the search or the first filter of a list"],
  ["Ctrl + Enter", "Send the form that you are in (Cmd + Enter on a Mac)"],
  ["Escape", "Close a menu or a dialog"],
  ["?", "Show these shortcuts"],
];

/** Listen to the shortcuts in this document. */
export function listenToShortcuts() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const target = event.target instanceof HTMLElement ? event.target : document.body;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      target.closest("form")?.requestSubmit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(target) || document.querySelector("dialog[open]")) return;
    if (event.key === "?") {
      event.preventDefault();
      showShortcuts();
    } else if (event.key === "/") {
      const field = /** @type {HTMLElement | null} */ (document.querySelector("main input[type=search], main .filters :is(input, select)"));
      if (field === null) return;
      event.preventDefault();
      field.focus();
    }
  });
}

/** @param {HTMLElement} element */
function isTyping(element) {
  return element.isContentEditable || element.closest("input, textarea, select, [role=grid]") !== null;
}

function showShortcuts() {
  const close = h("button", { class: "button main", value: "close" }, "Close");
  const dialog = h("dialog", { "aria-labelledby": "shortcuts" },
    h("form", { method: "dialog" },
      h("h2", { id: "shortcuts" }, "Keyboard shortcuts"),
      h("dl", { class: "facts shortcuts" }, SHORTCUTS.map(([keys, meaning]) => h("div", {}, h("dt", {}, h("kbd", {}, keys)), h("dd", {}, meaning)))),
      h("p", { class: "actions" }, close)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
