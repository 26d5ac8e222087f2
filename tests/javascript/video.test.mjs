// The film of a project: its scenes, the drafts of a running job in their places, and the way back.

import assert from "node:assert/strict";
import test from "node:test";

import { fold, EMPTY_VIEW } from "../../clients/javascript/src/millrace.js";
import { filmOf, lengthOf, sceneAt, startOf, withDrafts } from "../../functions/console/static/apps/video/parts/film.js";
import { stateOf } from "../../functions/console/static/apps/video/parts/render_panel.js";
import { undoTarget } from "../../functions/console/static/apps/video/parts/revisions.js";
import { stepsOf } from "../../functions/console/static/apps/video/parts/talk.js";

const FORMAT = { width: 1280, height: 720, fps: 30 };

function scene(sceneId, digest = "d1", props = { title: sceneId, size: 1 }) {
  const code = { tsxCode: "", jsCode: `code of ${sceneId}`, props, images: ["img_1"] };
  return { sceneId, version: 2, name: sceneId, durationInFrames: 30, playbackRate: 1, digest, code };
}

function project(...scenes) {
  return { format: FORMAT, scenes, components: [{ name: "Counter", version: 1, digest: "c1", code: { jsCode: "counter" } }] };
}

function built(sceneId, order, more = {}) {
  const draft = { draft: true, sceneId, name: sceneId, order, jsCode: `new ${sceneId}`, durationInFrames: 60, playbackRate: 1, props: {}, images: [], digest: "d2" };
  return { type: "item", stage: "make_scenes", key: `build-${order}`, data: { ...draft, ...more } };
}

test("a film has the scenes and components of its project", () => {
  const film = filmOf(project(scene("a"), scene("b")));
  assert.deepEqual(film.scenes.map(({ id, code, images, draft }) => [id, code, images, draft]), [
    ["a", "code of a", ["img_1"], false],
    ["b", "code of b", ["img_1"], false],
  ]);
  assert.deepEqual(film.components, [{ name: "Counter", version: "c1", code: "counter" }]);
  assert.equal(filmOf(project({ ...scene("a"), code: null })).scenes[0].code, null);
});

test("a frame belongs to one scene", () => {
  const film = filmOf(project(scene("a"), scene("b")));
  assert.equal(lengthOf(film), 60);
  assert.equal(startOf(film, "b"), 30);
  assert.equal(startOf(film, "c"), null);
  assert.deepEqual([0, 29, 30, 59].map((frame) => sceneAt(film, frame)?.number), [1, 1, 2, 2]);
  assert.equal(sceneAt(film, 60), null);
});

test("a draft is shown in its scene's place, and a new one at its own", () => {
  const film = filmOf(project(scene("a"), scene("b")));
  const drafted = withDrafts(film, [built("a", 1), built("c", 2), built("d", 9)]);
  assert.deepEqual(drafted.scenes.map(({ id, code }) => [id, code]), [["a", "new a"], ["c", "new c"], ["b", "code of b"], ["d", "new d"]]);
  assert.deepEqual(film.scenes.map(({ id }) => id), ["a", "b"]);
});

test("a draft and the scene that it becomes are drawn as one version", () => {
  const props = { b: [{ y: 1, x: 2 }], a: "A" };
  const film = withDrafts(filmOf(project()), [built("a", 1, { digest: "d1", durationInFrames: 30, props })]);
  const saved = filmOf(project(scene("a", "d1", { a: "A", b: [{ x: 2, y: 1 }] })));
  assert.equal(film.scenes[0].version, saved.scenes[0].version);
  assert.notEqual(filmOf(project(scene("a", "d1", { a: "B" }))).scenes[0].version, saved.scenes[0].version);
  assert.notEqual(filmOf(project(scene("a", "d2"))).scenes[0].version, filmOf(project(scene("a"))).scenes[0].version);
  assert.equal(withDrafts(saved, [built("a", 1, { digest: "d1", durationInFrames: 30, props })]).scenes[0].draft, false);
});

