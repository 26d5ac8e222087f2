/** A form that sends itself once, and puts what the server refuses beside the field it is about. */

/** @import { Child } from "../app/dom.js" */
/** @import { Field } from "./fields.js" */

import { Refused } from "../../millrace.js";
import { fill, h, setText } from "../app/dom.js";
import { errorCard } from "./problem_card.js";

/**
 * @typedef {object} FormOptions
 * @property {readonly Field<any>[]} fields
 * @property {Child} content the fields, and what stands between them
 * @property {string} submit label of the button
 * @property {string} busy the button's label while it is sent
 * @property {() => Promise<unknown>} send raises what the server refuses
 * @property {() => void} signIn
 * @property {Child} [more] further buttons
 */

/** @param {FormOptions} options */
export function form({ fields, content, submit, busy, send, signIn, more }) {
  const button = h("button", { class: "button main" }, submit);
  const problem = h("div", { class: "form-problem" });
  const element = h("form", { novalidate: true, class: "form" }, problem, content, h("p", { class: "actions" }, button, more));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    fill(problem);
    const broken = fields.filter((field) => {
      const rule = field.check();
      field.refuse(rule);
      return rule !== null;
    });
    if (broken.length > 0) return broken[0]?.focus();
    button.setAttribute("aria-disabled", "true");
    setText(button, busy);
    try {
      await send();
    } catch (error) {
      refuse(error);
    } finally {
      button.removeAttribute("aria-disabled");
      setText(button, submit);
    }
  });

  /** @param {unknown} error */
  const refuse = (error) => {
    const rest = error instanceof Refused ? error.fields.filter(({ field, rule }) => !place(field, rule)) : [];
    const placed = error instanceof Refused && error.fields.length > 0 && rest.length === 0;
    if (placed) return;
    const ways = { signIn, again: () => element.requestSubmit() };
    fill(problem, errorCard(error, ways), rest.length > 0 && h("ul", {}, rest.map((each) => h("li", {}, `${each.field} ${each.rule}`))));
    problem.scrollIntoView({ block: "nearest" });
  };

  /**
   * Shows the rule at its field; false when the form has none of that name.
   * @param {string} path as the API writes it, such as `input.genrePaths.0.1`
   * @param {string} rule
   */
  const place = (path, rule) => {
    const bare = path.replace(/^input\./, "");
    const field = fields.find(({ name }) => bare === name || bare.startsWith(`${name}.`));
    field?.refuse(rule);
    if (field && !element.querySelector("[aria-invalid]:focus")) field.focus();
    return field !== undefined;
  };
  return element;
}
