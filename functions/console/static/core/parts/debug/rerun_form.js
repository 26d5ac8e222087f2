/** Creates the job again, with the same input or with an edited one. */

/** @import { JobDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../app/context.js" */

import { Refused, problemOf } from "../../../millrace.js";
import { fill, h } from "../../app/dom.js";
import { keyPerContent } from "../../app/idempotency_key.js";
import { prefill } from "../../app/prefill.js";
import { pretty } from "../export_buttons.js";

/**
 * @param {Context} context
 * @param {JobDetail} job
 */
export function rerunForm({ applications, go, millrace }, { pipeline, input, links }) {
  const editor = h("textarea", { id: "rerun-input", rows: 12, spellcheck: "false", "aria-describedby": "rerun-problems" });
  editor.value = pretty(input);
  const problems = h("div", { id: "rerun-problems", role: "alert" });
  const run = h("button", { type: "submit", class: "button main" }, "Run again");
  const { form } = applications.of(pipeline);
  const edit = form && h("button", { type: "button", class: "button", onclick: () => {
    prefill(pipeline, input);
    go(form.path);
  } }, "Edit in the form");
  const keyOf = keyPerContent();
  /** @param {readonly (readonly [string, string])[]} found field and rule of each; an empty field is the whole input */
  const tell = (found) => {
    editor.setAttribute("aria-invalid", String(found.length > 0));
    fill(problems, found.length > 0 && h("ul", { class: "field-error" }, found.map(([field, rule]) =>
      h("li", {}, field && h("code", {}, field), field && " ", rule))));
    if (found.length > 0) editor.focus();
  };
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const edited = parsed(editor.value);
    if (edited === null) return tell([["", "Enter a JSON object, such as {\"name\": \"value\"}."]]);
    run.disabled = true;
    try {
      const own = Object.fromEntries(Object.entries(links).filter(([, value]) => value !== null));
      const { jobId } = await millrace.createJob(pipeline, edited, { links: /** @type {any} */ (own), idempotencyKey: keyOf(edited) });
      go(`/console/jobs/${jobId}`);
    } catch (error) {
      const fields = error instanceof Refused ? error.fields : [];
      tell(fields.length > 0 ? fields.map(({ field, rule }) => /** @type {const} */ ([field, rule])) : [["", problemOf(error).message]]);
    } finally {
      run.disabled = false;
    }
  };
  const element = h("form", { class: "rerun", onsubmit: submit },
    h("label", { for: "rerun-input" }, "Input of the new job, as JSON"), editor, problems, h("p", { class: "actions" }, run, edit));
  return { element, show() {} };
}

/**
 * @param {string} text
 * @returns {object | null} null if the text is not a JSON object
 */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
