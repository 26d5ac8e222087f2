/** The debugging views of a job's page, drawn in a document without a browser: they follow the job, and keep what the user does. */

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { CONNECTED, frame, refusal, server, stream, success } from "../api.mjs";
import { textOf, until, window } from "../document.mjs";

/** What a page does every second or half second is done when the test says so. */
const intervals = new Set();
Object.assign(globalThis, { setInterval: (act) => (intervals.add(act), act), clearInterval: (act) => intervals.delete(act) });
const tick = () => intervals.forEach((act) => act());

const STATIC = "../../../functions/console/static";
const { Applications } = await import(`${STATIC}/core/app/applications.js`);
const { jobPage } = await import(`${STATIC}/core/pages/job.js`);
const { Millrace } = await import(`${STATIC}/millrace.js`);

const POEM = {
  ...{ pipeline: "poem", label: "Poem", stages: ["write"], lists: [], routes: [], form: { path: "/console/poem", label: "Poem" } },
  output: () => ({ element: document.createElement("section"), stop: () => {} }),
};
const USAGE = { inputTokens: 1, outputTokens: 2, costUsd: null, unreportedCalls: 0 };
const AT = "2026-11-26T08:00:00Z";
const DETAIL = {
  ...{ jobId: "job_1", pipeline: "poem", title: "Ponds", status: "in_progress", stage: null, progress: 0, attempt: 1, retryCount: 0, maxRetries: 2 },
  ...{ model: "m", agent: null, usage: USAGE, failure: null, links: { runId: null }, requestId: null, archived: false },
  ...{ createdAt: AT, startedAt: AT, endedAt: null, expiresAt: "2026-11-26T09:00:00Z", statusUrl: "http://api/jobs/job_1" },
  ...{ streamUrl: "http://stream/jobs/job_1/stream", input: { topic: "ponds" }, text: "", items: [], subtasks: [] },
  ...{ lastEventId: 0, result: null, history: [], historyIsWhole: true, omitted: [] },
};
const STAGE = { type: "stage", stage: "write", index: 1, of: 1, attempt: 1 };
const RESET = { type: "reset", reason: "MODEL_TIMEOUT", message: "slow", attempt: 2, retryCount: 1, progress: 0, text: "" };
const delta = (text) => ({ type: "delta", text });

let page = null;
afterEach(() => page?.leave?.());

/** Show the page of a job, and return what a test needs of it. */
async function shown(...responses) {
  const { fetch, requests } = server(responses);
  const visited = [];
  const context = {
    ...{ applications: new Applications([POEM]), config: { scriptedModel: true, retention: { jobSeconds: 15, failedJobSeconds: 30, archiveDays: 0 } } },
    ...{ millrace: new Millrace({ api: "http://api", token: "t", fetch }), signIn: () => {}, announce: () => {}, setTitle: () => {} },
    ...{ go: (path) => visited.push(path) },
  };
  page = jobPage(context, "job_1");
  document.body.replaceChildren(page.element);
  await until(() => page.element.querySelector(".debug") !== null);
  const view = (label) => [...page.element.querySelectorAll(".debug-view")].find((each) => each.firstChild.textContent === label);
  const toggle = async (label, open = true) => {
    view(label).open = open;
    view(label).dispatchEvent(new window.Event("toggle"));
    await until(() => !open || view(label).children.length > 1);
    return view(label);
  };
  return { requests, visited, view, toggle };
}

/** A stream that sends what the test pushes. */
function openStream() {
  let controller = null;
  const body = new ReadableStream({ start: (given) => (controller = given) });
  let id = 0;
  const push = (...events) => controller.enqueue(new TextEncoder().encode(events.map((event) => frame((id += 1), event)).join("")));
  controller.enqueue(new TextEncoder().encode(CONNECTED));
  return { push, response: new Response(body, { headers: { "Content-Type": "text/event-stream" } }) };
}

