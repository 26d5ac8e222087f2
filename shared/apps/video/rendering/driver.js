/**
 * Drives the stage's page while a video is rendered. It runs in a separate world, so a scene cannot change it, and
 * the stage cannot take its timers away. The stage hears the page around it; here that is the page itself.
 */

const TOLD = new Set(["shown", "componentShown", "sceneError", "componentError"]);
const told = [];
const errors = [];
const pings = new Map();
let wake = () => undefined;
let isReady = false;

addEventListener("message", ({ data, source }) => {
  if (source !== window || typeof data !== "object" || data === null) return;
  if (data.type === "ready") isReady = true;
  if (data.type === "pong") pings.get(data.n)?.();
  if (TOLD.has(data.type)) told.push(data);
  if (data.type === "sceneError" || data.type === "componentError") errors.push(data);
  wake();
});

const say = (message) => window.postMessage(message, "*");

async function until(condition) {
  while (!condition()) await new Promise((resolve) => (wake = resolve));
}

/** Wait until the stage has done what was said before. */
const done = () =>
  new Promise((resolve) => {
    const n = pings.size;
    pings.set(n, resolve);
    say({ type: "ping", n });
  });

/** Wait until all images of the page can be drawn. A broken image leaves its place as it does in the preview. */
const decoded = () => Promise.all([...document.images].map((image) => image.decode().catch(() => undefined)));

/** Give the stage a revision, and wait until its fonts, images, components and scenes are there. Return the errors. */
async function open({ project, scenes, components, images }) {
  await until(() => isReady);
  await Promise.all([...document.fonts].map((font) => font.load()));
  for (const { id, path } of images) say({ type: "image", id, blob: await (await fetch(path)).blob() });
  for (const each of components) say({ type: "component", ...each });
  await until(() => told.length === components.length);
  for (const each of scenes) say({ type: "scene", ...each });
  await until(() => told.length === components.length + scenes.length);
  if (errors.length > 0) return errors;
  say({ type: "project", ...project });
  await done();
  return errors;
}

/** Draw a frame, and return the errors of all drawings until now. */
async function show(frame) {
  say({ type: "seek", frame });
  await done();
  await decoded();
  return errors;
}

/** Return those of the characters that no font of this machine has: they all look like one that no font has. */
function undrawable(characters) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 48;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.font = "32px Inter, system-ui, sans-serif";
  const look = (character) => {
    context.clearRect(0, 0, 48, 48);
    context.fillText(character, 4, 36);
    return context.getImageData(0, 0, 48, 48).data.join();
  };
  const nothing = look("\u{10fffd}");
  return [...characters].filter((each) => look(each) === nothing);
}

globalThis.millrace = { open, show, undrawable };
