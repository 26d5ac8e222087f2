/** Where everything in a run comes from: what was done, from what, to what. */

/** @import { LineageDetail } from "../../../../../../docs/api/types" */
/** @import { App } from "../../../core/app/context.js" */

import { fill, h } from "../../../core/app/dom.js";
import { STATUSES, words } from "../../../core/app/labels.js";
import { badge, timeOf } from "../../../core/parts/facts.js";
import { errorCard } from "../../../core/parts/problem_card.js";

/**
 * Folded up, and fetched when it is unfolded.
 * @param {App} app
 * @param {string} runId
 */
export function lineage({ millrace, signIn }, runId) {
  const content = h("div", {});
  const element = h("details", { class: "more" }, h("summary", {}, "Where it comes from"), content);
  const load = async () => {
    try {
      fill(content, lines(await millrace.getLineage(runId)));
    } catch (error) {
      fill(content, errorCard(error, { signIn, again: load }));
    }
  };
  element.addEventListener("toggle", () => element.open && load());
  return element;
}

/** @param {LineageDetail} lineage */
function lines({ transforms, artefacts }) {
  const refs = (/** @type {Record<string, string>} */ named) =>
    Object.entries(named).map(([role, ref]) => h("code", {}, role === ref ? ref : `${role}: ${ref}`));
  return [
    h("ol", { class: "lineage" }, transforms.map((each) => h("li", {},
      h("p", {}, h("strong", {}, words(each.kind)), " ", badge(each.status, STATUSES[each.status] ?? each.status), " ", timeOf(each.createdAt)),
      h("p", { class: "refs" }, refs(each.inputs), h("span", { class: "arrow" }, "→"), refs(each.outputs))))),
    artefacts.map((each) => h("details", {}, h("summary", {}, h("code", {}, each.ref), " ", timeOf(each.createdAt)),
      h("pre", { class: "raw" }, JSON.stringify(each.content, null, 2)))),
  ];
}
