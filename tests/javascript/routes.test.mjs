/** The client's methods and the API's operations: one for each, and each can be aborted. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as client from "../../clients/javascript/src/millrace.js";
import { server, stream, success } from "./api.mjs";

const DOCUMENT = JSON.parse(readFileSync(new URL("../../docs/api/openapi.json", import.meta.url), "utf8"));
const METHODS = ["get", "post", "put", "patch", "delete"];
const DESCRIBED = Object.entries(DOCUMENT.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => method in item).map((method) => `${method.toUpperCase()} ${path}`),
);
/**
 * The arguments of one call of every method, without the last one, its options; an id in braces is the value of the path
 * parameter with that name.
 */
const CALLS = {
  createJob: ["suggestion", {}],
  getJob: ["{jobId}"],
  listJobs: [],
  cancelJob: ["{jobId}"],
  resumeJob: ["{jobId}"],
  deleteJob: ["{jobId}"],
  eraseData: [],
  getErasure: ["{erasureId}"],
  createStreamTicket: ["{jobId}"],
  createConnectionTicket: ["tab"],
  createIdeation: [{}],
  listIdeations: [],
  getIdeation: ["{runId}"],
  getActiveJob: ["{runId}"],
  getLineage: ["{runId}"],
  deleteIdeation: ["{runId}"],
  createAgent: [{}],
  listAgents: [],
  getAgent: ["{agentId}"],
  changeAgent: ["{agentId}", {}],
  deleteAgent: ["{agentId}"],
};

/** The methods of `sheets` and the arguments with which they are called. */
const SHEETS = {
  create: [{}],
  list: [],
  get: ["{sessionId}"],
  createUploadUrl: ["{sessionId}", {}],
  load: ["{sessionId}"],
  recover: ["{sessionId}"],
  close: ["{sessionId}"],
  delete: ["{sessionId}"],
  send: ["{sessionId}", {}],
  messages: ["{sessionId}"],
  versions: ["{sessionId}"],
  cells: ["{sessionId}"],
  edit: ["{sessionId}", {}],
  undo: ["{sessionId}"],
  redo: ["{sessionId}"],
  export: ["{sessionId}", {}],
};

/** The methods of `webhooks` and the arguments with which they are called. */
const WEBHOOKS = {
  create: [{}],
  list: [],
  get: ["{webhookId}"],
  update: ["{webhookId}", {}],
  delete: ["{webhookId}"],
  rotateSecret: ["{webhookId}", {}],
  sendTestEvent: ["{webhookId}"],
  deliveries: ["{webhookId}"],
  delivery: ["{webhookId}", "{deliveryId}"],
  replay: ["{webhookId}", "{deliveryId}"],
  recover: ["{webhookId}", {}],
};

/** The methods of `projects` and the arguments with which they are called. */
const PROJECTS = {
  create: [{}],
  list: [],
  get: ["{projectId}"],
  scene: ["{projectId}", "{sceneId}"],
  update: ["{projectId}", {}],
  delete: ["{projectId}"],
  send: ["{projectId}", {}],
  messages: ["{projectId}"],
  revisions: ["{projectId}"],
  revert: ["{projectId}", 1],
  preferences: [],
  updatePreferences: [{}],
  createImage: ["{projectId}", {}],
  completeImage: ["{projectId}", "{imageId}"],
  image: ["{projectId}", "{imageId}"],
  images: ["{projectId}"],
  createRender: ["{projectId}", {}],
  render: ["{projectId}", "{renderId}"],
  renders: ["{projectId}"],
};

/** One call of every method, by the method's name: functions of the client and the options. */
const METHOD_CALLS = Object.fromEntries([
  ...Object.entries(CALLS).map(([name, given]) => [name, (millrace, options) => millrace[name](...given, options)]),
  ...Object.entries({ sheets: SHEETS, projects: PROJECTS, webhooks: WEBHOOKS }).flatMap(([group, methods]) =>
    Object.entries(methods).map(([name, given]) => [
      `${group}.${name}`,
      (millrace, options) => millrace[group][name](...given, options),
    ]),
  ),
]);

