/** Watching a job: connections break, end, are refused and fall silent, and the watch still shows the complete job. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Millrace } from "../../clients/javascript/src/millrace.js";
import { eventSourceConnection } from "../../clients/javascript/src/millrace/connection.js";
import { Refused } from "../../clients/javascript/src/millrace/errors.js";
import { Watch } from "../../clients/javascript/src/millrace/watch.js";
import { CONNECTED, NoNetwork, frame, refusal, server, stream, success } from "./api.mjs";

const JOB = { jobId: "job_1", status: "pending", statusUrl: "", streamUrl: "http://stream/jobs/job_1/stream" };
const USAGE = { inputTokens: 1, outputTokens: 2, costUsd: null };
const DETAIL = {
  ...{ ...JOB, pipeline: "suggestion", status: "in_progress", text: "", progress: 0, stage: null, items: [] },
  ...{ lastEventId: 0, attempt: 1, retryCount: 0, result: null, usage: USAGE, failure: null, endedAt: null },
};
const delta = (id, text) => frame(id, { type: "delta", text });
const complete = (id) => frame(id, { type: "complete", result: { done: true }, usage: USAGE });
const failed = (id) =>
  frame(id, {
    ...{ type: "error", code: "MODEL_UNAVAILABLE", message: "the model is gone", stage: null, attempt: 3 },
    ...{ retryCount: 2, retryable: true, requestId: null, traceId: null },
  });
const resumed = (id) =>
  frame(id, {
    ...{ type: "reset", text: "", progress: 0, reason: "RESUMED", message: "resumed" },
    ...{ attempt: 1, retryCount: 0 },
  });

/** A watch of a fake server, with a fake window whose events the test dispatches; its waits are short. */
function watching(responses, { times = {}, random = () => 0.001, recovers = false } = {}) {
  const { fetch, requests, left } = server(responses);
  const millrace = new Millrace({ api: "http://api", token: "token-1", fetch });
  const page = new EventTarget();
  // The client's own calls and slots, with the test's window and times.
  const watch = new Watch(millrace.watchApi, { page, random, times, recovers });
  return { watch, millrace, requests, left, page };
}

const after = (requests) => requests.map((each) => each.headers["Last-Event-ID"]);

test("a job is created, connected to, streamed and completed", async () => {
  const { fetch } = server([success(JOB, 202), stream([CONNECTED, delta(1, "a"), delta(2, "b"), complete(3)])]);
  const watch = new Millrace({ api: "http://api", token: "t", fetch }).startJob("suggestion", {});
  const states = [];
  watch.subscribe(({ state }) => states.at(-1) !== state && states.push(state));
  await watch.settled();

  assert.deepEqual(states, ["creating", "connecting", "streaming", "complete"]);
  assert.equal(watch.view.text, "ab");
  assert.deepEqual(watch.view.result, { done: true });
});

test("what the response of an ended job leaves out is read from the stream", async () => {
  const detail = { ...DETAIL, status: "completed", endedAt: "2026-11-26T08:00:00Z", startedAt: null, omitted: ["text", "result"] };
  const { watch, requests } = watching([stream([CONNECTED, delta(1, "a"), delta(2, "b"), complete(3)])]);

  await watch.connect(detail);

  assert.equal(watch.state, "complete");
  assert.equal(watch.view.text, "ab");
  assert.deepEqual(watch.view.result, { done: true });
  assert.deepEqual(after(requests), [undefined]);
});

test("after a broken connection the next one starts after the last event, and repeated events are ignored", async () => {
  const { watch, requests } = watching([
    stream([CONNECTED, delta(1, "a"), delta(2, "b")], "break"),
    new NoNetwork("offline"),
    stream([CONNECTED, delta(2, "b"), delta(3, "c")]),
    stream([CONNECTED, complete(4)]),
  ]);

  await watch.connect(JOB);

  assert.equal(watch.state, "complete");
  assert.equal(watch.view.text, "abc");
  assert.deepEqual(after(requests), [undefined, "2", "2", "3"]);
});

test("an event that the end of a connection cuts off is requested again", async () => {
  const half = delta(2, "bcd").slice(0, 20);
  const { watch, requests } = watching([
    stream([CONNECTED, delta(1, "a") + half], "break"),
    stream([CONNECTED, delta(2, "bcd"), complete(3)]),
  ]);

  await watch.connect(JOB);

  assert.equal(watch.view.text, "abcd");
  assert.deepEqual(after(requests), [undefined, "1"]);
});

