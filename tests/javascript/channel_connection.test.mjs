/** Watching a job over the channel and over its stream: the watch moves between them without losing or repeating an event. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { CHANNEL_TIMES } from "../../clients/javascript/src/millrace/channel.js";
import { channelConnection } from "../../clients/javascript/src/millrace/channel_connection.js";
import { fetchConnection } from "../../clients/javascript/src/millrace/connection.js";
import { Calls } from "../../clients/javascript/src/millrace/calls.js";
import { Watch } from "../../clients/javascript/src/millrace/watch.js";
import { CONNECTED, frame, server, stream, success } from "./api.mjs";
import { channelOf, pass, settle } from "./socket.mjs";

const TOPIC = "job:job_1";
const JOB = { jobId: "job_1", pipeline: "suggestion", status: "pending", statusUrl: "", streamUrl: "http://stream/jobs/job_1/stream" };
const USAGE = { inputTokens: 1, outputTokens: 2, costUsd: null };
const delta = (text) => ({ type: "delta", text });
const COMPLETE = { type: "complete", result: { done: true }, usage: USAGE };
const DETAIL = {
  ...{ ...JOB, status: "completed", text: "ab", progress: 100, stage: null, items: [], subtasks: [], omitted: [] },
  ...{ lastEventId: 3, attempt: 1, retryCount: 0, result: { large: true }, usage: USAGE, failure: null },
  ...{ startedAt: null, endedAt: "2026-11-26T08:00:00Z" },
};

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 }));
afterEach(() => mock.timers.reset());

/** A watch over a channel with fake sockets, and over the responses of a fake server where the channel is not available. */
function watching(responses = [], options = {}) {
  const { fetch, requests, left } = server(responses);
  const calls = new Calls("http://api", "token-1", fetch);
  const fake = channelOf(options);
  const api = {
    connect: channelConnection(fake.channel, fetchConnection(calls)),
    getJob: (jobId) => calls.call("GET", `/jobs/${jobId}`),
    slot: () => Promise.resolve({ id: "tab-1", release: () => {} }),
  };
  const watch = new Watch(api, { page: null, random: () => 0.5 });
  const states = [];
  watch.subscribe(({ state }) => states.at(-1) !== state && states.push(state));
  return { watch, states, requests, left, ...fake };
}

/** Let the watch subscribe, and then the channel open a connection. */
async function connecting() {
  await settle();
  await pass(0);
}

const after = (requests) => requests.map((each) => each.headers["Last-Event-ID"]);

test("a job is watched over the channel to its end", async () => {
  const { watch, states, last } = watching();
  const ended = watch.connect(JOB);
  await connecting();
  last().open();
  last().accept(TOPIC, [1, delta("a")], [2, delta("b")]);
  await pass(0);
  assert.deepEqual([watch.view.text, watch.transport, watch.view.pipeline], ["ab", "channel", "suggestion"]);

  last().accept(TOPIC, [3, COMPLETE]);
  await ended;

  assert.deepEqual(states, ["idle", "connecting", "streaming", "complete"]);
  assert.deepEqual(watch.view.result, { done: true });
  assert.equal(last().sent.at(-1).type, "unsubscribe");
});

test("a lost connection shows as connecting, and the watch continues on the next one", async () => {
  const { watch, states, last } = watching();
  const ended = watch.connect(JOB);
  await connecting();
  last().open();
  last().accept(TOPIC, [1, delta("a")]);
  await pass(0);
  last().drop();
  await pass(0);
  assert.equal(watch.state, "connecting");
  await pass(CHANNEL_TIMES.wait);
  last().open();
  assert.equal(last().subscriptions.get(TOPIC).after, 1);
  last().accept(TOPIC, [2, delta("b")], [3, COMPLETE]);
  await ended;

  assert.deepEqual([watch.view.text, states], ["ab", ["idle", "connecting", "streaming", "connecting", "streaming", "complete"]]);
});

test("if the channel becomes blocked the watch continues on the job's stream, and then on the channel again", async () => {
  let endStream = () => {};
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(CONNECTED + frame(2, delta("b"))));
      endStream = () => controller.close();
    },
  });
  const { watch, requests, last, channel } = watching([new Response(body)]);
  const ended = watch.connect(JOB);
  await connecting();
  last().open();
  last().accept(TOPIC, [1, delta("a")]);
  last().drop();
  for (let failed = 0; failed < 3; failed += 1) {
    await pass(CHANNEL_TIMES.wait * 4);
    last().drop();
  }
  await pass(0);
  assert.deepEqual([channel.state, watch.transport, after(requests)], ["blocked", "stream", ["1"]]);
  assert.equal(watch.view.text, "ab");

  await pass(CHANNEL_TIMES.retry / 2); // the stream's time: its end is no fault
  mock.timers.setTime(Date.now() + CHANNEL_TIMES.retry);
  assert.equal(channel.usable(), false);
  await settle();
  last().open();
  endStream();
  await settle();
  assert.equal(last().subscriptions.get(TOPIC).after, 2);
  last().accept(TOPIC, [3, COMPLETE]);
  await ended;
  assert.deepEqual([watch.state, watch.transport], ["complete", "channel"]);
});

test("without WebSockets a job is watched over its stream from the beginning", async () => {
  const responses = [stream([CONNECTED, frame(1, delta("a")), frame(2, COMPLETE)])];
  const { watch, requests } = watching(responses, { WebSocket: undefined });
  await watch.connect(JOB);
  assert.deepEqual([watch.view.text, watch.transport, after(requests)], ["a", "stream", [undefined]]);
});

test("an event that is too large for the channel is read from the stream", async () => {
  const { watch, requests, last } = watching([stream([CONNECTED, frame(2, delta("large")), frame(3, COMPLETE)])]);
  const ended = watch.connect(JOB);
  await connecting();
  last().open();
  last().accept(TOPIC, [1, delta("a ")]);
  last().deliver({ type: "behind", topic: TOPIC, tail: 2, then: "read" });
  await ended;
  assert.deepEqual([watch.state, watch.view.text, after(requests)], ["complete", "a large", ["1"]]);
});

test("a result that is too large for the channel is read with the job", async () => {
  const { watch, requests, last } = watching([success(DETAIL)]);
  const ended = watch.connect(JOB);
  await connecting();
  last().open();
  last().accept(TOPIC, [1, delta("a")], [2, delta("b")], [3, { ...COMPLETE, result: null, resultUrl: "/jobs/job_1" }]);
  await ended;
  assert.deepEqual([watch.state, watch.view.result, watch.view.lastEventId], ["complete", { large: true }, 3]);
  assert.equal(requests[0].url, "http://api/jobs/job_1");
});

test("a watch that is stopped ends its subscription", async () => {
  const { watch, last } = watching();
  void watch.connect(JOB);
  await connecting();
  last().open();
  last().accept(TOPIC, [1, delta("a")]);
  await pass(0);
  watch.stop();
  await pass(0);
  assert.equal(last().sent.at(-1).type, "unsubscribe");
});
