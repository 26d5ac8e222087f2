/** An hour of a job's events: what a frame reads and changes does not grow, and neither does what the page keeps. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Window } from "../../typescript/node_modules/happy-dom/lib/index.js";
import { EMPTY_VIEW, fold } from "../../../clients/javascript/src/millrace.js";

const window = new Window({ url: "http://localhost/console/jobs/job_1" });
const { document, Node, Text, HTMLElement, Element, MutationObserver } = window;
Object.assign(globalThis, { window, document, Node, Text, HTMLElement, Element });
let frame = null;
Object.assign(globalThis, { requestAnimationFrame: (draw) => ((frame = draw), 1), cancelAnimationFrame: () => (frame = null) });

const STATIC = "../../../functions/console/static";
const { suggestionOutput } = await import(`${STATIC}/apps/suggestions/parts/suggestion_output.js`);
const { ideaOutput } = await import(`${STATIC}/apps/ideation/parts/idea_output.js`);
const { answerOutput } = await import(`${STATIC}/apps/sheets/parts/answer_output.js`);
const { mounted } = await import(`${STATIC}/core/app/mounted.js`);
const { useWatch } = await import(`${STATIC}/core/app/use_watch.js`);
const { jsonOutput } = await import(`${STATIC}/core/parts/json_output.js`);

/** The server writes an event at most every 100 ms. */
const EVENTS = 36_000;
const CHARACTERS_OF_AN_EVENT = 20;
const LENGTH = EVENTS * CHARACTERS_OF_AN_EVENT;
/** Frames are measured at the beginning and at the end; between them, one frame draws many events. */
const MEASURED = 60;
const WARM = 600; // the first cards are there
/** A string with more characters than the longest text node and the longest card. */
const LONG = 8_000;
const words = (index) => `${index} `.padEnd(300, "words of a model ");

/** While `act` runs, count the calls of functions on long strings. What has no function, such as `===`, is not seen. */
function longStrings(act) {
  let found = 0;
  const replaced = [];
  const wrap = (prototype, name, stringOf) => {
    const original = prototype[name];
    replaced.push(() => (prototype[name] = original));
    prototype[name] = function (...given) {
      if (stringOf(this, given).length > LONG) found += 1;
      return original.apply(this, given);
    };
  };
  const own = Object.getOwnPropertyNames(String.prototype);
  for (const name of own.filter((each) => !["constructor", "length", "toString", "valueOf"].includes(each))) wrap(String.prototype, name, (self) => self);
  for (const name of ["exec", "test"]) wrap(RegExp.prototype, name, (_, [given]) => String(given));
  try {
    act();
  } finally {
    for (const restore of replaced) restore();
  }
  return found;
}

/** An output whose watch gets the events of a test, one view for each; the text of a view tells when a frame reads it. */
class Drawn {
  #notify = () => {};
  #drawing = false;
  reads = 0;

