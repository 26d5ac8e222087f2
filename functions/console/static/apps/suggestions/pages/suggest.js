/** The form for feature suggestions. */

/** @import { SuggestionInput } from "../../../../../../docs/api/types" */
/** @import { App } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { h } from "../../../core/app/dom.js";
import { keyPerContent } from "../../../core/app/idempotency_key.js";
import { choiceField, selectField, textField } from "../../../core/parts/fields.js";
import { form } from "../../../core/parts/form.js";
import { modelFields } from "../../../core/parts/model_fields.js";
import { prefilled } from "../../../core/app/prefill.js";

/** @type {[string, string][]} */
const TYPES = [
  ["enhancement", "Enhancement of what is there"],
  ["new-capability", "New capability"],
  ["optimization", "Optimisation"],
  ["ui-improvement", "Better interface"],
  ["integration", "Integration with something else"],
];
/** @type {[string, string][]} */
const PRIORITIES = [["low", "Low"], ["medium", "Medium"], ["high", "High"], ["critical", "Critical"]];

/**
 * @param {App} app
 * @returns {Page}
 */
export function suggestPage(app) {
  const given = /** @type {Partial<SuggestionInput>} */ (prefilled("suggestion"));
  const page = textField({
    ...{ name: "pageOrComponent", label: "Page or component", required: true, max: 200 },
    ...{ hint: "What the suggestions are for.", placeholder: "Checkout page", value: given.pageOrComponent ?? "" },
  });
  const type = selectField({
    ...{ name: "featureType", label: "Kind of feature", choices: TYPES, value: given.featureType ?? "enhancement" },
  });
  const priority = choiceField({
    ...{ name: "priorityLevel", label: "Priority", choices: PRIORITIES, value: given.priorityLevel ?? "medium" },
  });
  const context = textField({
    ...{ name: "additionalContext", label: "Anything else to know", max: 1000, lines: 5 },
    ...{ hint: "Users, constraints, what was tried before.", value: given.additionalContext ?? "" },
  });
  const model = modelFields(app, given);
  const key = keyPerContent();
  const element = form({
    fields: [page, type, priority, context, ...model.fields],
    content: [page.element, type.element, priority.element, context.element, model.element],
    submit: "Suggest features",
    busy: "Creating the job …",
    signIn: app.signIn,
    send: async () => {
      const input = {
        ...{ pageOrComponent: page.value(), featureType: type.value(), priorityLevel: priority.value() },
        ...{ additionalContext: context.value(), ...model.values() },
      };
      const { jobId } = await app.millrace.createJob("suggestion", input, { idempotencyKey: key(input) });
      app.go(`/console/jobs/${jobId}`);
    },
  });
  return {
    title: "Suggest features",
    element: h("div", { class: "narrow" },
      h("h1", {}, "Suggest features"),
      h("p", { class: "lead" }, "A model writes suggestions for one part of your product; you watch it think."), element),
  };
}
