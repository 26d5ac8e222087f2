/** A watch from outside: it is started, stopped and connected again, its snapshots do not change, and its events are read. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";

import { Millrace, Unreachable } from "../../clients/javascript/src/millrace.js";
import { CONNECTED, frame, refusal, server, stream, success } from "./api.mjs";

const JOB = { jobId: "job_1", status: "pending", statusUrl: "", streamUrl: "http://stream/jobs/job_1/stream" };
const USAGE = { inputTokens: 1, outputTokens: 2, costUsd: null };
const DETAIL = {
  ...{ ...JOB, pipeline: "suggestion", status: "in_progress", text: "", progress: 0, stage: null, items: [], subtasks: [] },
  ...{ lastEventId: 0, attempt: 1, retryCount: 0, result: null, usage: USAGE, failure: null, endedAt: null },
  ...{ startedAt: null, omitted: [], requestId: null },
};
const ENDED = { ...DETAIL, status: "completed", text: "ab", progress: 100, lastEventId: 3, result: { done: true }, endedAt: "2026-11-26T08:00:00Z" };
const delta = (id, text) => frame(id, { type: "delta", text });
const complete = (id) => frame(id, { type: "complete", result: { done: true }, usage: USAGE });

function client(responses) {
  const { fetch, requests } = server(responses);
  return { millrace: new Millrace({ api: "http://api", token: "t", fetch }), requests };
}

/** Resolve when the watch is in the state. */
function reached(watch, state) {
  return new Promise((resolve) => {
    const unsubscribe = watch.subscribe(() => watch.state === state && queueMicrotask(() => resolve(unsubscribe())));
  });
}

/** Return a function that answers when the test calls `release`, and what has been asked. */
function held(response) {
  let release = () => {};
  const released = new Promise((resolve) => (release = resolve));
  return { answer: () => released.then(() => (typeof response === "function" ? response() : response)), release };
}

async function eventsOf(watch, options) {
  const found = [];
  for await (const { id, event } of watch.events(options)) found.push([id, event.type]);
  return found;
}

// ---- settled ---------------------------------------------------------------------------------------------------------

test("settled waits for a job that is still being created", async () => {
  const { millrace } = client([success(JOB, 202), stream([CONNECTED, delta(1, "a"), complete(2)])]);

  const watch = await millrace.startJob("suggestion", {}).settled();

  assert.deepEqual([watch.state, watch.view.text, watch.view.result], ["complete", "a", { done: true }]);
});

test("settled waits for a job that is being looked up", async () => {
  const { millrace } = client([success(ENDED)]);

  const watch = await millrace.watch("job_1").settled();

  assert.deepEqual([watch.state, watch.view.text], ["complete", "ab"]);
});

// ---- stop and connect ------------------------------------------------------------------------------------------------

test("connect, stop, connect follows the job once", async () => {
  const first = held(success(DETAIL));
  const { millrace, requests } = client([first.answer, success(DETAIL), stream([CONNECTED, delta(1, "a"), complete(2)])]);
  const watch = millrace.newWatch();

  void watch.connect("job_1");
  while (requests.length === 0) await new Promise((resolve) => setTimeout(resolve));
  watch.stop();
  assert.deepEqual([watch.state, watch.live], ["idle", false]);
  const settled = watch.connect("job_1");
  first.release();
  await settled;

  assert.deepEqual([watch.state, watch.view.text], ["complete", "a"]);
  assert.equal(requests.filter(({ url }) => url.includes("/stream")).length, 1);
});

test("a watch that is stopped is idle, and continues after the last event when it is connected again", async () => {
  const { millrace, requests } = client([
    stream([CONNECTED, delta(1, "a")], "open"),
    success({ ...DETAIL, text: "ab", lastEventId: 2 }),
    stream([CONNECTED, delta(2, "b"), complete(3)]),
  ]);
  const watch = millrace.watch(JOB);
  await new Promise((resolve) => watch.subscribe(({ view }) => view.text === "a" && resolve()));

  watch.stop();
  assert.deepEqual([watch.state, watch.live, watch.view.text], ["idle", false, "a"]);
  await watch.settled();
  assert.equal(watch.state, "idle");

  await watch.connect("job_1");
  assert.deepEqual([watch.state, watch.view.text], ["complete", "ab"]);
  assert.equal(requests.at(-1).headers["Last-Event-ID"], "1");
});

