/** A button that asks for confirmation before it deletes something. */

import { fill, h } from "../app/dom.js";
import { errorCard } from "./problem_card.js";

/**
 * Return the button and the dialog that it opens.
 * @param {{ label: string, question: string, text: string, yes: string, no?: string, act: () => Promise<unknown>, signIn: () => void }} options
 */
export function confirmButton({ label, question, text, yes, no = "Keep it", act, signIn }) {
  const problem = h("div", {});
  /** @type {HTMLDialogElement} */
  const dialog = h("dialog", { "aria-label": question });
  const attempt = async () => {
    try {
      await act();
      dialog.close();
    } catch (error) {
      fill(problem, errorCard(error, { signIn, again: attempt }));
    }
  };
  fill(dialog, h("h2", {}, question), h("p", {}, text), problem,
    h("p", { class: "actions" },
      h("button", { type: "button", class: "button", onclick: () => dialog.close() }, no),
      h("button", { type: "button", class: "button danger", onclick: attempt }, yes)));
  return [h("button", { type: "button", class: "button small", onclick: () => dialog.showModal() }, label), dialog];
}