test("the watch closes the connection at the end of the job, even if the server keeps it open", async () => {
  let cancelled = false;
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(CONNECTED + complete(1))),
    cancel: () => void (cancelled = true),
  });
  const { watch } = watching([new Response(body)]);

  await watch.connect(JOB);

  assert.deepEqual([watch.state, cancelled], ["complete", true]);
});

test("after a gap the watch reconnects before the missing event", async () => {
  const { watch, requests } = watching([
    stream([CONNECTED, delta(1, "a"), delta(3, "c")], "open"),
    stream([CONNECTED, delta(2, "b"), delta(3, "c"), complete(4)]),
  ]);

  await watch.connect(JOB);

  assert.equal(watch.view.text, "abc");
  assert.deepEqual(after(requests), [undefined, "1"]);
});

test("a stream that stays unreadable ends the watch instead of a loop", async () => {
  const nonsense = () => stream([CONNECTED, "id: 1\nevent: delta\ndata: {\n\n"]);
  const { watch, requests } = watching([nonsense, nonsense, nonsense, nonsense]);

  await watch.connect(JOB);

  assert.deepEqual([watch.state, watch.problem.kind], ["error", "unreadable"]);
  assert.equal(requests.length, 4);
});

test("characters that a chunk boundary splits arrive complete", async () => {
  const text = "é\u{1f600}";
  const bytes = new TextEncoder().encode(CONNECTED + delta(1, text) + complete(2));
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });
  const { watch } = watching([new Response(body)]);

  await watch.connect(JOB);

  assert.equal(watch.view.text, text);
});

for (const [status, code] of [
  [401, "UNAUTHENTICATED"],
  [403, "FORBIDDEN"],
  [404, "NOT_FOUND"],
]) {
  test(`a ${status} is a refusal, which is reported and not repeated`, async () => {
    const { watch, requests } = watching([refusal(status, code)]);

    await watch.connect(JOB);

    assert.equal(watch.state, "error");
    assert.deepEqual([watch.problem.kind, watch.problem.status, watch.problem.code], ["refused", status, code]);
    assert.equal(watch.problem.retryable, false);
    assert.equal(requests.length, 1);
  });
}

test("the refusal of a sixth stream has the time to wait, and a retry gets the slot", async () => {
  const { watch } = watching([
    refusal(429, "STREAM_LIMIT_EXCEEDED", { retryAfter: 12 }),
    stream([CONNECTED, delta(1, "a"), complete(2)]),
  ]);
  await watch.connect(JOB);
  assert.deepEqual(
    [watch.problem.kind, watch.problem.code, watch.problem.retryAfter, watch.problem.retryable],
    ["refused", "STREAM_LIMIT_EXCEEDED", 12, true],
  );

  watch.retry();
  await watch.settled();

  assert.deepEqual([watch.state, watch.problem, watch.view.text], ["complete", null, "a"]);
});

test("a 5xx and API Gateway's own 429 are temporary faults", async () => {
  const { watch } = watching([
    new Response("", { status: 502 }),
    Response.json({ message: "Rate exceeded" }, { status: 429 }),
    refusal(503, "STORAGE_THROTTLED", { retryable: true }),
    stream([CONNECTED, complete(1)]),
  ]);

  await watch.connect(JOB);

  assert.equal(watch.state, "complete");
});

test("the end of a connection's time window is no fault, and the next connection starts immediately", async () => {
  const slow = async (texts) => {
    await new Promise((resolve) => setTimeout(resolve, 15));
    return stream(texts);
  };
  // The server's retry is 10 ms here, so a connection of 15 ms counts as a complete window.
  const { watch, requests } = watching(
    [
      () => slow(["retry: 10\n", CONNECTED, delta(1, "a")]),
      () => slow(["retry: 10\n", CONNECTED, delta(2, "b")]),
      stream([CONNECTED, complete(3)]),
    ],
    { times: { firstWait: 10 } },
  );
  const faults = new Set();
  watch.subscribe(() => faults.add(watch.faults));

  await watch.connect(JOB);

  assert.deepEqual([...faults], [0], "a connection without a fault is followed by no wait");
  assert.equal(watch.view.text, "ab");
  assert.deepEqual(after(requests), [undefined, "1", "2"]);
});

