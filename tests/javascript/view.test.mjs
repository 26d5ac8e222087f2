/** The view of a job: the same for one log, wherever connections broke. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Gap, EMPTY_VIEW, fold, viewOf } from "../../clients/javascript/src/millrace/view.js";
import { JobRecord } from "../../functions/console/static/core/parts/debug/job_record.js";
import { seeded } from "./chance.mjs";

const stage = (name, index, attempt = 1) => ({ type: "stage", stage: name, index, of: 2, attempt });
const delta = (text) => ({ type: "delta", text });
const progress = (value) => ({ type: "progress", progress: value });
const item = (key) => ({ type: "item", stage: "generate", key, data: { key } });
const reset = (text, reason = "MODEL_DISCONNECTED", more = {}) => ({
  ...{ type: "reset", text, progress: 5, reason, message: "again", attempt: 2, retryCount: 1 },
  ...more,
});
const COMPLETE = { type: "complete", result: { a: 1 }, usage: { inputTokens: 1, outputTokens: 2, costUsd: null } };
const FAILED = {
  ...{ type: "error", code: "MODEL_REFUSED", message: "no", stage: "generate", attempt: 1, retryCount: 0 },
  ...{ retryable: false, requestId: "request-1", traceId: null },
};

/** The view of a log whose events are one second apart. */
function folded(events, view = EMPTY_VIEW) {
  return events.reduce((so_far, each, index) => fold(so_far, index + 1, each, index * 1000), view);
}

test("the text is the sum of the deltas, progress and stage are the latest", () => {
  const view = folded([stage("generate", 1), delta("a"), progress(10), delta("b"), stage("validate", 2)]);

  assert.equal(view.text, "ab");
  assert.equal(view.progress, 10);
  assert.equal(view.stage, "validate");
  assert.equal(view.lastEventId, 5);
});

test("a stage runs until the next one starts, and has both times", () => {
  const view = folded([stage("generate", 1), delta("a"), stage("validate", 2), COMPLETE]);

  assert.deepEqual(
    view.stages.map(({ name, status, startedAt, endedAt }) => [name, status, startedAt, endedAt]),
    [["generate", "done", 0, 2000], ["validate", "done", 2000, 3000]],
  );
});

test("an event from before the watch began has no time", () => {
  const view = fold(fold(EMPTY_VIEW, 1, stage("generate", 1), null), 2, stage("validate", 2), 5);

  assert.deepEqual(view.stages.map((each) => [each.startedAt, each.endedAt]), [[null, 5], [5, null]]);
});

test("an event that the view already contains changes nothing", () => {
  const view = folded([delta("a"), delta("b")]);

  assert.equal(fold(view, 2, delta("b"), 9), view);
  assert.equal(fold(view, 1, delta("a"), 9), view);
});

test("a missing event is a gap, except before a snapshot, which replaces all earlier events", () => {
  const view = folded([delta("a")]);
  const snapshot = { type: "snapshot", text: "all", stage: "generate", progress: 40, items: [item("1")] };

  assert.throws(() => fold(view, 3, delta("c"), 0), Gap);
  const after = fold(view, 7, snapshot, 0);
  assert.deepEqual([after.text, after.progress, after.items.length, after.lastEventId], ["all", 40, 1, 7]);
  assert.equal(fold(after, 8, delta("!"), 0).text, "all!");
});

test("an item that is written again keeps its place, as in the API's response", () => {
  const later = { ...item("1"), stage: "rank", data: { rank: 1 } };
  const { items } = folded([stage("generate", 1), item("1"), item("2"), later]);

  assert.deepEqual(items, [later, item("2")]);
});

test("a reset replaces the text, is kept with its reason, and keeps the items", () => {
  const view = folded([stage("generate", 1), delta("abc"), item("1"), reset("a"), stage("generate", 1, 2), delta("z")]);

  assert.equal(view.text, "az");
  assert.deepEqual(view.items.map((each) => each.key), ["1"]);
  assert.deepEqual(view.resets, [
    { id: 4, reason: "MODEL_DISCONNECTED", message: "again", attempt: 2, retryCount: 1 },
  ]);
  assert.deepEqual([view.attempt, view.retryCount], [2, 1]);
  assert.equal(view.stages.length, 1);
  assert.equal(view.stages[0].attempt, 2);
});

/** The text of a shared case: parts of a list are texts or repeated texts. */
function whole(text) {
  if (typeof text === "string") return text;
  return text.map((part) => (typeof part === "string" ? part : part.repeat.repeat(part.times))).join("");
}

/** The shared cases of resets; tests/unit/log/test_resets.py holds the server to them. */
const RESETS = JSON.parse(readFileSync(new URL("resets.json", import.meta.url), "utf8"));