test("what cannot be played is not a draft", () => {
  const film = filmOf(project(scene("a")));
  const others = [built("b", 2, { jsCode: null }), built("c", 2, { props: null }), { type: "item", stage: "s", key: "code-1", data: { jsCode: "x" } }];
  assert.deepEqual(withDrafts(film, others), film);
});

test("a built component replaces the one before", () => {
  const item = built("x", 1, { sceneId: undefined, component: "Counter", jsCode: "new counter" });
  assert.deepEqual(withDrafts(filmOf(project()), [item]).components, [{ name: "Counter", version: "d2", code: "new counter" }]);
});

function revision(number, kind = "chat", revertedTo = null) {
  return { revision: number, cause: { kind, jobId: null, messageId: null, revertedTo } };
}

test("undo goes one revision back, and each further undo one more", () => {
  assert.equal(undoTarget([], 1), null);
  assert.equal(undoTarget([revision(1, "create")], 1), null);
  const three = [revision(3), revision(2), revision(1, "create")];
  assert.equal(undoTarget(three, 3), 2);
  const undone = [revision(4, "revert", 2), ...three];
  assert.equal(undoTarget(undone, 4), 1);
  assert.equal(undoTarget([revision(5, "revert", 1), ...undone], 5), null);
  assert.equal(undoTarget([revision(5), ...undone], 5), 4);
  assert.equal(undoTarget([revision(90, "revert", 40)], 90), 39);
});

test("there is no undo while the list of revisions is read again", () => {
  const before = [revision(4, "revert", 2), revision(3), revision(2), revision(1, "create")];
  assert.equal(undoTarget(before, 5), null); // not 1, from which revision 4 would be undone
  assert.equal(undoTarget([revision(5, "revert", 3), ...before], 5), 2);
});

test("the newest of an application's own events are in the view, by type and key", () => {
  const step = { type: "componentStage", key: "c-1", name: "Intro", stage: "code", status: "started", percent: 25, repair: false, errors: [] };
  const status = { type: "sceneStatus", key: "c-1", sceneId: null, name: "Intro", order: 1, status: "writing" };
  let view = fold(EMPTY_VIEW, 1, step, null);
  assert.deepEqual(stepsOf(view), ["Intro: writing (25%)"]);
  view = fold(view, 2, status, null);
  view = fold(view, 3, { ...step, stage: "build", percent: 50, repair: true }, null);
  assert.deepEqual(view.news.map(({ type }) => type), ["sceneStatus", "componentStage"]);
  assert.deepEqual(stepsOf(view), ["Intro: repairing, building and playing every frame (50%)"]);
  assert.deepEqual(stepsOf(EMPTY_VIEW), ["Starting…"]);
});

function told(...events) {
  return events.reduce((view, event, index) => fold(view, index + 1, event, null), EMPTY_VIEW);
}

test("a render is told in words: queued, preparing, its chunks, joining", () => {
  const render = { status: "queued", position: 2, progress: 0, chunks: null, chunksRendered: 0 };
  const stage = (name) => ({ type: "stage", stage: name, index: 1, of: 4, attempt: 1 });
  const chunk = (number) => ({ type: "chunkRendered", key: `chunk-${number}`, chunk: number, of: 5 });
  assert.equal(stateOf(render, null).words, "Queued: position 2.");
  const queued = { type: "renderQueued", key: "queue", position: 1 };
  assert.equal(stateOf(render, told(stage("await_turn"), queued)).words, "Queued: position 1.");
  assert.equal(stateOf(render, told(stage("await_turn"), queued, stage("plan_render"))).words, "Preparing…");
  const two = [stage("render_chunk"), chunk(1), { type: "progress", progress: 15 }, chunk(4)];
  assert.deepEqual(stateOf(render, told(...two)), { words: "Rendering: 2 of 5 chunks.", progress: 15 });
  assert.equal(stateOf({ ...render, status: "rendering", chunks: 5, chunksRendered: 3 }, null).words, "Rendering: 3 of 5 chunks.");
  assert.equal(stateOf(render, told(...two, stage("join_chunks"))).words, "Joining the chunks…");
});
