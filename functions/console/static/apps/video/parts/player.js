/** The stage with its controls: play, pause, and a slider of the film's time. */

/** @import { Film } from "./film.js" */
/** @import { Listeners } from "./stage_frame.js" */
/** @import { StageGroup } from "./stage_group.js" */

import { h, setText } from "../../../core/app/dom.js";
import { lengthOf, sceneAt, startOf } from "./film.js";
import { StageFrame } from "./stage_frame.js";

/**
 * @param {StageGroup} group
 * @param {Listeners & { onPlace?: (sceneId: string | null) => unknown }} listeners `onPlace`: another scene plays now
 */
export function player(group, { onPlace, ...listeners }) {
  /** @type {Film} */
  let film = { format: { width: 16, height: 9, fps: 30 }, scenes: [], components: [] };
  /** @type {string | null} */
  let place = null;
  const stage = new StageFrame(group, "The film", {
    ...listeners,
    onFrame: () => drawPlace(),
    onLeftOut(id, version) {
      drawPlay();
      listeners.onLeftOut?.(id, version);
    },
  });
  const play = h("button", { type: "button", class: "button small", onclick: () => toggle() }, "Play");
  /** @type {HTMLInputElement} */
  const slider = h("input", { type: "range", min: 0, max: 0, value: 0, step: 1, "aria-label": "Time", oninput: () => seek(Number(slider.value)) });
  const time = h("span", { class: "time" });
  const element = h("section", { class: "player", "aria-label": "Preview" }, stage.element, h("p", { class: "transport" }, play, slider, time));

  const toggle = () => {
    if (stage.playing) stage.pause();
    else stage.play();
    drawPlay();
  };
  /** @param {number} frame */
  const seek = (frame) => {
    stage.seek(frame);
    drawPlace();
  };
  const drawPlay = () => setText(play, stage.playing ? "Pause" : "Play");
  const drawPlace = () => {
    const { frame } = stage;
    const at = sceneAt(film, frame);
    slider.value = String(frame);
    const { fps } = film.format;
    const words = `${seconds(frame / fps)} of ${seconds(lengthOf(film) / fps)}${at ? `, scene ${at.number}: ${at.scene.name}` : ""}`;
    setText(time, words);
    slider.setAttribute("aria-valuetext", words);
    if ((at?.scene.id ?? null) === place) return;
    place = at?.scene.id ?? null;
    onPlace?.(place);
  };

  return {
    element,
    stage,
    seek,
    /** @param {Film} shown */
    show(shown) {
      film = shown;
      const last = Math.max(0, lengthOf(film) - 1);
      slider.max = String(last);
      play.disabled = last === 0;
      slider.disabled = last === 0;
      stage.show(film);
      if (stage.frame > last) stage.seek(last);
      drawPlace();
    },
    /** @param {string} sceneId */
    goTo(sceneId) {
      const start = startOf(film, sceneId);
      if (start !== null) seek(start);
    },
    stop: () => stage.stop(),
  };
}

/** @param {number} value */
function seconds(value) {
  return `${value.toFixed(1)} s`;
}
