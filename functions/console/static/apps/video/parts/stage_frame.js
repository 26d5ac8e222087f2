/**
 * The stage: a frame without an origin in which scenes are drawn. A model writes what runs there, so the page believes
 * nothing that it says, and replaces the frame if a scene does not let go of it.
 */

/** @import { Film, FilmScene } from "./film.js" */
/** @import { StageGroup } from "./stage_group.js" */

/**
 * A small picture of a scene: which of its frames, and where in the frame, in pixels.
 * @typedef {{ id: string, frame: number, x: number, y: number, width: number, height: number }} Tile
 */

import { fill, h } from "../../../core/app/dom.js";
import { lengthOf, sceneAt } from "./film.js";

const STAGE = "/stage";
/** In milliseconds. */
const TICK = 500;
/** How many ticks may pass without an answer. The page counts its own ticks, so a machine that is slow is not blamed. */
const MOST_MISSED = 10;
const LEFT_OUT = "This scene did not finish drawing and was left out.";
const MOST_TEXT = 500;

/**
 * What the page wants to know. `id` and `version` are those of a scene.
 * @typedef {object} Listeners
 * @property {(frame: number) => unknown} [onFrame]
 * @property {(id: string, version: string) => unknown} [onShown]
 * @property {(id: string, version: string, message: string) => unknown} [onError]
 * @property {(id: string, version: string) => unknown} [onLeftOut] the scene held the frame, which was replaced
 */

export class StageFrame {
  element = h("div", { class: "stage-frame" });
  playing = false;
  frame = 0;

  #group;
  #title;
  /** @type {Listeners} */
  #listeners;
  /** @type {HTMLIFrameElement | null} */
  #iframe = null;
  #ready = false;
  /** @type {Film | null} */
  #film = null;
  /** Small pictures of the scenes, instead of the film. @type {readonly Tile[] | null} */
  #tiles = null;
  /** What the present frame has got: `scene <id>` or `component <name>` → version. @type {Map<string, string>} */
  #sent = new Map();
  /** @type {Map<string, Blob>} */
  #images = new Map();
  #pings = 0;
  #missed = 0;
  #ticking;
  /** @param {MessageEvent} event */
  #hear = ({ source, data }) => {
    if (this.#iframe !== null && source === this.#iframe.contentWindow && data !== null && typeof data === "object") this.#take(data);
  };