test("every operation of the API has a method, and every method an operation", async () => {
  const called = new Set();
  for (const call of Object.values(METHOD_CALLS)) {
    const api = server([success({})]);
    await call(new client.Millrace({ api: "http://api", token: "t", fetch: api.fetch }), {});
    const [{ method, url }] = api.requests;
    called.add(`${method} ${decodeURIComponent(new URL(url).pathname)}`);
  }
  const api = server([stream([])]);
  const watch = new client.Millrace({ api: "http://api", token: "t", fetch: api.fetch }).newWatch();
  void watch.connect({ jobId: "{jobId}", streamUrl: "http://stream/jobs/{jobId}/stream" });
  while (api.requests.length === 0) await new Promise((resolve) => setTimeout(resolve));
  watch.stop();
  called.add(`${api.requests[0].method} ${decodeURIComponent(new URL(api.requests[0].url).pathname)}`);

  assert.deepEqual([...called].sort(), DESCRIBED.sort());
});

test("every operation that is a method of the client is a function too, which sends the same request", async () => {
  for (const [name, given] of Object.entries(CALLS)) {
    const [ofMethod, ofFunction] = [server([success({})]), server([success({})])];
    const options = { idempotencyKey: "key-1" };
    await new client.Millrace({ api: "http://api", token: "t", fetch: ofMethod.fetch })[name](...given, options);
    await client[name](client.createClient({ api: "http://api", token: "t", fetch: ofFunction.fetch }), ...given, options);
    assert.deepEqual(ofFunction.requests, ofMethod.requests, name);
  }
});

/** Abort every operation at one point, and check what it is rejected with and what it leaves. */
async function abortEach(options, begun) {
  for (const [name, call] of Object.entries(METHOD_CALLS)) {
    const controller = new AbortController();
    const reason = new Error(`${name} is not wanted any more`);
    const millrace = new client.Millrace({ api: "http://api", token: "t", ...options(controller, reason) });
    const called = call(millrace, { signal: controller.signal });
    await begun(controller, reason);
    await assert.rejects(called, (error) => error === reason, name);
    await new Promise((resolve) => setTimeout(resolve));
    assert.equal(getEventListeners(controller.signal, "abort").length, 0, `${name} leaves a listener`);
  }
}

test("every operation that is aborted before it begins sends no request", async () => {
  for (const [name, call] of Object.entries(METHOD_CALLS)) {
    const api = server([]);
    const reason = new Error("never wanted");
    const millrace = new client.Millrace({ api: "http://api", token: () => assert.fail("no token"), fetch: api.fetch });
    await assert.rejects(call(millrace, { signal: AbortSignal.abort(reason) }), (error) => error === reason, name);
    assert.equal(api.requests.length, 0, name);
  }
});

test("every operation can be aborted while the token is fetched", async () => {
  await abortEach(
    () => ({ token: () => new Promise(() => {}), fetch: () => assert.fail("no request") }),
    async (controller, reason) => controller.abort(reason),
  );
});

test("every operation passes its signal to fetch", async () => {
  let request = null;
  const fetch = (url, given) =>
    new Promise((resolve, reject) => {
      request = given;
      given.signal.addEventListener("abort", () => reject(given.signal.reason), { once: true });
    });
  await abortEach(
    () => ({ fetch }),
    async (controller, reason) => {
      while (request === null) await new Promise((resolve) => setTimeout(resolve));
      assert.equal(request.signal, controller.signal);
      request = null;
      controller.abort(reason);
    },
  );
});

test("every operation can be aborted while the body of the response is read", async () => {
  const open = new Response(new ReadableStream());
  let reading = null;
  await abortEach(
    () => {
      const began = new Promise((resolve) => (reading = resolve));
      const response = { ok: true, status: 200, headers: open.headers, json: () => (reading(), new Promise(() => {})) };
      reading.promise = began;
      return { fetch: async () => response };
    },
    async (controller, reason) => {
      await reading.promise;
      controller.abort(reason);
    },
  );
});

test("an operation that waits before it repeats a request can be aborted", async () => {
  const controller = new AbortController();
  const reason = new Error("no longer");
  const api = server([Response.json({}, { status: 503, headers: { "Retry-After": "3600" } })]);
  const millrace = new client.Millrace({ api: "http://api", token: "t", fetch: api.fetch });
  const called = millrace.getJob("job_1", { signal: controller.signal });
  while (api.left.length > 0) await new Promise((resolve) => setTimeout(resolve));
  await new Promise((resolve) => setTimeout(resolve));
  controller.abort(reason);
  await assert.rejects(called, (error) => error === reason);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
});
