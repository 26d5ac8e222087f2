/** The buttons of `export_buttons.js` as components. */

import { h, useEffect, useState } from "../app/preact.js";
import { copy, download, FEEDBACK } from "./export_buttons.js";

/**
 * A button that copies the return value of `text` when the user presses it, and shows whether that worked.
 * @param {{ label: string, text: () => string, about?: string }} properties `about`: what the button copies, for screen readers
 */
export function CopyButton({ label, text, about = "" }) {
  const [outcome, setOutcome] = useState("");
  useEffect(() => {
    if (outcome === "") return;
    const timer = setTimeout(() => setOutcome(""), FEEDBACK);
    return () => clearTimeout(timer);
  }, [outcome]);
  return h("button", { type: "button", class: "button small", onclick: async () => setOutcome(await copy(text())) },
    outcome === "" ? [label, about && h("span", { class: "visually-hidden" }, ` ${about}`)] : h("span", { role: "status" }, outcome));
}

/** @param {{ label: string, name: string, type: string, text: () => string }} properties `name` of the file, and its media type */
export function DownloadButton({ label, name, type, text }) {
  return h("button", { type: "button", class: "button small", onclick: () => download(name, type, text()) }, label);
}
