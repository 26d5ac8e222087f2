/** The scenes of a film in their order, each with a picture, its length, and what happens to it. */

/** @import { ApplicationEvent } from "../../../millrace/view.js" */
/** @import { Film, FilmScene } from "./film.js" */
/** @import { StageGroup } from "./stage_group.js" */

import { fill, h } from "../../../core/app/dom.js";
import { ScenePictures } from "./scene_pictures.js";

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
/** How much of a scene's card is filled by what is done, in percent. */
const WHOLE = 100;

/**
 * What is told of a scene besides its name and length.
 * @typedef {object} SceneNotes
 * @property {ReadonlyMap<string, string>} errors of scenes that cannot be drawn, by id
 * @property {(scene: FilmScene) => boolean} isLeftOut
 * @property {readonly ApplicationEvent[]} news of the running job
 * @property {string | null} current the scene that plays now
 * @property {string | null} selected the scene that a message is about
 */

/**
 * @param {StageGroup} group
 * @param {{ choose: (id: string) => unknown, takeBack: (id: string) => unknown }} actions
 */
export function storyboard(group, { choose, takeBack }) {
  const list = h("ol", { class: "storyboard-scenes" });
  const empty = h("p", { class: "empty" }, "No scenes yet. Say in the chat what the video should show.");
  const area = h("div", { class: "storyboard-area" }, list);
  const element = h("section", { class: "panel storyboard", "aria-labelledby": "storyboard" }, h("h2", { id: "storyboard" }, "Storyboard"), area, empty);
  const pictures = new ScenePictures(group, area, list);
  let shown = "";
  return {
    element,
    pictures,
    /**
     * @param {Film} film
     * @param {SceneNotes} notes
     */
    show(film, { errors, isLeftOut, news, current, selected }) {
      const events = news.filter((each) => each.type === "sceneStatus");
      const statuses = new Map(events.map(({ sceneId, status }) => [sceneId, status]));
      const done = new Map(news.filter((each) => each.type === "componentStage").map(({ sceneId, percent }) => [sceneId, percent]));
      const scenes = film.scenes.map((scene) => ({
        ...scene,
        note: noteOf(scene, statuses.get(scene.id)),
        percent: percentOf(statuses.get(scene.id), done.get(scene.id)),
        error: errors.get(scene.id) ?? null,
        leftOut: isLeftOut(scene),
        current: scene.id === current,
        selected: scene.id === selected,
      }));
      const known = new Set(film.scenes.map(({ id }) => id));
      const coming = events
        .filter(({ sceneId, status }) => (sceneId === null || !known.has(sceneId)) && status !== "removed" && status !== "saved")
        .map(({ name, sceneId, status }) => ({ name, status, percent: percentOf(status, done.get(sceneId)) }));
      const key = JSON.stringify([scenes.map(({ code, ...rest }) => rest), coming, film.format]);
      if (key !== shown) {
        shown = key;
        const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["scene"] : undefined;
        fill(list, scenes.map((scene, index) => card(scene, index + 1, film.format.fps)), coming.map(comingCard));
        empty.hidden = scenes.length + coming.length > 0;
        if (focused !== undefined) /** @type {HTMLElement | null} */ (list.querySelector(`[data-scene="${CSS.escape(focused)}"]`))?.focus();
      }
      pictures.show(film);
    },
    stop: () => pictures.stop(),
  };

  /**
   * @param {FilmScene & { note: string, percent: number | null, error: string | null, leftOut: boolean, current: boolean, selected: boolean }} scene
   * @param {number} number
   * @param {number} fps
   */
  function card({ id, name, durationInFrames, note, percent, error, leftOut, current, selected }, number, fps) {
    return h("li", { class: "storyboard-scene", "data-current": current },
      h("button", { type: "button", class: "scene-choice", "data-scene": id, "aria-pressed": String(selected), onclick: () => choose(id) },
        h("span", { class: "scene-picture", "data-picture": id }),
        h("span", { class: "scene-title" }, h("span", { class: "scene-number" }, number), " ", h("span", { class: "scene-name" }, name)),
        h("span", { class: "note" }, ` ${(durationInFrames / fps).toFixed(1)} s${note && ` · ${note}`}`)),
      bar(percent),
      error && h("p", { class: "scene-error" }, `Cannot be drawn: ${error}`),
      leftOut && h("p", { class: "scene-error" }, "Left out: it did not finish drawing. ",
        h("button", { type: "button", class: "button small", onclick: () => takeBack(id) }, "Show it again")));
  }
}

/** @param {{ name: string, status: string, percent: number | null }} scene that cannot be played yet */
function comingCard({ name, status, percent }) {
  return h("li", { class: "storyboard-scene coming", "data-status": status },
    h("span", { class: "scene-picture" }),
    h("span", { class: "scene-title scene-name" }, name),
    h("span", { class: "note" }, WORDS[status] ?? status),
    bar(percent));
}

/** @param {number | null} percent */
function bar(percent) {
  return percent !== null && h("span", { class: "scene-progress", "aria-hidden": "true" }, progressTo(percent));
}

/** @param {number} percent */
function progressTo(percent) {
  const filled = h("span", {});
  filled.style.inlineSize = `${percent}%`;
  return filled;
}

/**
 * Return how much of a scene is made, while it is being made.
 * @param {string | undefined} status
 * @param {number | undefined} percent
 */
function percentOf(status, percent) {
  const ended = status === undefined || status === "saved" || status === "failed" || status === "removed";
  return ended || percent === undefined || percent >= WHOLE ? null : percent;
}

/**
 * @param {FilmScene} scene
 * @param {string | undefined} status
 */
function noteOf({ draft }, status) {
  if (status !== undefined && status !== "saved") return WORDS[status] ?? status;
  return draft ? "draft" : "";
}
