/** Requests to the API: the envelope, refusals and faults, and creations that are repeated without a second job. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Millrace, Refused, Unreachable, Unreadable } from "../../clients/javascript/src/millrace.js";
import { NoNetwork, refusal, server, success } from "./api.mjs";

const ACCEPTED = { jobId: "job_1", status: "pending", statusUrl: "", streamUrl: "http://stream/jobs/job_1/stream" };

function client(responses, token = "token-1") {
  const { fetch, requests, left } = server(responses);
  return { millrace: new Millrace({ api: "http://api/", token, fetch }), requests, left };
}

test("a call sends the token in its header, and the given filters in its query", async () => {
  const { millrace, requests } = client([success({ jobs: [], cursor: null })]);

  assert.deepEqual(await millrace.listJobs({ status: "failed", pipeline: "", cursor: null, limit: 5 }), {
    jobs: [],
    cursor: null,
  });
  assert.equal(requests[0].url, "http://api/jobs?status=failed&limit=5");
  assert.equal(requests[0].headers.Authorization, "Bearer token-1");
});

test("an id is one segment of the path, whatever characters it has", async () => {
  const { millrace, requests } = client([success({})]);
  await millrace.getJob("../secrets?x");
  assert.equal(requests[0].url, "http://api/jobs/..%2Fsecrets%3Fx");
});

test("a creation whose response was lost is repeated with the same key", async () => {
  const { millrace, requests } = client([new NoNetwork("reset"), new NoNetwork("reset"), success(ACCEPTED, 202)]);

  assert.equal((await millrace.createJob("suggestion", { pageOrComponent: "x" })).jobId, "job_1");

  const keys = requests.map((each) => each.headers["Idempotency-Key"]);
  assert.equal(requests.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.ok(keys[0].length >= 16);
  assert.deepEqual(JSON.parse(requests[2].body), { pipeline: "suggestion", input: { pageOrComponent: "x" } });
});

test("a job of a sheet session whose response was lost is created again with the same key, or with the given one", async () => {
  const idempotencyKey = "key-of-the-caller-1";
  for (const create of [
    (sheets, options) => sheets.load("ses_1", options),
    (sheets, options) => sheets.send("ses_1", { text: "Sum of B?" }, options),
    (sheets, options) => sheets.export("ses_1", { format: "csv" }, options),
  ]) {
    const lost = () => [new NoNetwork("reset"), success(ACCEPTED, 202)];
    const { millrace, requests } = client([...lost(), ...lost()]);
    await create(millrace.sheets);
    await create(millrace.sheets, { idempotencyKey });

    const [first, second, ...given] = requests.map(({ headers }) => headers["Idempotency-Key"]);
    assert.ok(first.length >= 16);
    assert.equal(second, first);
    assert.deepEqual(given, [idempotencyKey, idempotencyKey]);
  }
});

test("two creations have two keys", async () => {
  const { millrace, requests } = client([success(ACCEPTED, 202), success(ACCEPTED, 202)]);
  await millrace.createJob("suggestion", {});
  await millrace.createJob("suggestion", {});
  assert.notEqual(requests[0].headers["Idempotency-Key"], requests[1].headers["Idempotency-Key"]);
});

test("a watch that is retried creates its job with the same key", async () => {
  const down = Array.from({ length: 4 }, () => refusal(503, "STORAGE_UNAVAILABLE", { retryable: true }));
  const { millrace, requests } = client([...down, refusal(422, "VALIDATION_FAILED")]);
  const watch = millrace.startJob("suggestion", {});
  await until(watch, "error");
  assert.deepEqual([watch.problem.kind, watch.problem.retryable], ["unreachable", true]);

  watch.retry();
  await until(watch, "creating");
  await until(watch, "error");

  assert.equal(watch.problem.kind, "refused");
  assert.equal(requests.length, 5);
  assert.equal(new Set(requests.map((each) => each.headers["Idempotency-Key"])).size, 1);
});

test("a refusal is not repeated, and has the fields and the time to wait", async () => {
  const fields = [{ field: "input.featureType", rule: "should be one of …" }];
  const { millrace, requests } = client([refusal(422, "VALIDATION_FAILED", { fields })]);

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
  assert.equal(requests.length, 1);

  const limited = client([refusal(429, "RATE_LIMIT_EXCEEDED", { retryAfter: 17 })]);
  await assert.rejects(limited.millrace.createJob("suggestion", {}), { name: "Refused", retryAfter: 17 });
});

test("a job that was created but could not start is a refusal, because a repeat returns the same", async () => {
  const { millrace } = client([refusal(503, "EXECUTION_NOT_STARTED", { retryable: true, jobId: "job_1" })]);
  await assert.rejects(millrace.createJob("suggestion", {}), { name: "Refused", code: "EXECUTION_NOT_STARTED" });
});

test("a request that is unsafe to repeat is sent once", async () => {
  const { millrace, requests } = client([new NoNetwork("reset")]);
  await assert.rejects(millrace.resumeJob("job_1"), Unreachable);
  assert.equal(requests.length, 1);
});

test("of API Gateway's own responses, a 401 is a refusal, and a 429 and a 503 are temporary faults", async () => {
  const gateway = (status) => Response.json({ message: "Unauthorized" }, { status });
  const { millrace, requests } = client([gateway(429), gateway(503), gateway(401)]);

  await assert.rejects(millrace.getJob("job_1"), { name: "Refused", code: "UNAUTHENTICATED", status: 401 });
  assert.equal(requests.length, 3);
});

test("a response from another server is unreadable", async () => {
  const page = new Response("<html>", { headers: { "Content-Type": "text/html" } });
  await assert.rejects(client([page]).millrace.resumeJob("job_1"), Unreadable);
  await assert.rejects(client([new Response("", { status: 418 })]).millrace.resumeJob("job_1"), Unreadable);
});

test("a refused token is replaced once, and only by a different one", async () => {
  const stale = [];
  const token = (old) => {
    stale.push(old);
    return old === undefined ? "old" : "new";
  };
  const { millrace, requests } = client([refusal(401, "UNAUTHENTICATED"), success({})], token);
  await millrace.resumeJob("job_1");
  assert.deepEqual(requests.map((each) => each.headers.Authorization), ["Bearer old", "Bearer new"]);
  assert.deepEqual(stale, [undefined, "old"]);

  const same = client([refusal(401, "UNAUTHENTICATED")], () => "old");
  await assert.rejects(same.millrace.resumeJob("job_1"), { name: "Refused", status: 401 });
  assert.equal(same.requests.length, 1);
});

test("an aborted call rejects with the reason of the abort", async () => {
  const { millrace, requests } = client([new NoNetwork("reset")]);
  const abort = new AbortController();
  const creation = millrace.createJob("suggestion", {}, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(creation, /enough/);
  assert.ok(requests.length <= 1);
});

/** Resolve when the watch is in the state. */
function until(watch, state) {
  return new Promise((resolve) => {
    const unsubscribe = watch.subscribe(() => {
      if (watch.state !== state) return;
      queueMicrotask(() => unsubscribe());
      resolve(watch);
    });
  });
}
