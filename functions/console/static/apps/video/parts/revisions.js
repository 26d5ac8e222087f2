/** The history of a project: every revision, the way back to it, and what it has changed. */

/** @import { RevisionDetail } from "../../../../../../docs/api/types" */

import { fill, h } from "../../../core/app/dom.js";
import { timeOf } from "../../../core/parts/facts.js";

/** @param {{ goBack: (revision: number) => unknown, compare: (revision: number) => unknown }} actions */
export function revisionList({ goBack, compare }) {
  const list = h("ol", { class: "revisions", tabindex: "0", "aria-label": "Revisions, newest first" });
  const element = h("section", { class: "panel", "aria-labelledby": "history" }, h("h2", { id: "history" }, "History"), list);
  let shown = "";
  return {
    element,
    /**
     * @param {readonly RevisionDetail[]} revisions the newest first
     * @param {boolean} busy whether a job runs
     */
    show(revisions, busy) {
      const key = JSON.stringify([revisions, busy]);
      if (key === shown) return;
      shown = key;
      fill(list, revisions.map(({ revision, summary, createdAt, scenes }, index) =>
        h("li", { class: "revision" },
          h("p", {}, h("strong", {}, `${revision}`), ` ${summary} `, h("span", { class: "note" }, `${scenes} ${scenes === 1 ? "scene" : "scenes"} · `, timeOf(createdAt))),
          h("p", { class: "actions" },
            index > 0 && h("button", { type: "button", class: "button small", disabled: busy, "aria-label": `Go back to revision ${revision}`, onclick: () => goBack(revision) }, "Go back"),
            revision > 1 && h("button", { type: "button", class: "button small", "aria-label": `Compare revision ${revision} with the one before`, onclick: () => compare(revision) }, "Compare")))));
    },
  };
}

/**
 * Return the revision to which "Undo" returns; null if there is none. An undo makes a revision too, so the next undo continues
 * from the one that it has returned to.
 * @param {readonly RevisionDetail[]} revisions the newest first
 */
export function undoTarget(revisions) {
  let found = revisions[0];
  while (found?.cause.kind === "revert" && found.cause.revertedTo !== null) {
    const { revertedTo } = found.cause;
    found = revisions.find(({ revision }) => revision === revertedTo);
    if (found === undefined) return revertedTo > 1 ? revertedTo - 1 : null;
  }
  return found !== undefined && found.revision > 1 ? found.revision - 1 : null;
}
