/** The hooks of React, in StrictMode, which mounts every component twice. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Window } from "happy-dom";

const window = new Window({ url: "http://localhost/" });
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true });

const { StrictMode, act, createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { Millrace } = await import("@millrace/client");
const { useJob, useJobObject, useNewJob } = await import("@millrace/client/react");
const { CONNECTED, frame, server, stream, success } = await import("./api.mjs");

const JOB = { jobId: "job_1", status: "pending", statusUrl: "", streamUrl: "http://stream/jobs/job_1/stream" };
const USAGE = { inputTokens: 1, outputTokens: 2, costUsd: null };
const DETAIL = {
  ...{ ...JOB, pipeline: "suggestion", status: "in_progress", text: "", progress: 0, stage: null, items: [], subtasks: [] },
  ...{ lastEventId: 0, attempt: 1, retryCount: 0, result: null, usage: USAGE, failure: null, endedAt: null, startedAt: null },
};
const delta = (id, text) => frame(id, { type: "delta", text });
const complete = (id) => frame(id, { type: "complete", result: { suggestions: ["done"] }, usage: USAGE });

function client(responses) {
  const { fetch, requests } = server(responses);
  return { millrace: new Millrace({ api: "http://api", token: "t", fetch }), requests };
}

/** Render the component in StrictMode, and return what it renders and how it ends. */
async function rendered(component, properties) {
  const container = document.createElement("div");
  const root = createRoot(container);
  const draw = (given) => act(async () => root.render(createElement(StrictMode, null, createElement(component, given))));
  await draw(properties);
  return { container, draw, unmount: () => act(async () => root.unmount()) };
}

/** Let React draw until the container has the text. */
async function shows(container, text) {
  while (!container.textContent.includes(text)) await act(async () => new Promise((resolve) => setTimeout(resolve, 1)));
}

test("a component in StrictMode follows its job once, to the end", async () => {
  let seen = null;
  function Job({ millrace, job }) {
    const { state, view, watch } = useJob(millrace, job);
    seen = watch;
    return createElement("p", null, `${state}: ${view.text}`);
  }
  const { millrace, requests } = client([success(DETAIL), stream([CONNECTED, delta(1, "a"), complete(2)])]);

  const { container, unmount } = await rendered(Job, { millrace, job: "job_1" });
  await shows(container, "complete: a");
  assert.equal(requests.filter(({ url }) => url.includes("/stream")).length, 1);

  await unmount();
  assert.equal(seen.state, "complete");
});

test("another job begins another watch, and leaving the page stops it", async () => {
  let seen = null;
  function Job({ millrace, job }) {
    const { state, view, watch } = useJob(millrace, job);
    seen = watch;
    return createElement("p", null, `${state}: ${view.jobId} ${view.text}`);
  }
  const other = { ...JOB, jobId: "job_2", streamUrl: "http://stream/jobs/job_2/stream" };
  const open = () => stream([CONNECTED, delta(1, "x")], "open");
  const { millrace } = client([open, open, open, open]);

  const { container, draw, unmount } = await rendered(Job, { millrace, job: JOB });
  await shows(container, "streaming: job_1 x");
  const first = seen;
  await draw({ millrace, job: { ...JOB } });
  assert.equal(seen, first, "a new object of the same job is no other job");

  await draw({ millrace, job: other });
  assert.notEqual(seen, first);
  assert.equal(first.state, "idle");
  await unmount();
  assert.equal(seen.state, "idle");
});

test("no job is idle", async () => {
  function Job({ millrace }) {
    return createElement("p", null, useJob(millrace, null).state);
  }
  const { millrace, requests } = client([]);

  const { container, unmount } = await rendered(Job, { millrace });

  assert.deepEqual([container.textContent, requests.length], ["idle", 0]);
  await unmount();
});

test("a job is created by submit, and its answer is readable while it is written", async () => {
  let hook = null;
  const objects = [];
  function Form({ millrace }) {
    hook = useNewJob(millrace, "suggestion");
    objects.push(useJobObject(hook.view));
    return createElement("p", null, hook.state);
  }
  const written = ['{"suggestions": ["on', 'e", "two'];
  const { millrace, requests } = client([
    success(JOB, 202),
    stream([CONNECTED, delta(1, written[0]), delta(2, written[1]), complete(3)]),
  ]);
  const { container, unmount } = await rendered(Form, { millrace });
  assert.equal(container.textContent, "idle");

  await act(async () => hook.submit({ pageOrComponent: "Checkout" }));
  await shows(container, "complete");

  const created = requests.filter(({ method }) => method === "POST");
  assert.equal(created.length, 1);
  assert.deepEqual(JSON.parse(created[0].body).input, { pageOrComponent: "Checkout" });
  assert.deepEqual(objects.at(-1), { suggestions: ["done"] });
  assert.equal(objects[0], undefined);
  await unmount();
});
