/**
 * Play a scene without a browser and say what went wrong. It runs in Deno without permissions: one JSON object comes
 * through standard input, and one line leaves through standard output. The line begins with the object's `key`, so that
 * nothing else that is printed can be taken for it. A scene that means to pass here and to fail in the preview can do so:
 * the preview contains it.
 */

import { h } from "preact";
import { renderToString } from "preact-render-to-string";
import { beginDrawing, freeze } from "./determinism.js";
import { drawing } from "./player.js";

const MOST_CHARACTERS = 1_000_000; // of one frame's HTML

const { Deno } = globalThis;
for (const name of ["Deno", "process", "Buffer", "Worker", "localStorage", "sessionStorage", "caches", "fetch", "WebSocket", "EventSource"]) {
  delete globalThis[name];
}
for (const name of Object.keys(console)) console[name] = () => {};
const { parse, stringify } = JSON;
const encoder = new TextEncoder();
const job = parse(await new Response(Deno.stdin.readable).text());
const { key } = job;
freeze();
Error.stackTraceLimit = 100;

function answer(report) {
  const bytes = encoder.encode(`${key}${stringify(report)}\n`);
  for (let sent = 0; sent < bytes.length; ) sent += Deno.stdout.writeSync(bytes.subarray(sent));
  Deno.exit(0);
}

function told(error, more) {
  const isError = error instanceof Error;
  return { ...more, name: isError ? error.name : "Error", message: isError ? error.message : String(error), stack: isError ? String(error.stack) : "" };
}

async function moduleOf(code) {
  return await import(`data:text/javascript,${encodeURIComponent(code)}`);
}

/** Images that note which of them are shown. */
class NotedImages extends Map {
  shown = new Set();
  get(id) {
    this.shown.add(id);
    return super.get(id);
  }
}

const images = new NotedImages(job.images.map((id) => [id, `data:,${id}`]));
const components = new Map();

for (const [name, code] of Object.entries(job.components)) {
  try {
    components.set(name, (await moduleOf(code)).default);
  } catch (error) {
    answer({ fault: told(error, { component: name }) });
  }
}

let scene;
try {
  scene = (await moduleOf(job.code)).default;
} catch (error) {
  answer({ fault: told(error, { loading: true }) });
}
if (typeof scene !== "function") answer({ fault: { rule: "default-export", name: "TypeError", message: "", stack: "" } });

function draw(frame, props) {
  beginDrawing();
  const { format, id, durationInFrames, playbackRate } = job;
  return renderToString(drawing({ scene, frame, format, id, durationInFrames, playbackRate, props, assets: { images, components } }));
}

const copy = (props) => parse(stringify(props));
let drawn = 0;
let notNumbers = null;

function playAll(props, which) {
  for (const frame of job.frames) {
    let html;
    try {
      html = draw(frame, copy(props));
    } catch (error) {
      answer({ fault: told(error, { frame, props: which }) });
    }
    if (html.length > MOST_CHARACTERS) answer({ fault: { rule: "too-many-elements", frame, props: which, name: "RangeError", message: "", stack: "" } });
    if (html.length > 0) drawn++;
    if (notNumbers === null && /[:"(\s]NaN/.test(html)) notNumbers = frame;
  }
  for (const frame of [job.frames[0], job.frames[job.frames.length >> 1]]) {
    if (draw(frame, copy(props)) !== draw(frame, copy(props))) answer({ fault: { rule: "not-a-function-of-the-frame", frame, props: which, name: "Error", message: "", stack: "" } });
  }
}

if (!job.isComponent) playAll({}, "default");
if (job.isComponent || Object.keys(job.props).length > 0) playAll(job.props, "given");
answer({ images: [...images.shown], empty: drawn === 0, notNumbers });
