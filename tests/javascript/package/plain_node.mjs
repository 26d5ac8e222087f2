/** The installed package in a project that has nothing else, under Node without a bundler. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Millrace, createClient, getJob } from "@millrace/client";

import { CONNECTED, frame, server, stream, success } from "./api.mjs";

const JOB = { jobId: "job_1", status: "pending", statusUrl: "", streamUrl: "http://stream/jobs/job_1/stream" };
const USAGE = { inputTokens: 1, outputTokens: 2, costUsd: null };
const delta = (id, text) => frame(id, { type: "delta", text });
const complete = (id) => frame(id, { type: "complete", result: { suggestions: [] }, usage: USAGE });

function client(responses) {
  const { fetch, requests } = server(responses);
  return { millrace: new Millrace({ api: "http://api", token: "t", fetch }), fetch, requests };
}

test("startJob settles when the job has ended", async () => {
  const { millrace } = client([success(JOB, 202), stream([CONNECTED, delta(1, "a"), complete(2)])]);

  const { state, view } = await millrace.startJob("suggestion", {}).settled();

  assert.deepEqual([state, view.text, view.result], ["complete", "a", { suggestions: [] }]);
});

test("a watch connects, stops and connects again", async () => {
  const { millrace, requests } = client([stream([CONNECTED, delta(1, "a")], "open"), stream([CONNECTED, delta(2, "b"), complete(3)])]);
  const watch = millrace.newWatch();

  void watch.connect(JOB);
  await new Promise((resolve) => watch.subscribe(({ view }) => view.text === "a" && resolve()));
  watch.stop();
  assert.deepEqual([watch.state, watch.live], ["idle", false]);
  await watch.connect(JOB);

  assert.deepEqual([watch.state, watch.view.text], ["complete", "ab"]);
  assert.equal(requests[1].headers["Last-Event-ID"], "1");
});

test("an operation is a function", async () => {
  const { fetch } = client([success({ ...JOB, text: "a" })]);

  assert.equal((await getJob(createClient({ api: "http://api", token: "t", fetch }), "job_1")).text, "a");
});

test("what needs another package says which one is missing, and the transport for chats needs none", async () => {
  await assert.rejects(import("@millrace/client/react"), /Cannot find package 'react'/);
  const { MillraceChatTransport } = await import("@millrace/client/ai");
  assert.equal(typeof MillraceChatTransport, "function");
  await assert.rejects(import("@millrace/client/src/millrace/watch.js"), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
});