test("the first wait is the server's retry", async () => {
  const waits = [];
  const { watch } = watching(
    [
      stream(["retry: 40\n", CONNECTED, delta(1, "a")], "break"),
      () => {
        waits.push(Date.now());
        return stream([CONNECTED, complete(2)]);
      },
    ],
    { random: () => 1, times: { firstWait: 60_000 } },
  );
  const began = Date.now();

  await watch.connect(JOB);

  assert.ok(waits[0] - began >= 35, `${waits[0] - began} ms`);
});

test("the window's online event ends the wait", async () => {
  const { watch, page } = watching([new NoNetwork("offline"), stream([CONNECTED, complete(1)])], {
    random: () => 1,
    times: { firstWait: 1_000_000, idleLimit: 10_000_000 },
  });
  watch.subscribe(() => {
    if (watch.faults === 1 && watch.state === "connecting") setTimeout(() => page.dispatchEvent(new Event("online")));
  });

  await watch.connect(JOB);

  assert.equal(watch.state, "complete");
});

test("a connection without heartbeats is replaced by a new one", async () => {
  const { watch, requests } = watching(
    [stream([CONNECTED, delta(1, "a")], "open"), stream([CONNECTED, complete(2)])],
    { times: { silence: 30 } },
  );

  await watch.connect(JOB);

  assert.equal(watch.state, "complete");
  assert.deepEqual(after(requests), [undefined, "1"]);
});

test("two minutes without a heartbeat end the watch, and a retry continues after the last event", async () => {
  const { watch } = watching(
    [stream([CONNECTED, delta(1, "a")], "open"), stream([CONNECTED, delta(2, "b"), complete(3)])],
    { times: { idleLimit: 40 } },
  );
  await watch.connect(JOB);
  assert.deepEqual([watch.state, watch.problem.kind, watch.problem.retryable], ["error", "idle", true]);

  watch.retry();
  await watch.settled();

  assert.deepEqual([watch.state, watch.view.text], ["complete", "ab"]);
});

test("a network that stays down is reported as unreachable after the idle limit", async () => {
  const down = Array.from({ length: 200 }, () => new NoNetwork("offline"));
  const { watch } = watching(down, { times: { idleLimit: 40, firstWait: 5 }, random: () => 1 });

  await watch.connect(JOB);

  assert.deepEqual([watch.state, watch.problem.kind], ["error", "unreachable"]);
});