test("a watch that is connected to another job shows nothing of the first one", async () => {
  const { millrace } = client([success(ENDED), success({ ...ENDED, jobId: "job_2", text: "z", lastEventId: 2 })]);
  const watch = await millrace.watch("job_1").settled();

  await watch.connect("job_2");

  assert.deepEqual([watch.view.jobId, watch.view.text, watch.view.lastEventId], ["job_2", "z", 2]);
});

test("a job whose creation is under way when the watch is stopped is not followed", async () => {
  const creation = held(success(JOB, 202));
  const { millrace, requests } = client([creation.answer]);
  const watch = millrace.startJob("suggestion", {});
  const settled = watch.settled();

  watch.stop();
  creation.release();
  await settled;

  assert.equal(watch.state, "idle");
  assert.equal(requests.length, 1);
});

test("a job that is cancelled and then stopped during its creation is cancelled all the same", async () => {
  const creation = held(success(JOB, 202));
  const { millrace, requests } = client([creation.answer, success(DETAIL)]);
  const watch = millrace.startJob("suggestion", {});

  await watch.cancel();
  watch.stop();
  creation.release();
  await watch.settled();

  assert.ok(requests.at(-1).url.endsWith("/jobs/job_1/cancel"));
  assert.equal(watch.state, "idle");
});

test("a watch whose creation was cancelled can start a job again", async () => {
  const creation = held(refusal(422, "INVALID_INPUT"));
  const { millrace, requests } = client([creation.answer, success(JOB, 202), stream([CONNECTED, complete(1)])]);
  const watch = millrace.newWatch();
  const create = () => millrace.createJob("suggestion", {});
  const first = watch.start(create);
  await watch.cancel();
  creation.release();
  await first;
  assert.equal(watch.state, "cancelled");

  await watch.start(create);

  assert.equal(watch.state, "complete");
  assert.ok(requests.every(({ url }) => !url.endsWith("/cancel")));
});

test("a look-up that answers after the watch was stopped changes nothing", async () => {
  const lookup = held(refusal(404, "NOT_FOUND"));
  const { millrace } = client([lookup.answer]);
  const watch = millrace.watch("job_1");
  const settled = watch.settled();

  watch.stop();
  lookup.release();
  await settled;

  assert.deepEqual([watch.state, watch.problem], ["idle", null]);
});

test("a second connect of a watch that follows a job is refused, and the watch continues", async () => {
  const { millrace } = client([stream([CONNECTED, delta(1, "a")], "open")]);
  const watch = millrace.watch(JOB);
  await reached(watch, "streaming");

  assert.throws(() => watch.connect(JOB), /connect cannot happen while streaming/);
  assert.equal(watch.state, "streaming");
  watch.stop();
});

// ---- snapshots -------------------------------------------------------------------------------------------------------

test("a snapshot is the same object until the next change, and never changes", async () => {
  const { millrace } = client([success(JOB, 202), stream([CONNECTED, delta(1, "a"), complete(2)])]);
  const watch = millrace.startJob("suggestion", {});
  const { subscribe } = watch; // as React's useSyncExternalStore calls it
  const seen = [];
  const unsubscribe = subscribe(() => seen.push([watch.snapshot, watch.state, watch.view]));
  assert.equal(watch.snapshot, watch.snapshot);
  await watch.settled();
  unsubscribe();

  assert.equal(new Set(seen.map(([snapshot]) => snapshot)).size, seen.length);
  for (const [snapshot, state, view] of seen) assert.deepEqual([snapshot.state, snapshot.view], [state, view]);
  assert.throws(() => (watch.snapshot.state = "idle"), TypeError);
});

