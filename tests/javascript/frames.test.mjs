/** What pages draw while a job sends text, and how often. */

import assert from "node:assert/strict";
import { test } from "node:test";

let requests = [];
Object.assign(globalThis, {
  document: { hidden: false },
  requestAnimationFrame: (act) => requests.push(act),
  cancelAnimationFrame: (id) => delete requests[id - 1],
});
const { eachFrame } = await import("../../functions/console/static/core/app/frames.js");

/** A watch whose changes are made by hand. */
function changing() {
  const listeners = new Set();
  return {
    change: () => listeners.forEach((each) => each()),
    subscribe: (listener) => (listeners.add(listener), () => listeners.delete(listener)),
  };
}

let now = 1_000;

/** Draw the next frame of a screen with 60 a second. */
function frame() {
  now += 1000 / 60;
  const due = requests;
  requests = [];
  due.forEach((act) => act?.(now));
}

test("text that grows in every frame is drawn in every second one, by all that show it", () => {
  const [one, other] = [changing(), changing()];
  const drawn = [];
  const stops = [eachFrame(one, () => drawn.push(["one", now])), eachFrame(other, () => drawn.push(["other", now]))];
  const began = now;
  for (let count = 0; count < 8; count += 1) {
    one.change();
    one.change();
    other.change();
    frame();
  }
  const frames = drawn.map(([name, at]) => `${name} ${Math.round((at - began) * 60 / 1000)}`);
  assert.deepEqual(frames, [1, 3, 5, 7].flatMap((number) => [`one ${number}`, `other ${number}`]));
  stops.forEach((stop) => stop());
  frame();
  assert.equal(drawn.length, 8);
});

test("a change after a pause is drawn in the next frame, and the last change is always drawn", () => {
  const watch = changing();
  const drawn = [];
  const stop = eachFrame(watch, () => drawn.push(now));
  for (let count = 0; count < 4; count += 1) frame();
  drawn.length = 0;
  watch.change();
  frame();
  assert.deepEqual(drawn, [now]);
  watch.change();
  frame();
  assert.equal(drawn.length, 1);
  frame();
  assert.deepEqual(drawn.slice(1), [now]);
  stop();
});

test("a hidden page draws each change at once", () => {
  const watch = changing();
  let drawn = 0;
  document.hidden = true;
  const stop = eachFrame(watch, () => { drawn += 1; });
  watch.change();
  assert.equal(drawn, 2);
  document.hidden = false;
  stop();
});
