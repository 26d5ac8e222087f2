/** The form for a brainstorming run. */

/** @import { Arrangement, NewIdeation } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { h } from "../../../core/app/dom.js";
import { keyPerContent } from "../../../core/app/idempotency_key.js";
import { prefilled } from "../../../core/app/prefill.js";
import { numberField, radioField, textField } from "../../../core/parts/fields.js";
import { form } from "../../../core/parts/form.js";
import { modelFields } from "../../../core/parts/model_fields.js";
import { ARRANGEMENTS } from "../labels.js";
import { genreField } from "../parts/genre_field.js";
import { runPath } from "../paths.js";

const MAX_IDEAS = 50;

/**
 * @param {Context} context
 * @returns {Page}
 */
export function brainstormPage(context) {
  const given = /** @type {Partial<NewIdeation>} */ (prefilled("ideation"));
  const platform = textField({
    ...{ name: "platform", label: "What the ideas are for", required: true, max: 100 },
    ...{ placeholder: "podcast series", value: given.platform ?? "" },
  });
  const genres = genreField(
    given.genrePaths?.map((path, index) => ({ path, share: given.genreProportions?.[index] ?? null })) ?? [{ path: [], share: 100 }],
  );
  const count = numberField({
    ...{ name: "ideaCount", label: "How many ideas", hint: `From 1 to ${MAX_IDEAS}.`, required: true },
    ...{ min: 1, max: MAX_IDEAS, value: String(given.ideaCount ?? 10) },
  });
  const requirements = textField({
    ...{ name: "requirements", label: "Requirements", max: 2000, lines: 5 },
    ...{ hint: "What every idea must do or must not do.", value: given.requirements ?? "" },
  });
  const arrangement = radioField({
    ...{ name: "arrangement", label: "Arrangement", choices: Object.entries(ARRANGEMENTS), value: given.arrangement ?? "none" },
  });
  const model = modelFields(context, given);
  const key = keyPerContent();
  const element = form({
    fields: [platform, genres.paths, genres.shares, count, requirements, arrangement, ...model.fields],
    content: [platform.element, genres.element, count.element, requirements.element, arrangement.element, model.element],
    submit: "Start brainstorming",
    busy: "Creating the run…",
    signIn: context.signIn,
    send: async () => {
      const parameters = {
        ...{ platform: platform.value() ?? "", genrePaths: genres.paths.value(), genreProportions: genres.shares.value() },
        ...{ ideaCount: count.value() ?? 0, requirements: requirements.value() },
        ...{ arrangement: /** @type {Arrangement} */ (arrangement.value()), ...model.values() },
      };
      const { runId } = await context.millrace.createIdeation(parameters, { idempotencyKey: key(parameters) });
      context.go(runPath(runId));
    },
  });
  return {
    title: "Brainstorm",
    element: h("div", { class: "narrow" },
      h("h1", {}, "Brainstorm"),
      h("p", { class: "lead" }, "The model writes one idea after another. A finished idea is kept even if a later one fails."), element),
  };
}
