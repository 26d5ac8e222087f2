/** The scenes of a film in their order, with what happens to each of them. */

/** @import { ApplicationEvent } from "../../../millrace/view.js" */
/** @import { Film, FilmScene } from "./film.js" */

import { fill, h } from "../../../core/app/dom.js";

/** @type {Record<string, string>} */
const WORDS = {
  planned: "planned",
  writing: "being written",
  building: "being built",
  repairing: "being repaired",
  playable: "draft",
  saved: "saved",
  removed: "removed",
  failed: "failed",
};

/**
 * What is told of a scene besides its name and length.
 * @typedef {object} SceneNotes
 * @property {ReadonlyMap<string, string>} errors of scenes that cannot be drawn, by id
 * @property {(id: string) => boolean} isLeftOut
 * @property {readonly ApplicationEvent[]} news of the running job
 * @property {string | null} current the scene that plays now
 * @property {string | null} selected the scene that a message is about
 */

/** @param {{ choose: (id: string) => unknown, takeBack: (id: string) => unknown }} actions */
export function storyboard({ choose, takeBack }) {
  const list = h("ol", { class: "storyboard-scenes" });
  const empty = h("p", { class: "empty" }, "No scenes yet. Say in the chat what the video should show.");
  const planned = h("ul", { class: "storyboard-planned" });
  const element = h("section", { class: "panel storyboard", "aria-labelledby": "storyboard" }, h("h2", { id: "storyboard" }, "Storyboard"), list, empty, planned);
  let shown = "";
  return {
    element,
    /**
     * @param {Film} film
     * @param {SceneNotes} notes
     */
    show(film, { errors, isLeftOut, news, current, selected }) {
      const events = news.filter((each) => each.type === "sceneStatus");
      const statuses = new Map(events.map(({ sceneId, status }) => [sceneId, status]));
      const scenes = film.scenes.map((scene) => ({
        ...scene,
        note: noteOf(scene, statuses.get(scene.id)),
        error: errors.get(scene.id) ?? null,
        leftOut: isLeftOut(scene.id),
        current: scene.id === current,
        selected: scene.id === selected,
      }));
      const known = new Set(film.scenes.map(({ id }) => id));
      const coming = events.filter(({ sceneId, status }) => (sceneId === null || !known.has(sceneId)) && status !== "removed" && status !== "saved");
      const key = JSON.stringify([scenes.map(({ code, ...rest }) => rest), coming, film.format.fps]);
      if (key === shown) return;
      shown = key;
      const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["scene"] : undefined;
      fill(list, scenes.map((scene, index) => card(scene, index + 1, film.format.fps)));
      fill(planned, coming.map(({ name, status }) => h("li", { "data-status": status }, `${name}: ${WORDS[status] ?? status}`)));
      empty.hidden = scenes.length + coming.length > 0;
      if (focused !== undefined) /** @type {HTMLElement | null} */ (list.querySelector(`[data-scene="${CSS.escape(focused)}"]`))?.focus();
    },
  };

  /**
   * @param {FilmScene & { note: string, error: string | null, leftOut: boolean, current: boolean, selected: boolean }} scene
   * @param {number} number
   * @param {number} fps
   */
  function card({ id, name, durationInFrames, note, error, leftOut, current, selected }, number, fps) {
    return h("li", { class: "storyboard-scene", "data-current": current },
      h("button", { type: "button", class: "scene-choice", "data-scene": id, "aria-pressed": String(selected), onclick: () => choose(id) },
        h("span", { class: "scene-number" }, number), " ", h("span", { class: "scene-name" }, name),
        h("span", { class: "note" }, ` ${(durationInFrames / fps).toFixed(1)} s${note && ` · ${note}`}`)),
      error && h("p", { class: "scene-error" }, `Cannot be drawn: ${error}`),
      leftOut && h("p", { class: "scene-error" }, "Left out: it did not finish drawing. ",
        h("button", { type: "button", class: "button small", onclick: () => takeBack(id) }, "Show it again")));
  }
}

/**
 * @param {FilmScene} scene
 * @param {string | undefined} status
 */
function noteOf({ draft }, status) {
  if (status !== undefined && status !== "saved") return WORDS[status] ?? status;
  return draft ? "draft" : "";
}
