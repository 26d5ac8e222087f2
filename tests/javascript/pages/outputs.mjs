/** Outputs whose modules are imported when a job is shown, drawn in a document without a browser. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Window } from "../../typescript/node_modules/happy-dom/lib/index.js";
import { EMPTY_VIEW } from "../../../clients/javascript/src/millrace.js";

const window = new Window({ url: "http://localhost/console/jobs/job_1" });
const { document, Node, Text, HTMLElement, Element } = window;
Object.assign(globalThis, { window, document, Node, Text, HTMLElement, Element, location: window.location });
let frames = [];
Object.assign(globalThis, { requestAnimationFrame: (draw) => frames.push(draw), cancelAnimationFrame: (id) => delete frames[id - 1] });

const STATIC = "../../../functions/console/static";
const { jsonOutput, lazyOutput } = await import(`${STATIC}/core/app/outputs.js`);
const { applications } = await import(`${STATIC}/apps.js`);

const JOB = { jobId: "job_1", input: {} };
/** A watch that has ended: it calls no listener any more. */
const ended = (view) => ({ view: { ...EMPTY_VIEW, outcome: "complete", ...view }, live: false, subscribe: () => () => {} });
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Wait until a frame is asked for, and draw it. */
async function drawn() {
  while (frames.length === 0) await turn();
  for (const draw of frames.splice(0)) draw?.();
}

test("an output that is imported after the last event shows the result", async () => {
  const { element, stop } = jsonOutput(ended({ result: { poem: "ponds" } }), JOB);
  assert.equal(element.getAttribute("aria-busy"), "true");
  await drawn();
  assert.match(element.textContent, /"poem": "ponds"/);
  assert.equal(element.hasAttribute("aria-busy"), false);
  stop();
});

test("every application's output is there after its import", async () => {
  for (const { output, pipeline } of applications) {
    const { element, stop } = output(ended({ text: "", result: {} }), JOB);
    await drawn();
    assert.ok(element.querySelector("section"), pipeline);
    stop();
  }
});

test("an output that is left before its import is never made", async () => {
  let made = 0;
  const { element, stop } = lazyOutput(async () => () => ({ element: document.createElement("p"), stop: () => {}, made: (made += 1) }))(ended({}), JOB);
  stop();
  await turn();
  assert.equal(made, 0);
  assert.equal(element.childElementCount, 0);
});

test("an output whose import fails offers to load the document again", async () => {
  const { element } = lazyOutput(async () => Promise.reject(new TypeError("Failed to fetch")))(ended({}), JOB);
  await turn();
  assert.match(element.querySelector("[role=alert]").textContent, /The output could not be loaded/);
  assert.deepEqual([...element.querySelectorAll("button")].map((each) => each.textContent), ["Try again"]);
});
