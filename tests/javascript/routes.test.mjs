/** The client's methods and the API's operations: one for each. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Millrace } from "../../clients/javascript/src/millrace.js";
import { server, stream, success } from "./api.mjs";

const DOCUMENT = JSON.parse(readFileSync(new URL("../../docs/api/openapi.json", import.meta.url), "utf8"));
const METHODS = ["get", "post", "put", "patch", "delete"];
const DESCRIBED = Object.entries(DOCUMENT.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => method in item).map((method) => `${method.toUpperCase()} ${path}`),
);
/** The arguments of one call of every method; an id in braces is the value of the path parameter with that name. */
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
  createUploadUrl: ["{sessionId}"],
  load: ["{sessionId}"],
  recover: ["{sessionId}"],
  close: ["{sessionId}"],
  delete: ["{sessionId}"],
  send: ["{sessionId}", {}],
  messages: ["{sessionId}"],
  versions: ["{sessionId}"],
  cells: ["{sessionId}", {}],
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
  rotateSecret: ["{webhookId}"],
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
  createRender: ["{projectId}"],
  render: ["{projectId}", "{renderId}"],
  renders: ["{projectId}"],
};

test("every operation of the API has a method, and every method an operation", async () => {
  const called = new Set();
  const calls = [
    ...Object.entries(CALLS).map(([name, parameters]) => (millrace) => millrace[name](...parameters)),
    ...Object.entries(SHEETS).map(([name, parameters]) => (millrace) => millrace.sheets[name](...parameters)),
    ...Object.entries(PROJECTS).map(([name, parameters]) => (millrace) => millrace.projects[name](...parameters)),
    ...Object.entries(WEBHOOKS).map(([name, parameters]) => (millrace) => millrace.webhooks[name](...parameters)),
  ];
  for (const call of calls) {
    const api = server([success({})]);
    await call(new Millrace({ api: "http://api", token: "t", fetch: api.fetch }));
    const [{ method, url }] = api.requests;
    called.add(`${method} ${decodeURIComponent(new URL(url).pathname)}`);
  }
  const api = server([stream([])]);
  const watch = new Millrace({ api: "http://api", token: "t", fetch: api.fetch }).newWatch();
  void watch.connect({ jobId: "{jobId}", streamUrl: "http://stream/jobs/{jobId}/stream" });
  while (api.requests.length === 0) await new Promise((resolve) => setTimeout(resolve));
  watch.stop();
  called.add(`${api.requests[0].method} ${decodeURIComponent(new URL(api.requests[0].url).pathname)}`);

  assert.deepEqual([...called].sort(), DESCRIBED.sort());
});
