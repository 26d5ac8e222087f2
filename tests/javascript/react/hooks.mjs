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
const { useJob, useJobObject, useJobs, useNewJob } = await import("@millrace/client/react");
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

test("a list in StrictMode is read by one watch, shows changes, and stops with its component", async () => {
  const one = { jobId: "job_01AAAAAAAAAAAAAAAAAAAAAAAA", status: "in_progress", updatedAt: "2026-11-27T00:00:00Z" };
  const failed = { jobId: "job_01BBBBBBBBBBBBBBBBBBBBBBBB", status: "failed", updatedAt: "2026-11-27T00:00:00Z" };
  let seen = null;
  function Jobs({ millrace, filter }) {
    const { state, jobs, list } = useJobs(millrace, filter);
    seen = list;
    return createElement("p", null, `${state}: ${jobs.map(({ jobId, status }) => `${jobId} ${status}`).join()}`);
  }
  const page = (...jobs) => success({ jobs, cursor: null });
  const lists = { failed: () => page(failed), null: () => page({ ...one, status: requests.length > 2 ? "completed" : one.status }) };
  const requests = [];
  const fetch = async (url) => {
    requests.push(url);
    return lists[new URL(url).searchParams.get("status")]();
  };
  const millrace = new Millrace({ api: "http://api", token: "t", fetch });

  const { container, draw, unmount } = await rendered(Jobs, { millrace, filter: {} });
  await shows(container, "ready: job_01AAAAAAAAAAAAAAAAAAAAAAAA in_progress");
  const first = seen;
  await draw({ millrace, filter: {} });
  assert.equal(seen, first, "the same filter is no other list");
  while (requests.length < 3) seen.refresh(), await act(async () => new Promise((resolve) => setTimeout(resolve, 1)));
  await shows(container, "completed");

  await draw({ millrace, filter: { status: "failed" } });
  await shows(container, "ready: job_01BBBBBBBBBBBBBBBBBBBBBBBB failed");
  await unmount();
  const { length } = requests;
  seen.refresh();
  first.refresh();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(requests.length, length, "nothing is read any more");
});

test("a server renders a job from the API's response, and the browser hydrates it without a mismatch", async () => {
  const { renderToString } = await import("react-dom/server");
  const { hydrateRoot } = await import("react-dom/client");
  function Job({ millrace, job }) {
    const { view } = useJob(millrace, job);
    return createElement("p", null, `${view.text} (${view.progress} %)`);
  }
  const detail = { ...DETAIL, text: "written", progress: 40, lastEventId: 3 };
  const onServer = client([]);
  const html = renderToString(createElement(Job, { millrace: onServer.millrace, job: detail }));
  assert.equal(html, "<p>written (40 %)</p>");
  assert.equal(onServer.requests.length, 0);

  const container = document.createElement("div");
  container.innerHTML = html;
  const { millrace, requests } = client([stream([CONNECTED, delta(1, "wri"), delta(2, "t"), delta(3, "ten"), delta(4, " on"), complete(5)])]);
  const mismatches = [];
  const root = await act(async () =>
    hydrateRoot(container, createElement(Job, { millrace, job: detail }), { onRecoverableError: (error) => mismatches.push(error) }),
  );
  await shows(container, "written on (100 %)");
  assert.deepEqual([mismatches, requests.length], [[], 1]);
  await act(async () => root.unmount());
});
