/** An hour of a job's events: what a frame changes in the document does not grow, and neither does what the page keeps. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Window } from "../../typescript/node_modules/happy-dom/lib/index.js";
import { EMPTY_VIEW } from "../../../clients/javascript/src/millrace.js";

const window = new Window({ url: "http://localhost/console/jobs/job_1" });
const { document, Node, Text, HTMLElement, Element, MutationObserver } = window;
Object.assign(globalThis, { window, document, Node, Text, HTMLElement, Element });
let frame = null;
Object.assign(globalThis, { requestAnimationFrame: (draw) => ((frame = draw), 1), cancelAnimationFrame: () => (frame = null) });

const STATIC = "../../../functions/console/static";
const { suggestionOutput } = await import(`${STATIC}/apps/suggestions/parts/suggestion_output.js`);
const { ideaOutput } = await import(`${STATIC}/apps/ideation/parts/idea_output.js`);

/** The server writes an event at most every 100 ms. */
const EVENTS = 36_000;
const CHARACTERS_OF_AN_EVENT = 20;
/** Frames are measured at the beginning and at the end; between them, one frame draws many events. */
const MEASURED = 60;
const words = (index) => `${index} `.padEnd(300, "words of a model ");

/** A watch whose view is set by the test. */
function watched(view) {
  let notify = () => {};
  const watch = { live: true, view: { ...EMPTY_VIEW, ...view }, subscribe: (given) => ((notify = given), () => {}) };
  const draw = (change) => {
    watch.view = { ...watch.view, ...change };
    notify();
    frame();
    frame = null;
  };
  return { watch, draw };
}

/** Draw a view for each event, and return the most mutations that one of the measured frames made, first and last. */
function measured(makeOutput, viewAfter) {
  const { watch, draw } = watched(viewAfter(0));
  const { element, stop } = makeOutput(watch, { jobId: "job_1", input: {} });
  document.body.replaceChildren(element);
  const observer = new MutationObserver(() => {});
  observer.observe(element, { childList: true, subtree: true, characterData: true, attributes: true });
  const drawAll = (begin) => {
    let most = 0;
    for (let event = begin; event < begin + MEASURED; event += 1) {
      draw(viewAfter(event));
      most = Math.max(most, observer.takeRecords().length);
    }
    return most;
  };
  const warm = 600; // the first cards are there
  draw(viewAfter(warm));
  observer.takeRecords();
  const first = drawAll(warm);
  for (let event = warm; event < EVENTS - MEASURED; event += 1_000) draw(viewAfter(event));
  draw(viewAfter(EVENTS - MEASURED));
  observer.takeRecords();
  const last = drawAll(EVENTS - MEASURED);
  const nodes = element.getElementsByTagName("*").length;
  stop();
  return { first, last, nodes };
}

test("a frame of suggestions changes as little after an hour as in the first minute", () => {
  const text = JSON.stringify({ suggestions: Array.from({ length: 900 }, (_, index) => ({
    title: `Suggestion ${index}`, rationale: words(index), description: words(index), implementationConsiderations: [words(index)] })) });
  const length = EVENTS * CHARACTERS_OF_AN_EVENT;
  assert.ok(text.length > length);

  const { first, last, nodes } = measured(suggestionOutput, (event) => ({ text: text.slice(0, event * CHARACTERS_OF_AN_EVENT) }));

  assert.ok(first > 0 && last <= first + 2, `${first} mutations a frame at first, ${last} after an hour`);
  assert.ok(nodes < length / 40, `${nodes} elements for ${length} characters`);
});

test("a frame of ideas changes as little after an hour as in the first minute", () => {
  const idea = (index) => ({ number: index + 1, genre: "g", title: `Idea ${index}`, logline: words(index), description: words(index) });
  const lines = Array.from({ length: 1_100 }, (_, index) => `${JSON.stringify(idea(index))}\n`);
  const ends = [];
  let end = 0;
  for (const line of lines) ends.push((end += line.length));
  const text = lines.join("");
  const items = lines.map((line, index) => ({ type: "item", stage: "s", key: String(index), data: JSON.parse(line) }));

  const { first, last } = measured(ideaOutput, (event) => {
    const length = event * CHARACTERS_OF_AN_EVENT;
    const done = ends.findIndex((each) => each > length);
    return { text: text.slice(0, length), items: items.slice(0, done < 0 ? items.length : done) };
  });

  assert.ok(first > 0 && last <= first + 2, `${first} mutations a frame at first, ${last} after an hour`);
});