  /**
   * @param {StageGroup} group of all stages of the page
   * @param {string} title for screen readers
   * @param {Listeners} [listeners]
   */
  constructor(group, title, listeners = {}) {
    this.#group = group;
    this.#title = title;
    this.#listeners = listeners;
    group.add(this);
    this.open();
    addEventListener("message", this.#hear);
    this.#ticking = setInterval(() => this.#tick(), TICK);
  }

  /** @param {Film} film */
  show(film) {
    this.#film = film;
    this.element.style.setProperty("aspect-ratio", `${film.format.width} / ${film.format.height}`);
    if (this.#ready) this.#send();
  }

  /**
   * Whether this image was given.
   * @param {string} id
   */
  hasImage(id) {
    return this.#images.has(id);
  }

  /**
   * @param {string} id
   * @param {Blob} blob
   */
  giveImage(id, blob) {
    this.#images.set(id, blob);
    this.#group.draws(this);
    if (this.#ready) this.#say({ type: "image", id, blob });
  }

  /**
   * Draw small pictures of the scenes from now on, not the film.
   * @param {readonly Tile[]} tiles
   */
  showTiles(tiles) {
    this.#tiles = tiles;
    this.#group.draws(this);
    if (this.#ready) this.#say({ type: "tiles", tiles });
  }

  /** @param {number} frame */
  seek(frame) {
    this.frame = frame;
    this.#group.draws(this);
    if (this.#ready) this.#say({ type: "seek", frame });
  }

  play() {
    this.playing = true;
    this.#group.draws(this);
    if (this.#ready) this.#say({ type: "play" });
  }

  pause() {
    this.playing = false;
    if (this.#ready) this.#say({ type: "pause" });
  }

  stop() {
    this.#group.remove(this);
    removeEventListener("message", this.#hear);
    clearInterval(this.#ticking);
    fill(this.element);
  }

  /** Remove the frame, with all that it was sent. */
  close() {
    this.#ready = false;
    this.#missed = 0;
    this.#pings = 0;
    this.#sent.clear();
    this.#iframe = null;
    fill(this.element);
  }

  /** Open a new frame. It is sent everything when it is ready. */
  open() {
    this.#iframe = h("iframe", { sandbox: "allow-scripts", src: STAGE, title: this.#title, tabindex: "-1" });
    fill(this.element, this.#iframe);
  }

  /**
   * Return the scene that the frame may be drawing; null if it cannot be known. All small pictures are drawn at once: a new
   * frame gets the scenes one by one, and shows which of them does not end.
   */
  drawn() {
    if (this.#film === null || this.#tiles !== null) return null;
    // While the film plays, the frame told of the last picture that it could draw.
    const frame = this.playing ? (this.frame + 1) % Math.max(1, lengthOf(this.#film)) : this.frame;
    return sceneAt(this.#film, frame)?.scene ?? null;
  }

  /**
   * Note that a scene is left out from now on.
   * @param {FilmScene} scene
   */
  leaveOut({ id, version }) {
    this.playing = false;
    if (this.#has(id, version)) this.#listeners.onLeftOut?.(id, version);
  }

  /** @param {object} message */
  #say(message) {
    this.#iframe?.contentWindow?.postMessage(message, "*"); // an opaque origin has no name
  }

  #begin() {
    this.#ready = true;
    for (const [id, blob] of this.#images) this.#say({ type: "image", id, blob });
    if (this.#tiles !== null) this.#say({ type: "tiles", tiles: this.#tiles });
    this.#send();
    this.#say({ type: "seek", frame: this.frame });
    if (this.playing) this.#say({ type: "play" });
  }

  /** Send what the frame does not have of the film. */
  #send() {
    const film = this.#film;
    if (film === null) return;
    for (const { name, version, code } of film.components) {
      if (code === null || this.#sent.get(`component ${name}`) === version) continue;
      this.#sent.set(`component ${name}`, version);
      this.#say({ type: "component", name, version, code });
    }
    const scenes = film.scenes.map(({ id, version, durationInFrames }) => {
      return { id, version, durationInFrames, ...(this.#group.isLeftOut({ id, version }) && { note: LEFT_OUT }) };
    });
    this.#say({ type: "project", format: film.format, scenes });
    this.loadNext();
  }

  /** Send a scene that the frame does not have: first the one that plays now. */
  loadNext() {
    const film = this.#film;
    if (film === null || !this.#ready) return;
    const missing = film.scenes.filter((each) => each.code !== null && !this.#group.isLeftOut(each) && this.#sent.get(`scene ${each.id}`) !== each.version);
    const playing = sceneAt(film, this.frame)?.scene;
    const next = missing.find((each) => each === playing) ?? missing[0];
    if (next === undefined || !this.#group.begin(this, next)) return;
    const { id, version, code, durationInFrames, playbackRate, props } = next;
    this.#sent.set(`scene ${id}`, version);
    this.#say({ type: "scene", id, version, code, durationInFrames, playbackRate, props });
  }

  /** @param {Record<string, unknown>} message from the frame: whatever a scene likes to say */
  #take(message) {
    const { type, id, version, frame } = message;
    if (type === "ready") this.#begin();
    else if (type === "pong") this.#missed = 0;
    else if (type === "frame" && this.#film !== null && isFrame(frame, lengthOf(this.#film))) {
      this.frame = frame;
      this.#listeners.onFrame?.(frame);
    } else if ((type === "shown" || type === "sceneError") && typeof id === "string" && typeof version === "string") {
      if (this.#has(id, version)) {
        if (type === "shown") this.#listeners.onShown?.(id, version);
        else this.#listeners.onError?.(id, version, String(message["message"]).slice(0, MOST_TEXT));
      }
      const loading = this.#group.loadingOf(this);
      if (loading?.id === id && loading.version === version) this.#group.end(this);
    }
  }

  /**
   * @param {string} id
   * @param {string} version
   */
  #has(id, version) {
    return this.#film?.scenes.some((scene) => scene.id === id && scene.version === version) ?? false;
  }

  /** Ask whether the frame still answers; if it did not for a while, all stages are replaced without the scene that holds it. */
  #tick() {
    if (!this.#ready || document.hidden) return;
    if (this.#missed >= MOST_MISSED) {
      this.#group.release();
      return;
    }
    if (this.#missed <= 1) this.#group.tick(this);
    this.#missed += 1;
    this.#pings += 1;
    this.#say({ type: "ping", n: this.#pings });
  }
}

/**
 * @param {unknown} value
 * @param {number} length
 * @returns {value is number}
 */
function isFrame(value, length) {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < length;
}
