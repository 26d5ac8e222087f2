/** The form for a brainstorming run. */

/** @import { Arrangement, NewIdeation } from "../../../../../../docs/api/types" */
/** @import { App } from "../../../core/app/context.js" */
/** @import { Page } from "../../../core/app/router.js" */

import { h } from "../../../core/app/dom.js";
import { keyPerContent } from "../../../core/app/idempotency_key.js";
import { choiceField, numberField, textField } from "../../../core/parts/fields.js";
import { form } from "../../../core/parts/form.js";
import { genreField } from "../parts/genre_field.js";
import { modelFields } from "../../../core/parts/model_fields.js";
import { prefilled } from "../../../core/app/prefill.js";

const MOST = 50;
/** @type {[string, string][]} */
const ARRANGEMENTS = [["none", "As they come"], ["rank", "Ranked, best first"], ["group", "In groups"]];

/**
 * @param {App} app
 * @returns {Page}
 */
export function brainstormPage(app) {
  const given = /** @type {Partial<NewIdeation>} */ (prefilled("ideation"));
  const platform = textField({
    ...{ name: "platform", label: "What the ideas are for", required: true, max: 100 },
    ...{ placeholder: "podcast series", value: given.platform ?? "" },
  });
  const genres = genreField(
    given.genrePaths?.map((path, index) => ({ path, share: given.genreProportions?.[index] ?? null })) ?? [{ path: [], share: 100 }],
  );
  const count = numberField({
    ...{ name: "ideaCount", label: "How many ideas", hint: `From 1 to ${MOST}.`, required: true },
    ...{ least: 1, most: MOST, value: String(given.ideaCount ?? 10) },
  });
  const requirements = textField({
    ...{ name: "requirements", label: "Requirements", max: 2000, lines: 5 },
    ...{ hint: "What every idea has to do, or must not.", value: given.requirements ?? "" },
  });
  const arrangement = choiceField({
    ...{ name: "arrangement", label: "At the end", choices: ARRANGEMENTS, value: given.arrangement ?? "none" },
  });
  const model = modelFields(app, given);
  const key = keyPerContent();
  const element = form({
    fields: [platform, genres.paths, genres.shares, count, requirements, arrangement, ...model.fields],
    content: [platform.element, genres.element, count.element, requirements.element, arrangement.element, model.element],
    submit: "Start brainstorming",
    busy: "Opening the run …",
    signIn: app.signIn,
    send: async () => {
      const parameters = {
        ...{ platform: platform.value() ?? "", genrePaths: genres.paths.value(), genreProportions: genres.shares.value() },
        ...{ ideaCount: count.value() ?? 0, requirements: requirements.value() },
        ...{ arrangement: /** @type {Arrangement} */ (arrangement.value()), ...model.values() },
      };
      const { runId } = await app.millrace.createIdeation(parameters, { idempotencyKey: key(parameters) });
      app.go(`/console/ideations/${runId}`);
    },
  });
  return {
    title: "Brainstorm",
    element: h("div", { class: "narrow" },
      h("h1", {}, "Brainstorm"),
      h("p", { class: "lead" }, "Ideas come one by one, and each that is finished stays, whatever happens to the ones after it."), element),
  };
}