for (const { name, stored, texts, items = [], subtasks = [] } of RESETS) {
  test(`a watcher has the text after each reset, wherever it joined: ${name}`, () => {
    const expected = texts.map(whole);
    const sent = stored.map((event, index) => {
      if (event.type === "reset") return reset(expected[index]);
      return event.type === "delta" ? { ...event, text: whole(event.text) } : event;
    });
    for (let after = 0; after <= sent.length; after += 1) {
      const snapshot = { type: "snapshot", text: expected[after - 1], stage: null, progress: 0, items: [], subtasks: [] };
      let view = after === 0 ? EMPTY_VIEW : fold(EMPTY_VIEW, after, snapshot, 0);
      for (let index = after; index < sent.length; index += 1) {
        view = fold(view, index + 1, sent[index], 0);
        assert.ok(view.text === expected[index], `after event ${index + 1}, joined after ${after}`);
      }
      if (after > 0) continue;
      assert.deepEqual(view.items.map(({ key }) => key), items);
      assert.deepEqual(view.subtasks.map(({ key }) => key), subtasks);
    }
  });
}

test("a resumed job continues in the log in which it had ended", () => {
  const failed = folded([stage("generate", 1), delta("a"), FAILED]);
  assert.deepEqual([failed.outcome, failed.failure.code, failed.stages[0].status], ["error", "MODEL_REFUSED", "failed"]);

  const resumed = fold(failed, 4, reset("", "RESUMED", { attempt: 1, retryCount: 0 }), 0);

  assert.deepEqual([resumed.outcome, resumed.failure, resumed.text], [null, null, ""]);
  assert.equal(resumed.stages[0].status, "running");
});

test("an unknown event type is ignored, and the next event is not a gap", () => {
  const view = fold(folded([delta("a")]), 2, { type: "telepathy" }, 0);

  assert.equal(fold(view, 3, delta("b"), 0).text, "ab");
});

test("the last event brings the result and the usage", () => {
  const view = folded([delta("a"), COMPLETE]);

  assert.deepEqual([view.outcome, view.progress, view.result], ["complete", 100, { a: 1 }]);
  assert.equal(view.usage.outputTokens, 2);
});

test("a failure and a cancellation bring the usage that is known by then", () => {
  const usage = { inputTokens: 1, outputTokens: 2, unreportedCalls: 1, costUsd: null };

  assert.deepEqual(folded([{ ...FAILED, usage }]).usage, usage);
  assert.deepEqual(folded([{ type: "cancelled", stage: null, usage }]).usage, usage);
});

test("the API's response for a job gives the same view as its events", () => {
  const job = {
    ...{ jobId: "job_1", pipeline: "suggestion", status: "failed", text: "abc", progress: 40, stage: "generate" },
    ...{ items: [], lastEventId: 9, attempt: 3, retryCount: 2, result: null, requestId: "request-1" },
    usage: { inputTokens: 1, outputTokens: 2, costUsd: 0.1 },
    failure: { code: "MODEL_REFUSED", message: "no", stage: "generate", attempt: 3, retryable: false, traceId: "t" },
  };

  const view = viewOf(job);

  assert.deepEqual([view.outcome, view.text, view.lastEventId], ["error", "abc", 9]);
  assert.equal(view.failure.requestId, "request-1");
  assert.equal(viewOf({ ...job, status: "in_progress", failure: null }).outcome, null);
});

test("an ended job that is reloaded has the stages and resets that its events told live", () => {
  const log = [
    stage("generate", 1), delta("a"), reset("", "MODEL_TIMEOUT", { retryCount: 1 }), stage("generate", 1, 2), delta("b"),
    reset("", "MODEL_RATE_LIMITED", { attempt: 3, retryCount: 2 }), stage("generate", 1, 3), delta("c"), stage("validate", 2), FAILED,
  ];
  const live = folded(log);
  const record = new JobRecord(); // makes the history as the server does
  log.forEach((event, index) => record.add({ id: index + 1, at: index * 1000, event }));
  const none = { text: "", items: [], subtasks: [], progress: 5, stage: "validate", result: null, usage: null };
  const job = { ...none, jobId: "job_1", pipeline: "poem", status: "failed", attempt: 1, retryCount: 2, lastEventId: log.length };
  const reloaded = viewOf({ ...job, history: record.history, failure: FAILED, requestId: "request-1" });

  assert.deepEqual(reloaded.resets, live.resets);
  assert.deepEqual(
    reloaded.stages.map(({ of: _, ...each }) => each),
    live.stages.map(({ of: _, ...each }) => each),
  );
});

test("connections that break anywhere and repeat events give the same view as an unbroken one", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const kinds = [
      () => delta(`${Math.floor(random() * 1000)} `),
      () => progress(Math.floor(random() * 100)),
      () => item(String(Math.floor(random() * 5))),
      () => reset("kept", "REPAIR"),
      () => stage(random() < 0.5 ? "generate" : "validate", 1 + Math.floor(random() * 2)),
    ];
    const events = Array.from({ length: 40 }, () => kinds[Math.floor(random() * kinds.length)]());
    const expected = events.reduce((view, each, index) => fold(view, index + 1, each, index), EMPTY_VIEW);

    let view = EMPTY_VIEW;
    while (view.lastEventId < events.length) {
      const from = Math.max(0, view.lastEventId - Math.floor(random() * 4)); // the server may repeat events
      const until = Math.min(events.length, from + 1 + Math.floor(random() * 12));
      for (let index = from; index < until; index += 1) view = fold(view, index + 1, events[index], index);
    }

    assert.deepEqual(view, expected, `seed ${seed}`);
  }
});
