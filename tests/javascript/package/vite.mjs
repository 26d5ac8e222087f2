/** The installed package in a project of Vite and React: the build succeeds, and what it built runs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import react from "@vitejs/plugin-react";
import { Window } from "happy-dom";
import { build } from "vite";

import { CONNECTED, frame, server, stream, success } from "./api.mjs";

const QUIET = { configFile: false, logLevel: "error" };
/** The most bytes of a bundle that only gets a job, with gzip. */
const MOST = 3_000;

/** Return the JavaScript that Vite builds with these options. */
async function built(options) {
  const warnings = [];
  const onwarn = (warning) => void warnings.push(warning.message);
  const build_ = { ...options.build, write: false, rollupOptions: { ...options.build?.rollupOptions, onwarn } };
  const found = await build({ ...QUIET, ...options, build: build_ });
  const { output } = Array.isArray(found) ? found[0] : found;
  assert.deepEqual(warnings, []);
  return output.filter(({ type }) => type === "chunk").map(({ code }) => code);
}

test("a page in StrictMode is built, and shows a job to its end over one stream", async () => {
  const [code, ...others] = await built({ root: "app", plugins: [react()] });
  assert.deepEqual(others, []);

  const window = new Window({ url: "http://localhost/" });
  const text = JSON.stringify({ suggestions: [{ title: "Saved carts" }] });
  const detail = {
    ...{ jobId: "job_1", pipeline: "suggestion", status: "in_progress", streamUrl: "http://stream/jobs/job_1/stream" },
    ...{ text: "", progress: 0, stage: null, items: [], subtasks: [], lastEventId: 0, attempt: 1, retryCount: 0 },
    ...{ result: null, usage: null, failure: null, endedAt: null, startedAt: null },
  };
  const half = frame(1, { type: "delta", text: text.slice(0, -4) });
  const end = frame(2, { type: "complete", result: JSON.parse(text), usage: null });
  const open = () => stream([CONNECTED, half, end]);
  const { fetch, requests } = server([() => success(detail), open, () => success(detail), open]);
  Object.assign(globalThis, { window, document: window.document, fetch, MutationObserver: window.MutationObserver });
  window.document.body.innerHTML = '<div id="root"></div>';
  const shown = () => window.document.getElementById("root").textContent;

  await import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);
  while (shown() !== "complete: Saved carts") await new Promise((resolve) => setTimeout(resolve, 1));

  assert.equal(requests.filter(({ url }) => url.includes("/stream")).length, 1);
});

test(`a bundle that only gets a job needs less than ${MOST} bytes`, async (t) => {
  const lib = { entry: "entry.js", formats: ["es"], fileName: "entry" };
  const [code] = await built({ build: { lib, minify: "oxc", target: "es2022" } });
  const { length } = gzipSync(code, { level: 9 });
  t.diagnostic(`${code.length} bytes minified, ${length} with gzip`);
  assert.ok(length < MOST, `${length} bytes`);
  for (const foreign of ["pagehide", "WebSocket", "/ideations"]) assert.ok(!code.includes(foreign), foreign);
});
