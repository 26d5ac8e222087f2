/** Print what the runtime computes, for test_runtime.py. It runs in Deno. */

import { h } from "preact";
import { renderToString } from "preact-render-to-string";
import { beginDrawing, freeze } from "./determinism.js";
import { Film } from "./film.js";
import { drawing } from "./player.js";
import { AbsoluteFill, component, Easing, Freeze, Img, interpolate, interpolateColors, Loop, measureSpring, random, Sequence, Series, spring, useCurrentFrame, useVideoConfig } from "./scene.js";

const results = {};
const round = (number) => Math.round(number * 1e6) / 1e6;
const thrown = (call) => {
  try {
    call();
    return null;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};
const assets = { images: new Map([["img_a", "data:,a"], ["img_b", null]]), components: new Map([["Tag", ({ text }) => h("u", {}, text)]]) };
const draw = (scene, frame, more = {}) =>
  renderToString(drawing({ scene, frame, format: { width: 100, height: 50, fps: 30 }, id: "s", durationInFrames: 90, props: {}, assets, ...more }));
const Now = () => {
  const frame = useCurrentFrame();
  return h("i", {}, `${frame}/${useVideoConfig().durationInFrames}`);
};
const framesOf = (element, frames) => frames.map((frame) => draw(() => element, frame).replace(/<[^>]*>/g, ""));

results.interpolate = {
  middle: interpolate(15, [0, 30], [0, 100]),
  segments: [0, 10, 15, 20, 30].map((frame) => interpolate(frame, [0, 10, 20], [0, 100, 0])),
  extend: interpolate(40, [0, 30], [0, 3]),
  clamp: [interpolate(-5, [0, 30], [1, 3], { extrapolateLeft: "clamp" }), interpolate(40, [0, 30], [1, 3], { extrapolateRight: "clamp" })],
  identity: interpolate(40, [0, 30], [1, 3], { extrapolateRight: "identity" }),
  wrap: interpolate(35, [0, 30], [0, 30], { extrapolateRight: "wrap" }),
  eased: round(interpolate(15, [0, 30], [0, 1], { easing: Easing.quad })),
  refused: [
    thrown(() => interpolate(undefined, [0, 1], [0, 1])),
    thrown(() => interpolate(1, [0, 1], [0])),
    thrown(() => interpolate(1, [0, 0], [0, 1])),
    thrown(() => interpolate(1, [0], [0])),
    thrown(() => interpolate(1, [0, 1], ["a", "b"])),
    thrown(() => interpolate(9, [0, 1], [0, 1], { extrapolateRight: "clip" })),
  ],
};
results.easing = Object.fromEntries(
  Object.entries({ ...Easing, back: Easing.back(), elastic: Easing.elastic(), poly: Easing.poly(4), bezier: Easing.bezier(0.25, 0.1, 0.25, 1), in: Easing.in(Easing.sin), out: Easing.out(Easing.exp), inOut: Easing.inOut(Easing.circle) }).map(
    ([name, easing]) => [name, [0, 0.5, 1].map((t) => round(easing(t)))],
  ),
);
results.spring = {
  start: spring({ frame: 0, fps: 30 }),
  under: round(spring({ frame: 10, fps: 30 })),
  critical: round(spring({ frame: 10, fps: 30, config: { damping: 20, stiffness: 100, mass: 1 } })),
  over: round(spring({ frame: 10, fps: 30, config: { damping: 200 } })),
  end: round(spring({ frame: 600, fps: 30 })),
  range: round(spring({ frame: 600, fps: 30, from: 10, to: 50 })),
  delayed: spring({ frame: 5, fps: 30, delay: 10 }),
  clamped: Math.max(...Array.from({ length: 60 }, (_, frame) => spring({ frame, fps: 30, config: { overshootClamping: true } }))),
  stretched: Math.abs(spring({ frame: 20, fps: 30, durationInFrames: 20 }) - 1) < 0.01,
  reversed: [round(spring({ frame: 60, fps: 30, durationInFrames: 60, reverse: true })), spring({ frame: 0, fps: 30, durationInFrames: 60, reverse: true }) > 0.99],
  rate: round(spring({ frame: 20, fps: 60 })) === round(spring({ frame: 10, fps: 30 })),
  measured: measureSpring({ fps: 30 }),
  refused: [thrown(() => spring({ frame: 1 })), thrown(() => spring({ frame: 1, fps: 30, config: { mass: 0 } }))],
};
results.colors = {
  middle: interpolateColors(5, [0, 10], ["#000", "#ffffff"]),
  outside: interpolateColors(50, [0, 10], ["red", "rgb(0, 0, 255)"]),
  alpha: interpolateColors(5, [0, 10], ["transparent", "#000f"]),
  hsl: interpolateColors(0, [0, 10], ["hsl(120, 100%, 50%)", "hsl(-120deg 100% 50% / 50%)"]),
  refused: thrown(() => interpolateColors(0, [0, 1], ["#12345", "nocolor"])),
};
results.random = [random("a") === random("a"), random("a") === random("b"), random(1) >= 0 && random(1) < 1, thrown(() => random(null))];
results.sequence = framesOf(h(Sequence, { from: 10, durationInFrames: 5 }, h(Now)), [9, 10, 14, 15]);
results.sequenceIsCut = framesOf(h(Sequence, { from: 80 }, h(Now)), [80, 89]);
results.series = framesOf(h(Series, {}, h(Series.Sequence, { durationInFrames: 10 }, h(Now)), h(Series.Sequence, { durationInFrames: 20, offset: 5 }, h(Now))), [0, 9, 10, 15, 34, 35]);
results.loop = framesOf(h(Loop, { durationInFrames: 10, times: 2 }, h(Now)), [0, 9, 10, 19, 20]);
results.freeze = framesOf(h(Freeze, { frame: 7 }, h(Now)), [0, 50]);
results.rate = [draw(Now, 10, { playbackRate: 2 }), draw(Now, 10, { playbackRate: 0.5 })];
results.refused = [
  thrown(() => draw(() => h(Sequence, { from: "now" }), 0)),
  thrown(() => draw(() => h(Series, {}, h("p")), 0)),
  thrown(() => draw(() => h(Loop, {}), 0)),
  thrown(() => draw(() => h(Img, { image: "img_x" }), 0)),
  thrown(() => draw(() => h(Img, { src: "a.png" }), 0)),
  thrown(() => draw(component("Chart"), 0)),
];
results.image = [draw(() => h(Img, { image: "img_a", width: 5 }), 0), draw(() => h(Img, { image: "img_b", style: { width: 5 } }), 0)];
results.component = draw(() => h(component("Tag"), { text: "new" }), 0);
results.fill = draw(() => h(AbsoluteFill, { style: { top: 4, opacity: 0.5 }, title: "box" }, "x"), 0);
const shared = { scale: 1.5, aspectRatio: 2, columns: 3, width: 5, lineHeight: 1.2, zIndex: 4 };
results.style = [draw(() => h("b", { style: shared }), 0), shared.scale];
results.svg = draw(() => h("svg", {}, h("path", { strokeWidth: 3, strokeLinecap: "round", className: "line" })), 0);

const film = new Film();
film.arrange({ format: { width: 1, height: 1, fps: 30 }, scenes: [{ id: "a", version: 1, durationInFrames: 10 }, { id: "b", version: 2, durationInFrames: 5 }] });
results.film = [0, 9, 10, 14, 15].map((frame) => { const at = film.at(frame); return at && [at.entry.id, at.frame]; });
film.add({ id: "b", version: 1, scene: "old" });
const before = film.version({ id: "b", version: 1 }).scene;
const meanwhile = film.version({ id: "b", version: 2 }).scene;
film.add({ id: "b", version: 2, scene: "new" });
results.versions = [before, meanwhile, film.version({ id: "b", version: 2 }).scene, film.version({ id: "a", version: 1 })];

freeze();
const drawn = () => { beginDrawing(); return [Math.random(), Date.now(), new Date().getTime(), performance.now(), setTimeout(() => {})]; };
results.frozen = [JSON.stringify(drawn()) === JSON.stringify(drawn()), new Date(5).getTime(), Math.random() !== Math.random()];

console.log(JSON.stringify(results));
