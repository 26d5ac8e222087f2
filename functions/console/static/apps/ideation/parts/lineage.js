/** The lineage of a run: each transform with its inputs and outputs, and every artefact. */

/** @import { LineageDetail } from "../../../../../../docs/api/types" */
/** @import { Context } from "../../../core/app/context.js" */

import { fill, h } from "../../../core/app/dom.js";
import { sentenceCase } from "../../../core/app/labels.js";
import { statusBadge, timeOf } from "../../../core/parts/facts.js";
import { errorCard } from "../../../core/parts/problem_card.js";

/**
 * A closed section, which fetches the lineage when the user opens it.
 * @param {Context} context
 * @param {string} runId
 */
export function lineage({ millrace, signIn }, runId) {
  const content = h("div", {});
  const element = h("details", { class: "more" }, h("summary", {}, "History (inputs and outputs)"), content);
  const load = async () => {
    try {
      fill(content, lineageContent(await millrace.getLineage(runId)));
    } catch (error) {
      fill(content, errorCard(error, { signIn, again: load }));
    }
  };
  element.addEventListener("toggle", () => element.open && load());
  return element;
}

/** @param {LineageDetail} lineage */
function lineageContent({ transforms, artefacts }) {
  const refs = (/** @type {Record<string, string>} */ named) =>
    Object.entries(named).map(([role, ref]) => h("code", {}, role === ref ? ref : `${role}: ${ref}`));
  return [
    h("ol", { class: "lineage" }, transforms.map((each) => h("li", {},
      h("p", {}, h("strong", {}, sentenceCase(each.kind)), " ", statusBadge(each.status), " ", timeOf(each.createdAt)),
      h("p", { class: "refs" }, refs(each.inputs), h("span", { class: "arrow" }, "→"), refs(each.outputs))))),
    artefacts.map((each) => h("details", {}, h("summary", {}, h("code", {}, each.ref), " ", timeOf(each.createdAt)),
      h("pre", { class: "raw" }, JSON.stringify(each.content, null, 2)))),
  ];
}
