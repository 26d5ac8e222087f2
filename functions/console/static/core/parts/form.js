/** A form that is sent at most once at a time, and that shows the server's rules at their fields. */

/** @import { Child } from "../app/dom.js" */
/** @import { Field } from "./fields.js" */

import { Refused } from "../../millrace.js";
import { fill, h, setText } from "../app/dom.js";
import { errorCard } from "./problem_card.js";

/**
 * @typedef {object} FormOptions
 * @property {readonly Field<any>[]} fields
 * @property {Child} content the fields' elements, and everything between them
 * @property {string} submit the label of the button
 * @property {string} busy the label of the button while the form is sent
 * @property {() => Promise<unknown>} send rejects with the error of the API
 * @property {() => void} signIn
 */

/** @param {FormOptions} options */
export function form({ fields, content, submit, busy, send, signIn }) {
  const button = h("button", { class: "button main" }, submit);
  const problem = h("div", { class: "form-problem" });
  const element = h("form", { novalidate: true, class: "form" }, problem, content, h("p", { class: "actions" }, button));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    fill(problem);
    const invalid = fields.filter((field) => {
      const rule = field.check();
      field.refuse(rule);
      return rule !== null;
    });
    if (invalid.length > 0) return invalid[0]?.focus();
    button.setAttribute("aria-disabled", "true");
    setText(button, busy);
    try {
      await send();
    } catch (error) {
      showError(error);
    } finally {
      button.removeAttribute("aria-disabled");
      setText(button, submit);
    }
  });

  /** @param {unknown} error */
  const showError = (error) => {
    const broken = error instanceof Refused ? error.fields : [];
    const rest = broken.filter(({ field, rule }) => !showAtField(field, rule));
    if (broken.length > 0 && rest.length === 0) return;
    const card = errorCard(error, { signIn, again: () => element.requestSubmit() });
    fill(problem, card, rest.length > 0 && h("ul", {}, rest.map((each) => h("li", {}, `${each.field} ${each.rule}`))));
    problem.scrollIntoView({ block: "nearest" });
  };

  /**
   * Show the rule at its field. Return false if the form has no such field.
   * @param {string} path of the field in the API, such as `input.genrePaths.0.1`
   * @param {string} rule
   */
  const showAtField = (path, rule) => {
    const bare = path.replace(/^input\./, "");
    const field = fields.find(({ name }) => bare === name || bare.startsWith(`${name}.`));
    field?.refuse(rule);
    if (field && !element.querySelector("[aria-invalid]:focus")) field.focus();
    return field !== undefined;
  };
  return element;
}
