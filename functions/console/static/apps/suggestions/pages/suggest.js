/** The form for feature suggestions. */

/** @import { SuggestionInput } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { h } from "../../../core/app/dom.js";
import { keyPerContent } from "../../../core/app/idempotency_key.js";
import { prefilled } from "../../../core/app/prefill.js";
import { radioField, selectField, textField } from "../../../core/parts/fields.js";
import { form } from "../../../core/parts/form.js";
import { modelFields } from "../../../core/parts/model_fields.js";
import { PRIORITIES, TYPES } from "../labels.js";

/**
 * @param {Context} context
 * @returns {Page}
 */
export function suggestPage(context) {
  const given = /** @type {Partial<SuggestionInput>} */ (prefilled("suggestion"));
  const page = textField({
    ...{ name: "pageOrComponent", label: "Page or component", required: true, max: 200 },
    ...{ hint: "What the suggestions are for.", placeholder: "Checkout page", value: given.pageOrComponent ?? "" },
  });
  const type = selectField({
    ...{ name: "featureType", label: "Kind of feature", choices: Object.entries(TYPES), value: given.featureType ?? "enhancement" },
  });
  const priority = radioField({
    ...{ name: "priorityLevel", label: "Priority", choices: Object.entries(PRIORITIES), value: given.priorityLevel ?? "medium" },
  });
  const additional = textField({
    ...{ name: "additionalContext", label: "Additional context", max: 1000, lines: 5 },
    ...{ hint: "For example users, constraints, and what you have tried.", value: given.additionalContext ?? "" },
  });
  const model = modelFields(context, given);
  const key = keyPerContent();
  const element = form({
    fields: [page, type, priority, additional, ...model.fields],
    content: [page.element, type.element, priority.element, additional.element, model.element],
    submit: "Suggest features",
    busy: "Creating the job…",
    signIn: context.signIn,
    send: async () => {
      // The API checks what the form does not, and names the field.
      const input = /** @type {any} */ ({
        ...{ pageOrComponent: page.value(), featureType: type.value(), priorityLevel: priority.value() },
        ...{ additionalContext: additional.value(), ...model.values() },
      });
      const { jobId } = await context.millrace.createJob("suggestion", input, { idempotencyKey: key(input) });
      context.go(`/console/jobs/${jobId}`);
    },
  });
  return {
    title: "Suggest features",
    element: h("div", { class: "narrow" },
      h("h1", {}, "Suggest features"),
      h("p", { class: "lead" }, "A model writes suggestions for one part of your product while you watch."), element),
  };
}
