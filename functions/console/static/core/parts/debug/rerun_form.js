/** Creates the job again, with the same input or with an edited one. */

/** @import { JobDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../app/context.js" */

import { Refused, problemOf } from "../../../millrace.js";
import { keyPerContent } from "../../app/idempotency_key.js";
import { h, useMemo, useRef, useState } from "../../app/preact.js";
import { prefill } from "../../app/prefill.js";
import { pretty } from "../export_buttons.js";

/** @typedef {readonly (readonly [string, string])[]} Problems field and rule of each; an empty field is the whole input */

/** @param {{ context: Context, job: JobDetail }} properties */
export function RerunForm({ context: { applications, go, millrace }, job: { pipeline, input, links } }) {
  const [text, setText] = useState(() => pretty(input));
  const [problems, setProblems] = useState(/** @type {Problems} */ ([]));
  const [busy, setBusy] = useState(false);
  const sending = useRef(false);
  const editor = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const keyOf = useMemo(keyPerContent, []);
  const { form } = applications.of(pipeline);
  /** @param {Problems} found */
  const tell = (found) => {
    setProblems(found);
    if (found.length > 0) editor.current?.focus();
  };
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (sending.current) return; // the second click of a double click, before the button is drawn again
    const edited = parsed(text);
    if (edited === null) return tell([["", "Enter a JSON object, such as {\"name\": \"value\"}."]]);
    sending.current = true;
    setBusy(true);
    try {
      const own = Object.fromEntries(Object.entries(links).filter(([, value]) => value !== null));
      const { jobId } = await millrace.createJob(pipeline, edited, { links: /** @type {any} */ (own), idempotencyKey: keyOf(edited) });
      go(`/console/jobs/${jobId}`);
    } catch (error) {
      const fields = error instanceof Refused ? error.fields : [];
      tell(fields.length > 0 ? fields.map(({ field, rule }) => /** @type {const} */ ([field, rule])) : [["", problemOf(error).message]]);
    } finally {
      sending.current = false;
      setBusy(false);
    }
  };
  const edit = form && (() => {
    prefill(pipeline, input);
    go(form.path);
  });
  return h("form", { class: "rerun", onsubmit: submit },
    h("label", { for: "rerun-input" }, "Input of the new job, as JSON"),
    h("textarea", {
      ...{ id: "rerun-input", rows: 12, spellcheck: "false", ref: editor, value: text },
      ...{ "aria-describedby": "rerun-problems", "aria-invalid": String(problems.length > 0) },
      oninput: (/** @type {any} */ event) => setText(event.target.value),
    }),
    h("div", { id: "rerun-problems", role: "alert" }, problems.length > 0 && h("ul", { class: "field-error" }, problems.map(([field, rule]) =>
      h("li", { key: `${field} ${rule}` }, field && h("code", {}, field), field && " ", rule)))),
    h("p", { class: "actions" },
      h("button", { type: "submit", class: "button main", "aria-disabled": busy ? "true" : null }, "Run again"),
      edit && h("button", { type: "button", class: "button", onclick: edit }, "Edit in the form")));
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
