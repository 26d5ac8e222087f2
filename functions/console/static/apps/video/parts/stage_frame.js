/**
 * The stage: a frame without an origin in which scenes are drawn. A model writes what runs there, so the page believes
 * nothing that it says, and replaces the frame if a scene does not let go of it.
 */

/** @import { Film, FilmScene } from "./film.js" */

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

  #title;
  /** @type {Listeners} */
  #listeners;
  /** @type {HTMLIFrameElement} */
  #iframe;
  #ready = false;
  /** @type {Film | null} */
  #film = null;
  /** What the present frame has got: `scene <id>` or `component <name>` → version. @type {Map<string, string>} */
  #sent = new Map();
  /** The scene that the frame is loading. They are sent one by one, so that the one that holds the frame is known. @type {FilmScene | null} */
  #loading = null;
  /** @type {Map<string, Blob>} */
  #images = new Map();
  /** @type {Map<string, string>} */
  #leftOut = new Map();
  #pings = 0;
  #missed = 0;
  #ticking;
  /** @param {MessageEvent} event */
  #hear = ({ source, data }) => {
    if (source === this.#iframe.contentWindow && data !== null && typeof data === "object") this.#take(data);
  };

  /**
   * @param {string} title for screen readers
   * @param {Listeners} [listeners]
   */
  constructor(title, listeners = {}) {
    this.#title = title;
    this.#listeners = listeners;
    this.#iframe = this.#open();
    addEventListener("message", this.#hear);
    this.#ticking = setInterval(() => this.#tick(), TICK);
  }

  /** @param {Film} film */
  show(film) {
    this.#film = film;
    this.element.style.setProperty("aspect-ratio", `${film.format.width} / ${film.format.height}`);
    for (const [id, version] of this.#leftOut) {
      if (!film.scenes.some((each) => each.id === id && each.version === version)) this.#leftOut.delete(id);
    }
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
    if (this.#ready) this.#say({ type: "image", id, blob });
  }

  /** @param {number} frame */
  seek(frame) {
    this.frame = frame;
    if (this.#ready) this.#say({ type: "seek", frame });
  }

  play() {
    this.playing = true;
    if (this.#ready) this.#say({ type: "play" });
  }

  pause() {
    this.playing = false;
    if (this.#ready) this.#say({ type: "pause" });
  }

  /**
   * Whether this version of the scene is left out.
   * @param {string} id
   */
  isLeftOut(id) {
    return this.#leftOut.has(id);
  }

  /**
   * Show a scene again that was left out.
   * @param {string} id
   */
  takeBack(id) {
    this.#leftOut.delete(id);
    this.#replace();
  }

  stop() {
    removeEventListener("message", this.#hear);
    clearInterval(this.#ticking);
    fill(this.element);
  }

  #open() {
    const iframe = h("iframe", { sandbox: "allow-scripts", src: STAGE, title: this.#title, tabindex: "-1" });
    fill(this.element, iframe);
    return iframe;
  }

  #replace() {
    this.#ready = false;
    this.#missed = 0;
    this.#pings = 0;
    this.#sent.clear();
    this.#loading = null;
    this.#iframe = this.#open();
  }

  /** @param {object} message */
  #say(message) {
    this.#iframe.contentWindow?.postMessage(message, "*"); // an opaque origin has no name
  }

  #begin() {
    this.#ready = true;
    for (const [id, blob] of this.#images) this.#say({ type: "image", id, blob });
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
      return { id, version, durationInFrames, ...(this.#leftOut.has(id) && { note: LEFT_OUT }) };
    });
    this.#say({ type: "project", format: film.format, scenes });
    this.#sendNextScene();
  }

  /** Send a scene that the frame does not have: first the one that plays now. */
  #sendNextScene() {
    const film = this.#film;
    if (film === null || this.#loading !== null) return;
    const missing = film.scenes.filter(({ id, version, code }) => code !== null && !this.#leftOut.has(id) && this.#sent.get(`scene ${id}`) !== version);
    const playing = sceneAt(film, this.frame)?.scene;
    const next = missing.find((each) => each === playing) ?? missing[0];
    if (next === undefined) return;
    const { id, version, code, durationInFrames, playbackRate, props } = next;
    this.#sent.set(`scene ${id}`, version);
    this.#loading = next;
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
      if (this.#loading?.id !== id || this.#loading.version !== version) return;
      this.#loading = null;
      this.#sendNextScene();
    }
  }

  /**
   * @param {string} id
   * @param {string} version
   */
  #has(id, version) {
    return this.#film?.scenes.some((scene) => scene.id === id && scene.version === version) ?? false;
  }

  /** Ask whether the frame still answers; if it did not for a while, replace it without the scene that holds it. */
  #tick() {
    if (!this.#ready || document.hidden) return;
    if (this.#missed >= MOST_MISSED) {
      this.#leaveOut();
      this.#replace();
      return;
    }
    this.#missed += 1;
    this.#pings += 1;
    this.#say({ type: "ping", n: this.#pings });
  }

  #leaveOut() {
    const film = this.#film;
    // While the film plays, the frame told of the last picture that it could draw.
    const drawing = film && sceneAt(film, this.playing ? (this.frame + 1) % Math.max(1, lengthOf(film)) : this.frame)?.scene.id;
    const held = film?.scenes.find(({ id }) => id === (this.#loading?.id ?? drawing));
    if (!held) return;
    this.playing = false;
    this.#leftOut.set(held.id, held.version);
    this.#listeners.onLeftOut?.(held.id, held.version);
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
