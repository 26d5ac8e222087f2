/** The history of a project: every revision, the way back to it, what it has changed, and the way back for one scene. */

/** @import { RevisionDetail } from "../../../../../../docs/api/types" */

import { fill, h } from "../../../core/app/dom.js";
import { timeOf } from "../../../core/parts/facts.js";

/** @type {Record<string, string>} */
const CHANGED = { added: "added", changed: "changed", removed: "removed", moved: "moved" };

/**
 * `goBack` returns the project to a revision; with a scene, that scene only.
 * @param {{ goBack: (revision: number, sceneId?: string) => unknown, compare: (revision: number) => unknown }} actions
 */
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
      fill(list, revisions.map(({ revision, summary, createdAt, scenes, changes }, index) =>
        h("li", { class: "revision" },
          h("p", { class: "revision-summary" }, h("span", { class: "revision-number", title: `Revision ${revision}` }, revision), h("span", {}, summary)),
          h("p", { class: "note" }, `${scenes} ${scenes === 1 ? "scene" : "scenes"} · `, timeOf(createdAt)),
          scenesOf(revision, changes, busy),
          h("p", { class: "actions" },
            index > 0 && h("button", { type: "button", class: "button small", disabled: busy, "aria-label": `Go back to revision ${revision}`, onclick: () => goBack(revision) }, "Go back"),
            revision > 1 && h("button", { type: "button", class: "button small", "aria-label": `Compare revision ${revision} with the one before`, onclick: () => compare(revision) }, "Compare")))));
    },
  };

  /**
   * Return the scenes that a revision has changed or removed, each with the way back for it alone.
   * @param {number} revision
   * @param {RevisionDetail["changes"]} changes
   * @param {boolean} busy
   */
  function scenesOf(revision, changes, busy) {
    const scenes = changes.filter(({ change, before }) => (change === "changed" || change === "removed") && before !== null);
    return scenes.map(({ change, id, name }) =>
      h("p", { class: "revision-scene" }, h("span", {}, `${name} ${CHANGED[change] ?? change}`),
        h("button", {
          ...{ type: "button", class: "button small bare", disabled: busy, "aria-label": `Undo what revision ${revision} changed in ${name}` },
          onclick: () => goBack(revision - 1, id),
        }, "Take back")));
  }
}

/**
 * Return the revision to which "Undo" returns; null if there is none. An undo makes a revision too, so the next undo continues
 * from the one that it has returned to. There is none either while the list is still that of another revision of the project.
 * @param {readonly RevisionDetail[]} revisions the newest first
 * @param {number} current the project's revision
 */
export function undoTarget(revisions, current) {
  if (revisions[0]?.revision !== current) return null;
  /** @type {RevisionDetail | undefined} */
  let found = revisions[0];
  while (found?.cause.kind === "revert" && found.cause.revertedTo !== null) {
    /** @type {number} */
    const revertedTo = found.cause.revertedTo;
    found = revisions.find(({ revision }) => revision === revertedTo);
    if (found === undefined) return revertedTo > 1 ? revertedTo - 1 : null;
  }
  return found !== undefined && found.revision > 1 ? found.revision - 1 : null;
}
