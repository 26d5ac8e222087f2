/**
 * A small picture of each scene, drawn by one stage that lies over the storyboard. It takes no clicks, and it is cut to the
 * places of the pictures, so that a scene can draw over nothing else of the page.
 */

/** @import { Film } from "./film.js" */
/** @import { Tile } from "./stage_frame.js" */
/** @import { StageGroup } from "./stage_group.js" */

import { StageFrame } from "./stage_frame.js";

export class ScenePictures {
  stage;
  #area;
  #list;
  #sizes = new ResizeObserver(() => this.#arrange());
  /** @type {Film | null} */
  #film = null;
  #shown = "";

  /**
   * @param {StageGroup} group
   * @param {HTMLElement} area around the list; the stage covers it
   * @param {HTMLElement} list with an element `.scene-picture` for each scene, which names its `data-picture`
   */
  constructor(group, area, list) {
    this.stage = new StageFrame(group, "Pictures of the scenes");
    this.#area = area;
    this.#list = list;
    this.stage.element.classList.add("scene-pictures");
    this.stage.element.setAttribute("aria-hidden", "true"); // the names of the scenes are beside their pictures
    area.append(this.stage.element);
    this.#sizes.observe(area);
  }

  /** @param {Film} film whose scenes the list has now */
  show(film) {
    this.#film = film;
    this.stage.show(film);
    this.#arrange();
  }

  stop() {
    this.#sizes.disconnect();
    this.stage.stop();
  }

  #arrange() {
    if (this.#film === null) return;
    const { format, scenes } = this.#film;
    const lengths = new Map(scenes.map(({ id, durationInFrames }) => [id, durationInFrames]));
    const origin = this.#area.getBoundingClientRect();
    const places = /** @type {HTMLElement[]} */ ([...this.#list.querySelectorAll(".scene-picture")]);
    const tiles = places.flatMap((place) => {
      const id = place.dataset["picture"] ?? "";
      const length = lengths.get(id);
      return length === undefined ? [] : [tileIn(place.getBoundingClientRect(), origin, format, id, Math.floor(length / 2))];
    });
    const shown = JSON.stringify(tiles);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const cut = tiles.map(({ x, y, width, height }) => `M${x} ${y}h${width}v${height}h${-width}z`).join("");
    this.stage.element.style.clipPath = `path("${cut || "M0 0z"}")`;
    this.stage.showTiles(tiles);
  }
}

/**
 * Return the largest picture of the format in the middle of a place, in whole pixels.
 * @param {DOMRect} place
 * @param {DOMRect} origin
 * @param {{ width: number, height: number }} format
 * @param {string} id
 * @param {number} frame
 * @returns {Tile}
 */
function tileIn(place, origin, format, id, frame) {
  const scale = Math.min(place.width / format.width, place.height / format.height);
  const [width, height] = [Math.round(format.width * scale), Math.round(format.height * scale)];
  const x = Math.round(place.left - origin.left + (place.width - width) / 2);
  const y = Math.round(place.top - origin.top + (place.height - height) / 2);
  return { id, frame, x, y, width, height };
}
