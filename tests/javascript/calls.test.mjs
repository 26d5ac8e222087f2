/** Calls of the API: the envelope, refusals told apart from faults, and creations that make one job only. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Millrace, Refused, Unreachable, Unreadable } from "../../clients/javascript/src/millrace.js";
import { NoNetwork, refusal, server, success } from "./api.mjs";

const ACCEPTED = { jobId: "job_1", status: "pending", statusUrl: "", streamUrl: "http://stream/jobs/job_1/stream" };

function client(answers, token = "token-1") {
  const { fetch, asked, left } = server(answers);
  return { millrace: new Millrace({ api: "http://api/", token, fetch }), asked, left };
}

test("a call carries the token in its header, and its filters in the query where they are given", async () => {
  const { millrace, asked } = client([success({ jobs: [], cursor: null })]);

  assert.deepEqual(await millrace.listJobs({ status: "failed", pipeline: "", cursor: null, limit: 5 }), {
    jobs: [],
    cursor: null,
  });
  assert.equal(asked[0].url, "http://api/jobs?status=failed&limit=5");
  assert.equal(asked[0].headers.Authorization, "Bearer token-1");
});

test("an id is one segment of the path, whatever is in it", async () => {
  const { millrace, asked } = client([success({})]);
  await millrace.getJob("../secrets?x");
  assert.equal(asked[0].url, "http://api/jobs/..%2Fsecrets%3Fx");
});

test("a creation whose answer was lost is repeated with the same key", async () => {
  const { millrace, asked } = client([new NoNetwork("reset"), new NoNetwork("reset"), success(ACCEPTED, 202)]);

  assert.equal((await millrace.createJob("suggestion", { pageOrComponent: "x" })).jobId, "job_1");

  const keys = asked.map((each) => each.headers["Idempotency-Key"]);
  assert.equal(asked.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.ok(keys[0].length >= 16);
  assert.deepEqual(JSON.parse(asked[2].body), { pipeline: "suggestion", input: { pageOrComponent: "x" } });
});

test("two creations have two keys", async () => {
  const { millrace, asked } = client([success(ACCEPTED, 202), success(ACCEPTED, 202)]);
  await millrace.createJob("suggestion", {});
  await millrace.createJob("suggestion", {});
  assert.notEqual(asked[0].headers["Idempotency-Key"], asked[1].headers["Idempotency-Key"]);
});

test("a watch that tries again to create its job does so with the same key", async () => {
  const down = Array.from({ length: 4 }, () => refusal(503, "STORAGE_UNAVAILABLE", { retryable: true }));
  const { millrace, asked } = client([...down, refusal(422, "VALIDATION_FAILED")]);
  const watch = millrace.startJob("suggestion", {});
  await until(watch, "error");
  assert.deepEqual([watch.problem.kind, watch.problem.retryable], ["unreachable", true]);

  watch.retry();
  await until(watch, "creating");
  await until(watch, "error");

  assert.equal(watch.problem.kind, "refused");
  assert.equal(asked.length, 5);
  assert.equal(new Set(asked.map((each) => each.headers["Idempotency-Key"])).size, 1);
});

test("a refusal is not tried again, and names the fields and when to come back", async () => {
  const fields = [{ field: "input.featureType", rule: "should be one of …" }];
  const { millrace, asked } = client([refusal(422, "VALIDATION_FAILED", { fields })]);

  await assert.rejects(millrace.createJob("suggestion", {}), (error) => {
    assert.ok(error instanceof Refused);
    assert.deepEqual([error.status, error.code, error.fields, error.requestId], [
      422,
      "VALIDATION_FAILED",
      fields,
      "request-1",
    ]);
    return true;
  });
  assert.equal(asked.length, 1);

  const limited = client([refusal(429, "RATE_LIMIT_EXCEEDED", { retryAfter: 17 })]);
  await assert.rejects(limited.millrace.createJob("suggestion", {}), { name: "Refused", retryAfter: 17 });
});

test("a job that was made but could not start is a refusal: another try would answer the same", async () => {
  const { millrace } = client([refusal(503, "EXECUTION_NOT_STARTED", { retryable: true, jobId: "job_1" })]);
  await assert.rejects(millrace.createJob("suggestion", {}), { name: "Refused", code: "EXECUTION_NOT_STARTED" });
});

test("what may do harm when repeated is asked for once", async () => {
  const { millrace, asked } = client([new NoNetwork("reset")]);
  await assert.rejects(millrace.resumeJob("job_1"), Unreachable);
  assert.equal(asked.length, 1);
});

test("API Gateway's own words are understood: its 401 is a refusal, its 429 and 503 are faults of the moment", async () => {
  const gateway = (status) => Response.json({ message: "Unauthorized" }, { status });
  const { millrace, asked } = client([gateway(429), gateway(503), gateway(401)]);

  await assert.rejects(millrace.getJob("job_1"), { name: "Refused", code: "UNAUTHENTICATED", status: 401 });
  assert.equal(asked.length, 3);
});

test("an answer of something that is not this API is unreadable", async () => {
  const page = new Response("<html>", { headers: { "Content-Type": "text/html" } });
  await assert.rejects(client([page]).millrace.resumeJob("job_1"), Unreadable);
  await assert.rejects(client([new Response("", { status: 418 })]).millrace.resumeJob("job_1"), Unreadable);
});

test("a token that was refused is replaced once, and only where there is a better one", async () => {
  const stale = [];
  const token = (old) => {
    stale.push(old);
    return old === undefined ? "old" : "new";
  };
  const { millrace, asked } = client([refusal(401, "UNAUTHENTICATED"), success({})], token);
  await millrace.resumeJob("job_1");
  assert.deepEqual(asked.map((each) => each.headers.Authorization), ["Bearer old", "Bearer new"]);
  assert.deepEqual(stale, [undefined, "old"]);

  const same = client([refusal(401, "UNAUTHENTICATED")], () => "old");
  await assert.rejects(same.millrace.resumeJob("job_1"), { name: "Refused", status: 401 });
  assert.equal(same.asked.length, 1);
});

test("who gives up waiting hears of nothing else", async () => {
  const { millrace, asked } = client([new NoNetwork("reset")]);
  const abandon = new AbortController();
  const creation = millrace.createJob("suggestion", {}, { signal: abandon.signal });
  abandon.abort(new Error("enough"));
  await assert.rejects(creation, /enough/);
  assert.ok(asked.length <= 1);
});

/** Resolves when the watch is in the state, or was when asked. */
export function until(watch, state) {
  return new Promise((resolve) => {
    const forget = watch.subscribe(() => {
      if (watch.state !== state) return;
      queueMicrotask(() => forget());
      resolve(watch);
    });
  });
}