const button = (within, label) => [...within.querySelectorAll("button")].find((each) => textOf(each).startsWith(label));
const names = (within) => [...within.querySelectorAll(".timeline-name")].map((each) => each.textContent);
const type = (field, value) => {
  field.value = value;
  field.dispatchEvent(new window.Event("input", { bubbles: true }));
};

test("the timeline follows the job, and keeps its rows, the chosen one and the focus", async () => {
  const { push, response } = openStream();
  const { view } = await shown(success(DETAIL), response);
  const timeline = view("Timeline");
  push(STAGE, delta("An old"));
  await until(() => (tick(), names(timeline).includes("Model output")));
  assert.doesNotMatch(textOf(timeline), /attempt failed/);
  const row = button(timeline, "Model output");
  row.focus();
  row.click();
  await until(() => /Characters6/.test(textOf(timeline.querySelector(".debug-details")).replaceAll(" ", "")));
  push(delta(" silent pond"), RESET, { ...STAGE, attempt: 2 });
  await until(() => (tick(), names(timeline).includes("Write, attempt 2")));

  assert.match(textOf(timeline), /The log does not say when an attempt failed/);
  assert.ok(document.activeElement === row && row.isConnected); // the difference of two elements is too long to print
  assert.equal(row.getAttribute("aria-expanded"), "true");
  assert.match(textOf(timeline.querySelector(".debug-details")), /Model output.*Characters ?18/);
  row.dispatchEvent(new window.KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
  assert.equal(document.activeElement.textContent, "Before the first text");
  push({ type: "cancelled", stage: "write", usage: USAGE });
  await until(() => /Duration/.test(textOf(timeline.querySelector(".debug-figures"))));
  assert.match(textOf([...timeline.querySelectorAll("tr")].find((each) => textOf(each).startsWith("Write, attempt 2"))), /cancelled/);
});

test("a view that is closed is not drawn, and shows the present when it is opened again", async () => {
  const { push, response } = openStream();
  const { view, toggle } = await shown(success(DETAIL), response);
  assert.equal(view("JSON").children.length, 1);
  const json = await toggle("JSON");
  assert.match(json.textContent, /"topic": "ponds".*There is no result yet\./s);
  await toggle("JSON", false);
  push({ type: "complete", result: { lines: ["A frog jumps in"] }, usage: USAGE });
  await until(() => /Duration/.test(textOf(view("Timeline"))));
  assert.doesNotMatch(json.textContent, /A frog/);
  await toggle("JSON");
  await until(() => /A frog jumps in/.test(json.textContent));
});

test("events are loaded, filtered, chosen and walked through with the keyboard", async () => {
  const ended = { ...DETAIL, status: "cancelled", endedAt: "2026-11-26T08:01:00Z", lastEventId: 43 };
  const events = [STAGE, ...Array.from({ length: 40 }, (_, index) => delta(`word${index} `)), RESET, { type: "cancelled", stage: "write", usage: USAGE }];
  const { toggle } = await shown(success(ended), stream([CONNECTED, ...events.map((event, index) => frame(index + 1, event))]));
  const view = await toggle("Events");
  assert.match(textOf(view), /0 of 43 events/);
  button(view, "Load all events").click();
  await until(() => /43 of 43 events/.test(textOf(view)));
  assert.equal(button(view, "Load all events"), undefined);
  assert.deepEqual([...view.querySelectorAll("option")].map((each) => each.value), ["", "stage", "delta", "reset", "cancelled"]);
  const rows = () => [...view.querySelectorAll(".event-row")];
  assert.ok(rows().length < 30, String(rows().length)); // of 43
  type(view.querySelector("#event-text"), "WORD1");
  await until(() => rows().length === 11);
  rows()[0].focus();
  rows()[0].click();
  await until(() => view.querySelector(".debug-details pre") !== null);
  assert.match(view.querySelector(".debug-details").textContent, /Event 3: delta.*"text": "word1 "/s);
  rows()[0].dispatchEvent(new window.KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
  await until(() => /Event 12: delta/.test(view.querySelector(".debug-details").textContent));
  assert.ok(document.activeElement === rows()[1]);
  assert.deepEqual(rows().map((each) => each.getAttribute("aria-pressed")).slice(0, 3), ["false", "true", "false"]);
  type(view.querySelector("#event-text"), "no such text");
  await until(() => view.querySelector(".event-list").hidden);
  assert.match(textOf(view), /0 of 43 events/);
});

test("events that cannot be loaded are said to be so, and can be loaded again", async () => {
  const ended = { ...DETAIL, status: "cancelled", endedAt: "2026-11-26T08:01:00Z", lastEventId: 1 };
  const end = frame(1, { type: "cancelled", stage: "write", usage: USAGE });
  const { toggle } = await shown(success(ended), refusal(429, "STREAM_LIMIT_EXCEEDED", { retryAfter: 60 }), stream([CONNECTED, end]));
  const view = await toggle("Events");
  button(view, "Load all events").click();
  await until(() => /The events could not be loaded/.test(textOf(view)));
  button(view, "Load all events").click();
  await until(() => /1 of 1 events/.test(textOf(view)));
});

test("a text that a retry discards is compared with what replaces it", async () => {
  const { push, response } = openStream();
  const { toggle } = await shown(success(DETAIL), response);
  const view = await toggle("Discarded text");
  assert.match(textOf(view), /No text was discarded\./);
  push(STAGE, delta("An old pond"), RESET);
  await until(() => (tick(), /11 characters were discarded\. Nothing has replaced them yet\./.test(textOf(view))));
  push(delta("An old silent pond"));
  await until(() => (tick(), view.querySelector("ins") !== null));
  assert.match(view.querySelector("ins").textContent, /silent/);
  assert.equal(view.querySelector("pre").textContent, "An old silent pond");
});

test("only a server that says so has lost the beginning of a job's history", async () => {
  const { historyIsWhole: _, ...older } = { ...DETAIL, status: "cancelled", endedAt: "2026-11-26T08:01:00Z" };
  const lost = /The beginning is no longer stored\./;
  assert.doesNotMatch(textOf((await shown(success(older))).view("Timeline")), lost);
  page.leave();
  assert.doesNotMatch(textOf((await shown(success({ ...older, historyIsWhole: true }))).view("Timeline")), lost);
  page.leave();
  assert.match(textOf((await shown(success({ ...older, historyIsWhole: false }))).view("Timeline")), lost);
});

test("an input that is being edited for a new job stays while events arrive and while the view is closed", async () => {
  const { push, response } = openStream();
  const { requests, toggle, visited } = await shown(success(DETAIL), response,
    refusal(422, "VALIDATION_FAILED", { fields: [{ field: "topic", rule: "must not be empty" }] }), success({ ...DETAIL, jobId: "job_2" }, 202));
  const view = await toggle("Run again");
  const editor = view.querySelector("textarea");
  assert.deepEqual(JSON.parse(editor.value), { topic: "ponds" });
  type(editor, '{"topic": ');
  push(STAGE, delta("An old"));
  tick();
  await toggle("Run again", false);
  await toggle("Run again");
  assert.equal(editor.value, '{"topic": ');
  const submit = () => view.querySelector("form").dispatchEvent(new window.Event("submit", { cancelable: true }));
  submit();
  await until(() => /Enter a JSON object/.test(textOf(view.querySelector("[role=alert]"))));
  assert.ok(document.activeElement === editor);
  type(editor, '{"topic": ""}');
  await until(() => editor.value === '{"topic": ""}');
  submit();
  await until(() => /topic must not be empty/.test(textOf(view.querySelector("[role=alert]"))));
  type(editor, '{"topic": "rivers"}');
  await until(() => (tick(), true));
  submit();
  submit(); // a double click creates one job
  await until(() => visited.length > 0);
  assert.deepEqual(visited, ["/console/jobs/job_2"]);
  assert.equal(requests.filter(({ method }) => method === "POST").length, 2);
});