  constructor(makeOutput) {
    this.watch = { live: true, view: EMPTY_VIEW, subscribe: (given) => ((this.#notify = given), () => {}) };
    const { element, stop } = makeOutput(this.watch, { jobId: "job_1", input: {} });
    Object.assign(this, { element, stop });
    document.body.replaceChildren(element);
    this.observer = new MutationObserver(() => {});
    this.observer.observe(element, { childList: true, subtree: true, characterData: true, attributes: true });
  }

  take(event) {
    this.watch.view = fold(this.watch.view, this.watch.view.lastEventId + 1, event, 0);
  }

  /** Draw the view, and return how many mutations that made, and how often long texts were read. */
  draw() {
    const { text } = this.watch.view;
    const get = () => {
      if (this.#drawing) this.reads += 1;
      return text;
    };
    Object.defineProperty(this.watch.view, "text", { get, enumerable: true });
    this.observer.takeRecords();
    this.#notify();
    this.#drawing = true;
    this.reads = 0;
    const found = longStrings(() => frame());
    this.#drawing = false;
    frame = null;
    return { mutations: this.observer.takeRecords().length, reads: this.reads + found };
  }
}

/** Draw a view for each event, and return the most that one of the measured frames did, at first and at last. */
function measured(makeOutput, eventsOf) {
  const drawn = new Drawn(makeOutput);
  let taken = 0;
  const takeUntil = (end) => {
    for (; taken < end; taken += 1) eventsOf(taken).forEach((event) => drawn.take(event));
  };
  const drawAll = (begin) => {
    const most = { mutations: 0, reads: 0 };
    for (let event = begin; event < begin + MEASURED; event += 1) {
      takeUntil(event + 1);
      const { mutations, reads } = drawn.draw();
      most.mutations = Math.max(most.mutations, mutations);
      most.reads = Math.max(most.reads, reads);
    }
    return most;
  };
  takeUntil(WARM);
  drawn.draw();
  const first = drawAll(WARM);
  for (let event = WARM + 1_000; event < EVENTS - MEASURED; event += 1_000) {
    takeUntil(event);
    drawn.draw();
  }
  takeUntil(EVENTS - MEASURED);
  drawn.draw();
  const last = drawAll(EVENTS - MEASURED);
  const { text } = drawn.watch.view;
  drawn.stop();
  return { first, last, text, element: drawn.element };
}

/** The parts of a text as events. */
const deltasOf = (text) => (event) =>
  [{ type: "delta", text: text.slice(event * CHARACTERS_OF_AN_EVENT, (event + 1) * CHARACTERS_OF_AN_EVENT) }];

function assertConstant({ first, last }) {
  assert.ok(first.mutations > 0, "the first frames draw something");
  assert.ok(last.mutations <= first.mutations + 2, `${first.mutations} mutations a frame at first, ${last.mutations} after an hour`);
  assert.equal(last.reads, 0, "a frame reads no long text");
}

test("a frame of suggestions reads and changes as little after an hour as in the first minute", () => {
  const text = JSON.stringify({ suggestions: Array.from({ length: 900 }, (_, index) => ({
    title: `Suggestion ${index}`, rationale: words(index), description: words(index), implementationConsiderations: [words(index)] })) });
  assert.ok(text.length > LENGTH);

  const result = measured(suggestionOutput, deltasOf(text));

  assertConstant(result);
  const nodes = result.element.getElementsByTagName("*").length;
  assert.ok(nodes < LENGTH / 40, `${nodes} elements for ${LENGTH} characters`);
  assert.equal(result.element.querySelector("pre").textContent, text.slice(0, LENGTH));
  // A browser looks at all siblings of a card that grows.
  const lists = [...result.element.querySelectorAll(".cards, .card-group")];
  assert.ok(lists.every(({ childElementCount }) => childElementCount > 0 && childElementCount < 60), "cards are in groups");
  const titles = [...result.element.querySelectorAll("h3")].map((each) => each.textContent);
  assert.equal(titles.at(-2), `Suggestion ${titles.length - 2}`);
});

test("a frame of ideas reads and changes as little after an hour as in the first minute", () => {
  const idea = (index) => ({ number: index + 1, genre: "g", title: `Idea ${index}`, logline: words(index), description: words(index) });
  const lines = Array.from({ length: 1_100 }, (_, index) => `${JSON.stringify(idea(index))}\n`);
  const text = lines.join("");
  assert.ok(text.length > LENGTH);
  const items = new Map();
  let end = 0;
  lines.forEach((line, index) => {
    end += line.length;
    items.set(Math.floor((end - 1) / CHARACTERS_OF_AN_EVENT), { type: "item", stage: "s", key: String(index), data: idea(index) });
  });
  const deltas = deltasOf(text);

  const result = measured(ideaOutput, (event) => [...deltas(event), ...(items.has(event) ? [items.get(event)] : [])]);

  assertConstant(result);
  const titles = [...result.element.querySelectorAll("h3")].map((each) => each.textContent);
  assert.deepEqual(titles, titles.map((_, index) => `Idea ${index}`));
});

test("a frame of an unknown job and of an answer reads and changes as little after an hour as in the first minute", () => {
  const text = Array.from({ length: 2_600 }, (_, index) => words(index)).join("\n");
  assert.ok(text.length > LENGTH);
  const items = Array.from({ length: 100 }, (_, index) => ({ type: "item", stage: "s", key: String(index), data: { words: words(index) } }));
  const deltas = deltasOf(text);

  for (const makeOutput of [(watch, job) => jsonOutput(watch, job), (watch) => answerOutput(watch)]) {
    const result = measured(makeOutput, (event) => (event < items.length ? [...deltas(event), items[event]] : deltas(event)));

    assertConstant(result);
    assert.ok(result.element.textContent.includes(text.slice(0, LENGTH)));
  }
});

test("a text that begins again, and one that a snapshot replaces, is drawn from its beginning", () => {
  const drawn = new Drawn(suggestionOutput);
  const texts = () => {
    drawn.draw();
    return [drawn.element.querySelector("pre").textContent, ...[...drawn.element.querySelectorAll("h3")].map((each) => each.textContent)];
  };
  const reset = { type: "reset", reason: "MODEL_TIMEOUT", message: "slow", attempt: 2, retryCount: 1, progress: 0 };

  drawn.take({ type: "delta", text: '{"suggestions": [{"title": "Sa' });
  assert.deepEqual(texts(), ['{"suggestions": [{"title": "Sa', "Sa"]);
  drawn.take({ ...reset, text: "" });
  drawn.take({ type: "delta", text: '{"suggestions": [{"title": "Undo"}' });
  assert.deepEqual(texts(), ['{"suggestions": [{"title": "Undo"}', "Undo"]);
  drawn.take({ ...reset, text: '{"suggestions": [{"title": "Undo"}' }); // keeps all of it
  drawn.take({ type: "delta", text: ', {"title": "Redo"' });
  assert.deepEqual(texts(), ['{"suggestions": [{"title": "Undo"}, {"title": "Redo"', "Undo", "Redo"]);
  const snapshot = { type: "snapshot", progress: 0, stage: "s", items: [], subtasks: [] };
  drawn.take({ ...snapshot, text: '{"suggestions": [{"title": "Print"}' });
  assert.deepEqual(texts(), ['{"suggestions": [{"title": "Print"}', "Print"]);
  drawn.stop();
});

test("a component is drawn at once for what is not text, and for text alone after a while", async () => {
  const watch = { live: true, state: "streaming", view: EMPTY_VIEW, subscribe: (given) => ((watch.notify = given), () => {}) };
  Object.defineProperty(watch, "snapshot", { get: () => Object.freeze({ live: watch.live, state: watch.state, view: watch.view }) });
  const take = async (event, change = {}) => {
    watch.view = fold(watch.view, watch.view.lastEventId + 1, event, 0);
    Object.assign(watch, change);
    watch.notify();
    frame();
    await turn();
  };
  const waits = [];
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const { setTimeout: realTimeout, clearTimeout: realClear } = globalThis;
  Object.assign(globalThis, { setTimeout: (act) => (waits.push(act), act), clearTimeout: (act) => waits.splice(waits.indexOf(act), waits.includes(act) ? 1 : 0) });
  const drawn = [];
  const { stop } = mounted(() => {
    const { state, view } = useWatch(watch);
    drawn.push([state, view.lastEventId, view.stage]);
    return null;
  }, {});
  frame();
  await turn();
  drawn.length = 0;

  await take({ type: "stage", stage: "write", index: 1, of: 1, attempt: 1 });
  assert.deepEqual(drawn.splice(0), [["streaming", 1, "write"]]);
  for (let index = 0; index < 100; index += 1) await take({ type: "delta", text: "word " });
  assert.deepEqual(drawn.splice(0), []);
  assert.equal(waits.length, 1);
  waits[0]();
  await turn();
  assert.deepEqual(drawn.splice(0), [["streaming", 101, "write"]]);
  await take({ type: "delta", text: "word " });
  await take({ type: "cancelled", stage: "write", usage: null }, { state: "cancelled", live: false });
  assert.deepEqual(drawn.splice(0), [["cancelled", 103, "write"]]);
  assert.equal(waits.length, 0);
  stop();
  Object.assign(globalThis, { setTimeout: realTimeout, clearTimeout: realClear });
});