/** A response whose stream sends `connected`, and then a heartbeat every 5 ms. */
function onlyHeartbeats() {
  let timer;
  const body = new ReadableStream({
    start(controller) {
      const send = (text) => controller.enqueue(new TextEncoder().encode(text));
      send(CONNECTED);
      timer = setInterval(() => send(": heartbeat\n"), 5);
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

/** Resolve when the watch is as the condition says. */
function once(watch, condition) {
  return new Promise((resolve) => {
    const unsubscribe = watch.subscribe(() => condition(watch) && queueMicrotask(() => resolve(unsubscribe())));
  });
}

test("a stream that brings only heartbeats is quiet once the API has said that the job has no more events", async () => {
  const { watch, requests } = watching(
    [onlyHeartbeats(), success({ ...DETAIL, status: "pending" }), refusal(500, "INTERNAL_ERROR")],
    { times: { quietLimit: 20 } },
  );
  void watch.connect(JOB);

  await once(watch, ({ quiet }) => quiet !== null);
  assert.deepEqual([watch.state, watch.quiet.status, watch.quiet.stage], ["streaming", "pending", null]);
  assert.ok(watch.quiet.since <= watch.quiet.confirmedAt);
  await once(watch, ({ quiet }) => quiet?.confirmedAt === null); // the API does not answer the second time
  assert.deepEqual([watch.state, watch.problem], ["streaming", null]);
  assert.deepEqual(requests.map(({ url }) => new URL(url).pathname), ["/jobs/job_1/stream", "/jobs/job_1", "/jobs/job_1"]);
  watch.stop();
  assert.equal(watch.quiet, null);
});

test("a stream that is opened again and again, and sends only connected, is quiet too", async () => {
  const respond = ({ headers }) => (headers.Accept ? stream([CONNECTED], "open") : success({ ...DETAIL, stage: "draft" }));
  const { watch, requests } = watching(Array.from({ length: 100 }, () => respond), { times: { silence: 10, firstWait: 1, quietLimit: 40 } });
  void watch.connect(JOB);

  const openings = () => requests.filter(({ url }) => url.includes("/stream")).length;
  await once(watch, ({ quiet }) => quiet !== null && openings() > 2);
  assert.deepEqual([watch.quiet.stage, watch.problem], ["draft", null]);
  watch.stop();
});

test("an event ends the quiet", async () => {
  let write = () => {};
  const body = new ReadableStream({
    start: (controller) => {
      write = (text) => controller.enqueue(new TextEncoder().encode(text));
      write(CONNECTED);
    },
  });
  const { watch } = watching([new Response(body), success(DETAIL)], { times: { quietLimit: 20 } });
  const settled = watch.connect(JOB);
  await once(watch, ({ quiet }) => quiet !== null);

  write(delta(1, "a"));
  await once(watch, ({ view }) => view.text === "a");
  assert.equal(watch.quiet, null);
  write(complete(2));
  await settled;
  assert.equal(watch.state, "complete");
});

test("a stream that holds back the events of the job is left, and a watch that recovers reads another one", async () => {
  const ahead = success({ ...DETAIL, lastEventId: 2, text: "ab", startedAt: null, omitted: [] });
  const responses = [onlyHeartbeats(), ahead.clone(), ahead, stream([CONNECTED, delta(1, "a"), delta(2, "b"), complete(3)])];
  const { watch } = watching(responses, { times: { quietLimit: 24, recovery: 1 }, recovers: true });
  const problems = [];
  watch.subscribe(({ problem }) => problem && problems.push(problem.kind));

  void watch.connect(JOB);
  await once(watch, ({ state }) => state === "complete");

  assert.deepEqual([...new Set(problems)], ["idle"]);
  assert.equal(watch.view.text, "ab");
});

test("a job that has ended while its stream was quiet is shown as it ended", async () => {
  const ended = { ...DETAIL, status: "completed", endedAt: "2026-11-26T08:00:00Z", result: { done: true }, lastEventId: 3, text: "ab" };
  const { watch } = watching([onlyHeartbeats(), success(ended)], { times: { quietLimit: 24 } });

  await watch.connect(JOB);

  assert.deepEqual([watch.state, watch.view.text], ["complete", "ab"]);
});

// ---- recovery ----------------------------------------------------------------------------------------------------------

test("a watch that recovers keeps its problem until it is connected, and never says that it is connecting", async () => {
  const refused = () => refusal(429, "STREAM_LIMIT_EXCEEDED", { retryAfter: 0.001 });
  const detail = { ...DETAIL, startedAt: null, omitted: [] };
  const responses = [refused(), success(detail), refused(), success(detail), stream([CONNECTED, delta(1, "a"), complete(2)])];
  const { watch } = watching(responses, { recovers: true });
  const seen = [];
  watch.subscribe(({ state, problem }) => seen.push(`${state} ${problem?.code ?? ""}`.trim()));

  void watch.connect(JOB);
  await once(watch, ({ state }) => state === "complete");

  assert.deepEqual([...new Set(seen)], ["idle", "connecting", "error STREAM_LIMIT_EXCEEDED", "streaming", "complete"]);
});

test("a watch that recovers learns that the job has ended, and one that is stopped asks for nothing", async () => {
  const ended = { ...DETAIL, status: "cancelled", endedAt: "2026-11-26T08:00:00Z" };
  const { watch, left } = watching([refusal(429, "STREAM_LIMIT_EXCEEDED", { retryAfter: 0.001 }), success(ended)], { recovers: true });
  void watch.connect(JOB);
  await once(watch, ({ state }) => state === "cancelled");
  assert.equal(left.length, 0);

  const stopped = watching([refusal(429, "STREAM_LIMIT_EXCEEDED", { retryAfter: 0.001 })], { recovers: true });
  await stopped.watch.connect(JOB);
  stopped.watch.stop();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual([stopped.watch.state, stopped.requests.length], ["error", 1]);
});

test("a problem that a repetition cannot help ends also a watch that recovers", async () => {
  const { watch, requests } = watching([refusal(403, "FORBIDDEN")], { recovers: true });
  await watch.connect(JOB);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual([watch.state, watch.problem.code, requests.length], ["error", "FORBIDDEN", 1]);
});

test("heartbeats keep a watch alive", async () => {
  const { watch } = watching(
    [
      () => {
        let beats = 8;
        const body = new ReadableStream({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            const text = beats === 8 ? CONNECTED : beats > 0 ? ": heartbeat\n" : complete(1);
            controller.enqueue(new TextEncoder().encode(text));
            if (beats === 0) controller.close();
            beats -= 1;
          },
        });
        return new Response(body);
      },
    ],
    { times: { idleLimit: 500, silence: 500 } },
  );

  await watch.connect(JOB);

  assert.equal(watch.state, "complete");
});

test("a failed job is an error of kind job, and resuming continues in its log", async () => {
  const { watch, requests } = watching([
    stream([CONNECTED, delta(1, "a"), failed(2)]),
    success({ ...JOB, status: "pending" }, 202),
    stream([CONNECTED, resumed(3), delta(4, "z"), complete(5)]),
  ]);
  await watch.connect(JOB);
  assert.deepEqual([watch.state, watch.problem.kind, watch.problem.code], ["error", "job", "MODEL_UNAVAILABLE"]);

  await watch.resume();
  await watch.settled();

  assert.deepEqual([watch.state, watch.view.text, watch.view.resets.length], ["complete", "z", 1]);
  assert.equal(requests[2].headers["Last-Event-ID"], "2");
});

test("a job that has ended is shown without a stream", async () => {
  const ended = { ...DETAIL, status: "completed", endedAt: "2026-01-01T00:00:00Z", text: "all", result: { a: 1 } };
  const { watch, requests } = watching([success(ended)]);

  await watch.connect("job_1");

  assert.deepEqual([watch.state, watch.view.text, watch.view.result], ["complete", "all", { a: 1 }]);
  assert.equal(requests.length, 1);
});

test("the watch fetches the end of a job that ended while it was disconnected", async () => {
  const ended = { ...DETAIL, status: "completed", endedAt: "2026-01-01T00:00:00Z", text: "ab", result: { a: 1 } };
  const { watch } = watching([
    stream([CONNECTED, delta(1, "a")], "break"),
    new Response(null, { status: 204 }),
    success(ended),
  ]);

  await watch.connect(JOB);

  assert.deepEqual([watch.state, watch.view.text], ["complete", "ab"]);
});

test("only events during the watch have a time, and the first stage has the job's start", async () => {
  const started = (id, stage, index) => frame(id, { type: "stage", stage, index, of: 2, attempt: 1 });
  const { watch } = watching([
    success({ ...DETAIL, lastEventId: 3, startedAt: "2026-01-01T00:00:00Z" }),
    stream([CONNECTED, started(1, "one", 1), delta(2, "a"), started(3, "two", 2), started(4, "three", 3), complete(5)]),
  ]);

  await watch.connect("job_1");

  const [first, second, third] = watch.view.stages;
  assert.deepEqual([first.startedAt, first.endedAt], [Date.parse("2026-01-01T00:00:00Z"), null], "the job's own time");
  assert.equal(second.startedAt, null);
  assert.ok(second.endedAt > 0 && third.startedAt > 0);
});

test("a job that has ended shows the stages, times and resets of its history", async () => {
  const at = (second) => `2026-11-26T08:00:0${second}Z`;
  const entry = (eventId, type, rest) => ({ ...{ eventId, at: at(eventId), type, stage: null, attempt: null, reason: null, message: null }, ...rest });
  const history = [
    entry(1, "stage", { stage: "write", attempt: 1 }),
    entry(2, "reset", { attempt: 2, reason: "MODEL_TIMEOUT", message: "again" }),
    entry(3, "stage", { stage: "write", attempt: 2 }),
    entry(4, "stage", { stage: "check", attempt: 1 }),
    entry(5, "complete"),
  ];
  const { watch } = watching([success({ ...DETAIL, status: "completed", endedAt: at(5), lastEventId: 5, history, subtasks: [] })]);

  await watch.connect("job_1");

  const seen = watch.view.stages.map(({ name, attempt, status, startedAt, endedAt }) => [name, attempt, status, endedAt - startedAt]);
  assert.deepEqual(seen, [["write", 2, "done", 3_000], ["check", 1, "done", 1_000]]);
  assert.deepEqual(watch.view.resets.map(({ id, reason }) => [id, reason]), [[2, "MODEL_TIMEOUT"]]);
});

test("a watch shows the API's response until the events have reached it, and no event twice", async () => {
  const detail = { ...DETAIL, stage: "write", text: "ab", progress: 40, lastEventId: 2, subtasks: [] };
  const { watch } = watching([success(detail), stream([CONNECTED, delta(1, "a"), delta(2, "b"), delta(3, "c"), complete(4)])]);
  const texts = [];
  watch.subscribe(({ view }) => texts.at(-1) !== view.text && texts.push(view.text));

  await watch.connect("job_1");

  assert.deepEqual(texts, ["", "ab", "abc"]);
});

test("a watch whose stream is refused keeps what the API has said, and takes its newest word when it connects again", async () => {
  const detail = { ...DETAIL, stage: "write", text: "ab", progress: 40, lastEventId: 2, subtasks: [] };
  const full = () => refusal(429, "STREAM_LIMIT_EXCEEDED", { retryAfter: 1 });
  const ended = { ...detail, status: "cancelled", endedAt: "2026-11-26T08:00:00Z", lastEventId: 3 };
  const { watch } = watching([success(detail), full(), success({ ...detail, progress: 60, lastEventId: 3 }), full(), success(ended)]);

  await watch.connect("job_1");
  assert.deepEqual([watch.state, watch.view.text, watch.view.progress], ["error", "ab", 40]);
  await watch.connect("job_1");
  assert.deepEqual([watch.state, watch.view.progress], ["error", 60]);
  await watch.connect("job_1");
  assert.equal(watch.state, "cancelled");
});

test("cancelling calls the API, and the stream reports the end", async () => {
  const { watch, requests } = watching([
    (request) => {
      setTimeout(() => void watch.cancel());
      return stream([CONNECTED, delta(1, "a")], "open");
    },
    success({ ...JOB, status: "cancelled" }),
    stream([CONNECTED, frame(2, { type: "cancelled", stage: null })]),
  ], { times: { silence: 30 } });

  await watch.connect(JOB);

  assert.equal(watch.state, "cancelled");
  assert.equal(requests[1].url, "http://api/jobs/job_1/cancel");
});

test("cancelling while the job is being created cancels it as soon as it has an id", async () => {
  let respond;
  const created = new Promise((resolve) => (respond = resolve));
  const { watch, requests, millrace } = watching([
    () => created,
    success({ ...JOB, status: "cancelled" }),
    stream([CONNECTED, frame(1, { type: "cancelled", stage: null })]),
  ]);
  const ended = watch.start(() => millrace.createJob("suggestion", {}));
  await watch.cancel();
  assert.equal(watch.state, "creating");

  respond(success(JOB, 202));
  await ended;

  assert.equal(watch.state, "cancelled");
  assert.ok(requests.some((each) => each.url.endsWith("/jobs/job_1/cancel")));
});

test("a job that ended before it could be cancelled shows its end", async () => {
  const { watch } = watching([
    () => {
      setTimeout(() => void watch.cancel());
      return stream([CONNECTED], "open");
    },
    refusal(409, "CONFLICT"),
    stream([CONNECTED, complete(1)]),
  ], { times: { silence: 30 } });

  await watch.connect(JOB);

  assert.equal(watch.state, "complete");
});

test("every connection sends the tab's id, a second stream a suffixed id that is released at its end", async () => {
  const { fetch, requests } = server([
    stream([CONNECTED], "open"),
    stream([CONNECTED, complete(1)]),
    stream([CONNECTED, complete(1)]),
  ]);
  const millrace = new Millrace({ api: "http://api", token: "t", fetch });
  const first = millrace.watch(JOB);
  await seen(first, "streaming");
  await millrace.newWatch().connect(JOB);
  await millrace.newWatch().connect(JOB);
  first.stop();

  const tabs = requests.map((each) => new URL(each.url).searchParams.get("tab"));
  assert.ok(tabs[0].length >= 16);
  assert.equal(tabs[1], `${tabs[0]}.1`);
  assert.equal(tabs[2], tabs[1]);
});

test("a page that is left frees its slot, and continues after the last event if it is shown again", async () => {
  let cancelled = false;
  const open = () => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(CONNECTED + delta(1, "a"))),
      cancel: () => void (cancelled = true),
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  };
  const { watch, requests, page } = watching([open, stream([CONNECTED, complete(2)])]);
  void watch.connect(JOB);
  await seen(watch, "streaming", () => watch.view.text === "a");

  page.dispatchEvent(new Event("pagehide"));
  await watch.settled();
  assert.equal(watch.state, "streaming");
  assert.equal(requests.length, 1);
  assert.ok(cancelled);

  page.dispatchEvent(new Event("pageshow"));
  await seen(watch, "complete");
  assert.deepEqual(after(requests), [undefined, "1"]);
});

// ---- EventSource ---------------------------------------------------------------------------------------------------------

/** A fake EventSource whose events the test dispatches; `made` has every instance. */
function eventSource(made, act) {
  return class extends EventTarget {
    constructor(url) {
      super();
      this.url = url;
      made.push(this);
      setTimeout(() => act(this, made.length));
    }

    close() {
      this.closed = true;
    }
  };
}

function sent(type, data, id = "") {
  return new MessageEvent(type, { data: JSON.stringify({ type, ...data }), lastEventId: id });
}

test("with EventSource, every connection has a new ticket and starts after the last event", async () => {
  const made = [];
  const Source = eventSource(made, (source, number) => {
    source.dispatchEvent(new Event("open"));
    source.dispatchEvent(sent("connected", { jobId: "job_1", pipeline: "suggestion", lastEventId: 0 }));
    if (number === 1) {
      source.dispatchEvent(sent("delta", { text: "a" }, "1"));
      source.dispatchEvent(new Event("error"));
    } else {
      source.dispatchEvent(sent("complete", { result: {}, usage: USAGE }, "2"));
    }
  });
  let tickets = 0;
  const open = eventSourceConnection(async (url) => `${url}?ticket=${(tickets += 1)}`, Source, () => assert.fail("not needed"));
  const watch = new Watch({ connect: open, slot: async () => ({ id: "tab", release() {} }) }, { random: () => 0, page: null });

  await watch.connect(JOB);

  assert.deepEqual([watch.state, watch.view.text], ["complete", "a"]);
  assert.deepEqual(made.map((each) => new URL(each.url).search), [
    "?ticket=1&tab=tab",
    "?ticket=2&tab=tab&lastEventId=1",
  ]);
  assert.ok(made.every((each) => each.closed));
});

test("with EventSource, a job's `error` event and a connection fault are distinguished", async () => {
  const Source = eventSource([], (source) => {
    source.dispatchEvent(new Event("open"));
    source.dispatchEvent(sent("connected", { jobId: "job_1", pipeline: "suggestion", lastEventId: 0 }));
    source.dispatchEvent(new MessageEvent("error", { data: failed(1).split("data: ")[1].trim(), lastEventId: "1" }));
  });
  const open = eventSourceConnection(async (url) => url, Source, () => assert.fail("not needed"));
  const watch = new Watch({ connect: open, slot: async () => ({ id: "tab", release() {} }) }, { page: null });

  await watch.connect(JOB);

  assert.deepEqual([watch.state, watch.problem.kind], ["error", "job"]);
});

test("a fetch finds out why an EventSource did not open", async () => {
  const Source = eventSource([], (source) => source.dispatchEvent(new Event("error")));
  const refused = async () => refusal(429, "STREAM_LIMIT_EXCEEDED", { retryAfter: 5 });
  const open = eventSourceConnection(async (url) => url, Source, refused);
  const watch = new Watch({ connect: open, slot: async () => ({ id: "tab", release() {} }) }, { page: null });

  await watch.connect(JOB);

  assert.deepEqual([watch.problem.kind, watch.problem.retryAfter], ["refused", 5]);
});

test("a ticket that is refused ends the watch", async () => {
  const ticketed = async () => {
    throw new Refused(404, { code: "NOT_FOUND", message: "gone", details: { fields: [] }, retryable: false });
  };
  const open = eventSourceConnection(ticketed, eventSource([], () => assert.fail("not opened")), () => assert.fail());
  const watch = new Watch({ connect: open, slot: async () => ({ id: "tab", release() {} }) }, { page: null });

  await watch.connect(JOB);

  assert.deepEqual([watch.state, watch.problem.status], ["error", 404]);
});

/** Resolve when the watch is in the state and the condition is true. */
function seen(watch, state, condition = () => true) {
  return new Promise((resolve) => {
    const unsubscribe = watch.subscribe(() => {
      if (watch.state !== state || !condition()) return;
      queueMicrotask(() => unsubscribe());
      resolve();
    });
  });
}
