/**
 * The page that draws a project's scenes, in a frame of an opaque origin. README.md beside it describes the messages
 * that it exchanges with the page around it, which is the only one that it hears.
 */

import { h, render } from "preact";
import { beginDrawing, freeze } from "./determinism.js";
import { Film } from "./film.js";
import { Contained, drawing } from "./player.js";
import { tileElements } from "./tiles.js";

// The browser's policy for this page stops requests, but not these: WebRTC sends packets in spite of it, and a worker
// would be a realm without what freeze() does.
for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "RTCDataChannel", "WebTransport", "Worker", "SharedWorker"]) {
  delete globalThis[name];
}
const host = globalThis.parent;
const nextPicture = globalThis.requestAnimationFrame.bind(globalThis);
const now = performance.now.bind(performance);
freeze();

const root = document.getElementById("stage");
const film = new Film();
let frame = 0;
/** @type {{ since: number, from: number } | null} */
let playing = null;
/** @type {{ key: string, frame: number } | null} the drawing that failed last */
let failed = null;
let attempt = 0;
/** Small pictures of the scenes, instead of the film. @type {import("./tiles.js").Tile[] | null} */
let tiles = null;
/** Counts what changes every picture: images and components. */
let supplied = 0;
const reported = new Set();

/** Images that have not arrived yet have no URL: their place stays empty. */
class Images extends Map {
  has() {
    return true;
  }
  get(id) {
    return super.get(id) ?? null;
  }
}
const assets = { images: new Images(), components: new Map() };

const tell = (message) => host.postMessage(message, "*");
const messageOf = (error) => String(error?.message ?? error);
const stackOf = (error) => String(error?.stack ?? "");

const CARD = { position: "absolute", inset: 0, display: "flex", alignItems: "center", justifyContent: "center", padding: 64, boxSizing: "border-box", background: "#1f2430", color: "#e6e9f0", fontSize: 32, textAlign: "center" };
const card = (text) => h("div", { style: CARD, role: "note" }, text);

function report({ id, version }, error) {
  const key = `${id} ${version}`;
  if (reported.has(key)) return;
  reported.add(key);
  tell({ type: "sceneError", id, version, message: messageOf(error), stack: stackOf(error) });
}

function contained(loaded, own) {
  const { id, version, scene, durationInFrames, playbackRate, props } = loaded;
  const key = `${id} ${version}`;
  // A scene that failed at another frame is tried again: it may be drawn at this one.
  if (failed?.key === key && failed.frame !== frame) attempt++;
  const onError = (error) => {
    failed = { key, frame };
    report(loaded, error);
  };
  const fallback = (error) => card(`This scene cannot be drawn: ${messageOf(error)}`);
  const element = drawing({ scene, frame: own, format: film.format, id, durationInFrames, playbackRate, props, assets });
  return h(Contained, { key: `${key} ${attempt}`, onError, fallback }, element);
}

function picture() {
  const shown = film.at(frame);
  if (shown === null) return null;
  if (shown.entry.note) return card(shown.entry.note);
  const loaded = film.version(shown.entry);
  if (loaded === null) return null;
  if (loaded.scene === null) return card(`This scene cannot be drawn: ${loaded.failure}`);
  return contained(loaded, shown.frame);
}

/** Return what a tile shows: its scene at the tile's frame. */
function tileContent({ id, frame: own }) {
  const entry = film.entries.find((each) => each.id === id);
  const loaded = entry && !entry.note ? film.version(entry) : null;
  const shown = loaded === null ? "" : JSON.stringify([loaded.version, own, film.format, supplied]);
  const content = () => (loaded === null || loaded.scene === null ? null : contained(loaded, own));
  return { shown, content };
}

function draw() {
  beginDrawing();
  render(tiles === null ? picture() : tileElements(tiles, film.format, tileContent), root);
}

function seek(wanted) {
  const last = Math.max(0, film.durationInFrames - 1);
  const next = Math.min(last, Math.max(0, Math.floor(Number(wanted) || 0)));
  const moved = next !== frame;
  frame = next;
  draw();
  if (moved) tell({ type: "frame", frame });
}

function tick() {
  if (playing === null) return;
  const passed = Math.floor(((now() - playing.since) * film.format.fps) / 1000);
  const length = Math.max(1, film.durationInFrames);
  const next = (playing.from + passed) % length;
  if (next !== frame) seek(next);
  nextPicture(tick);
}

function fit() {
  if (tiles !== null) return;
  const { width, height } = film.format;
  const scale = Math.min(innerWidth / width, innerHeight / height);
  const left = (innerWidth - width * scale) / 2;
  const top = (innerHeight - height * scale) / 2;
  Object.assign(root.style, { width: `${width}px`, height: `${height}px`, transform: `translate(${left}px, ${top}px) scale(${scale})` });
}

/** Return the module of a code; `default` is its function. */
async function load(code) {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    return (await import(url)).default;
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function addScene(message) {
  const { id, version } = message;
  try {
    const scene = await load(message.code);
    if (typeof scene !== "function") throw new TypeError("it has no function as default export");
    film.add({ ...message, scene, failure: null });
  } catch (error) {
    film.add({ ...message, scene: null, failure: messageOf(error) });
    report(message, error);
  }
  draw();
  if (!reported.has(`${id} ${version}`)) tell({ type: "shown", id, version, visible: film.at(frame)?.entry.id === id });
}

async function addComponent({ name, version, code }) {
  try {
    assets.components.set(name, await load(code));
    tell({ type: "componentShown", name, version });
  } catch (error) {
    tell({ type: "componentError", name, version, message: messageOf(error), stack: stackOf(error) });
  }
  supplied++;
  draw();
}

const ANSWERS = {
  project(message) {
    film.arrange(message);
    fit();
    seek(frame);
  },
  scene: addScene,
  component: addComponent,
  image({ id, blob }) {
    assets.images.set(id, URL.createObjectURL(blob));
    supplied++;
    draw();
  },
  tiles(message) {
    if (tiles === null) {
      // The page around it draws what is between the pictures.
      for (const each of [document.documentElement, document.body, root]) each.style.background = "transparent";
      Object.assign(root.style, { inset: "0", width: "auto", height: "auto", transform: "none" });
    }
    tiles = message.tiles;
    draw();
  },
  seek(message) {
    if (playing !== null) playing = { since: now(), from: message.frame };
    seek(message.frame);
  },
  play() {
    playing = { since: now(), from: frame };
    nextPicture(tick);
  },
  pause() {
    playing = null;
  },
  ping({ n }) {
    tell({ type: "pong", n });
  },
};

addEventListener("message", ({ data, source }) => {
  if (source === host && Object.hasOwn(ANSWERS, data?.type)) ANSWERS[data.type](data);
});
addEventListener("resize", fit);
fit();
tell({ type: "ready", api: 1 });