test("a listener that throws is reported, and the watch and the other listeners continue", async () => {
  const { millrace } = client([success(JOB, 202), stream([CONNECTED, delta(1, "a"), complete(2)])]);
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  try {
    const watch = millrace.startJob("suggestion", {});
    const states = [];
    let calls = 0;
    watch.subscribe(() => {
      calls += 1;
      if (calls === 3) throw new Error("a page's fault");
    });
    watch.subscribe(({ state }) => states.push(state));
    await watch.settled();

    assert.deepEqual(reported, ["a page's fault"]);
    assert.deepEqual([watch.state, watch.faults, states.at(-1)], ["complete", 0, "complete"]);
  } finally {
    delete globalThis.reportError;
  }
});

// ---- events ----------------------------------------------------------------------------------------------------------

test("the events of a job are read in order and once, over a lost connection", async () => {
  const { millrace } = client([
    success(JOB, 202),
    stream([CONNECTED, delta(1, "a"), delta(2, "b")]),
    stream([CONNECTED, delta(2, "b"), delta(3, "c"), complete(4)]),
  ]);

  const events = await eventsOf(millrace.startJob("suggestion", {}));

  assert.deepEqual(events, [[1, "delta"], [2, "delta"], [3, "delta"], [4, "complete"]]);
});

test("the events of a job that has ended are read from its stream", async () => {
  const { millrace } = client([success(ENDED), stream([CONNECTED, delta(1, "a"), delta(2, "b"), complete(3)])]);

  assert.deepEqual(await eventsOf(millrace.watch("job_1")), [[1, "delta"], [2, "delta"], [3, "complete"]]);
});

test("a watch that has settled has no more events", async () => {
  const { millrace } = client([success(ENDED)]);
  const watch = await millrace.watch("job_1").settled();

  assert.deepEqual(await eventsOf(watch), []);
});

test("reading events ends with the watch's fault, with its stop, and with a signal", async () => {
  const gone = client([success(JOB, 202), refusal(401, "UNAUTHENTICATED")]).millrace.startJob("suggestion", {});
  await assert.rejects(eventsOf(gone), { name: "Refused", status: 401 });

  const stopped = client([stream([CONNECTED, delta(1, "a")], "open")]).millrace.watch(JOB);
  const read = eventsOf(stopped);
  await reached(stopped, "streaming");
  stopped.stop();
  assert.ok((await read).length <= 1);

  const signalled = client([stream([CONNECTED, delta(1, "a")], "open")]).millrace.watch(JOB);
  const abort = new AbortController();
  const aborted = eventsOf(signalled, { signal: abort.signal });
  abort.abort(new Unreachable("enough"));
  await assert.rejects(aborted, { message: "enough" });
  signalled.stop();
});

test("a failed job's last event is its error, and reading ends without throwing", async () => {
  const error = frame(1, {
    ...{ type: "error", code: "MODEL_UNAVAILABLE", message: "the model is gone", stage: null, attempt: 3 },
    ...{ retryCount: 2, retryable: true, requestId: null, traceId: null },
  });
  const { millrace } = client([success(JOB, 202), stream([CONNECTED, error])]);

  assert.deepEqual(await eventsOf(millrace.startJob("suggestion", {})), [[1, "error"]]);
});

test("a signal stops a watch, and iterations over its events throw the signal's reason", async () => {
  const { millrace } = client([stream([CONNECTED, delta(1, "a")], "open")]);
  const controller = new AbortController();
  const reason = new Error("the user has left");
  const watch = millrace.watch(JOB, { signal: controller.signal });
  const seen = [];
  await assert.rejects(
    async () => {
      for await (const { event } of watch.events()) {
        seen.push(event.type);
        controller.abort(reason);
      }
    },
    (error) => error === reason,
  );
  await watch.settled();

  assert.deepEqual([seen, watch.state], [["delta"], "idle"]);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
});

test("a signal that is aborted while a job is created aborts the request", async () => {
  const controller = new AbortController();
  let request = null;
  const fetch = (url, given) => {
    request = given;
    return new Promise((resolve, reject) => given.signal.addEventListener("abort", () => reject(given.signal.reason)));
  };
  const millrace = new Millrace({ api: "http://api", token: "t", fetch });
  const watch = millrace.startJob("suggestion", {}, { signal: controller.signal });
  while (request === null) await new Promise((resolve) => setTimeout(resolve));
  controller.abort();
  await watch.settled();

  assert.deepEqual([request.signal.aborted, watch.state, watch.problem], [true, "idle", null]);
});
