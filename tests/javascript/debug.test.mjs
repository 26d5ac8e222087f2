/** The debugging views of a job: what they compute from its events, wherever the page began to see them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { awsLinks, curlOf } from "../../functions/console/static/core/parts/debug/curl.js";
import { diff } from "../../functions/console/static/core/parts/debug/diff.js";
import { EventFilter, ndjsonOf } from "../../functions/console/static/core/parts/debug/event_filter.js";
import { JobRecord, MOST } from "../../functions/console/static/core/parts/debug/job_record.js";
import { figuresOf, timelineOf } from "../../functions/console/static/core/parts/debug/timeline.js";
import { SseParser } from "../../clients/javascript/src/millrace/sse.js";
import { seeded } from "./chance.mjs";

const stage = (name, attempt = 1) => ({ type: "stage", stage: name, index: 1, of: 2, attempt });
const delta = (text) => ({ type: "delta", text });
const subtask = (status) => ({ type: "subtask", key: "a", title: "Part A", status, progress: null });
const reset = (text, reason = "MODEL_DISCONNECTED") => ({
  ...{ type: "reset", text, progress: 5, reason, message: "the connection broke", attempt: 2, retryCount: 1 },
});
const COMPLETE = { type: "complete", result: {}, usage: {} };
const JOB = { createdAt: new Date(0).toISOString(), endedAt: null, maxRetries: 3 };

/** A record of events that are one second apart, the first at second 1. */
function recorded(events, record = new JobRecord(), first = 1) {
  events.forEach((event, index) => record.add({ id: first + index, at: (first + index) * 1000, event }));
  return record;
}

function bars(events, now = 60_000) {
  return timelineOf(JOB, recorded(events).history, now).bars.map(({ label, begin, end, status }) => [label, begin / 1000, end / 1000, status]);
}

test("the timeline has the queue, each attempt, its model output, and the wait before a retry", () => {
  const events = [stage("draft"), delta("a"), delta("b"), reset(""), stage("draft", 2), delta("c"), COMPLETE];

  assert.deepEqual(bars(events), [
    ["Queue", 0, 1, "done"],
    ["Draft", 1, 3, "failed"],
    ["Before the first text", 1, 2, "done"],
    ["Model output", 2, 3, "done"],
    ["Failure and wait before attempt 2", 3, 4, "done"],
    ["Draft, attempt 2", 5, 7, "done"],
    ["Before the first text", 5, 6, "done"],
    ["Model output", 6, 6, "done"],
  ]);
});

test("a repair is a second call of the model within the attempt", () => {
  const labels = bars([stage("draft"), delta("a"), reset("", "REPAIR"), delta("b"), COMPLETE]).map(([label]) => label);

  assert.deepEqual(labels, ["Queue", "Draft", "Before the first text", "Model output", "Before the first text", "Model output"]);
});

test("what still runs ends at the present time", () => {
  assert.deepEqual(bars([stage("draft"), subtask("started")], 10_000).slice(1), [
    ["Draft", 1, 10, "running"],
    ["No text yet", 1, 10, "waiting"],
    ["Part A", 2, 10, "running"],
  ]);
  assert.deepEqual(bars([], 10_000), [["Queue", 0, 10, "waiting"]]);
});

test("a stage that ends without text has no wait for text, and one that fails without text says so", () => {
  assert.deepEqual(bars([stage("validate"), stage("draft"), reset(""), stage("draft", 2), delta("a"), COMPLETE]).map(([label]) => label), [
    ...["Queue", "Validate", "Draft", "No text", "Failure and wait before attempt 2"],
    ...["Draft, attempt 2", "Before the first text", "Model output"],
  ]);
  assert.deepEqual(bars([stage("validate"), COMPLETE]).map(([label]) => label), ["Queue", "Validate"]);
});

test("a cancelled job has nothing that runs", () => {
  const statuses = bars([stage("draft"), subtask("started"), { type: "cancelled", stage: "draft", usage: null }]).map(([, , , status]) => status);

  assert.deepEqual(statuses, ["done", "cancelled", "cancelled", "cancelled"]);
});

test("the timeline is the same wherever the page began to follow the job, and no bar is negative or outside", () => {
  const choose = seeded(7);
  const kinds = [stage("draft"), stage("polish"), delta("x"), delta("yy"), reset(""), reset("", "REPAIR"), subtask("started"), subtask("finished")];
  for (let round = 0; round < 100; round += 1) {
    const events = Array.from({ length: 1 + Math.floor(choose() * 30) }, () => kinds[Math.floor(choose() * kinds.length)]);
    const cut = Math.floor(choose() * events.length);
    const whole = recorded(events);
    const later = recorded(events.slice(cut), new JobRecord(recorded(events.slice(0, cut)).history, cut), cut + 1);
    const replayed = recorded(events, new JobRecord(recorded(events.slice(0, cut)).history, cut));

    const line = timelineOf(JOB, whole.history, 40_000);
    assert.deepEqual(timelineOf(JOB, later.history, 40_000), line);
    assert.deepEqual(timelineOf(JOB, replayed.history, 40_000), line);
    assert.ok(line.bars.every(({ begin, end }) => line.begin <= begin && begin <= end && end <= line.end));
    assert.equal(new Set(line.bars.map(({ id }) => id)).size, line.bars.length);
  }
});

test("the figures tell what the events tell: characters while the job runs, tokens after its end", () => {
  const { history } = recorded([stage("draft"), delta("a".repeat(30)), delta("b".repeat(30)), delta("c".repeat(60))]);
  const live = { retryCount: 1, outcome: null, usage: null };
  const ended = { retryCount: 1, outcome: "complete", usage: { outputTokens: 50, unreportedCalls: 0 } };

  assert.deepEqual(figuresOf(JOB, history, live, 10_000), {
    ...{ elapsedMs: 10_000, firstTextMs: 2_000, charactersPerSecond: 60, tokensPerSecond: null, retriesLeft: 2 },
  });
  assert.equal(figuresOf({ ...JOB, endedAt: new Date(5_000).toISOString() }, history, ended, 10_000).tokensPerSecond, 25);
});

test("the text that a reset discards is kept beside what has replaced it", () => {
  const record = recorded([stage("draft"), delta("kept, "), delta("wrong"), reset("kept, "), delta("right"), reset("", "REPAIR"), delta("new")]);

  assert.deepEqual(record.discards.map(({ id, text, replacement }) => [id, text, replacement]), [
    [4, "wrong", "right"],
    [6, "kept, right", "new"],
  ]);
});

test("a page that joins late knows the text before its first event", () => {
  const record = recorded([reset("")], new JobRecord([], 4, "the draft"), 5);

  assert.equal(record.discards[0].text, "the draft");
});

test("memory is bounded: the oldest events go, and long discarded text is cut", () => {
  const record = new JobRecord();
  for (let id = 1; id <= MOST.events + 10_000; id += 1) record.add({ id, at: id, event: delta("x") });

  assert.deepEqual([record.events.length, record.events[0].id, record.dropped], [MOST.events, 10_001, 10_000]);
  record.add({ id: MOST.events + 10_001, at: 0, event: delta("y".repeat(MOST.characters)) });
  assert.ok(record.events.length <= 1);
  record.add({ id: MOST.events + 10_002, at: 0, event: reset("") });
  assert.deepEqual([record.discards[0].text.length, record.discards[0].cut], [MOST.discarded, true]);
});

test("a filter finds events by type and text, as they come and as they go", () => {
  const record = recorded([stage("draft"), delta("Hello"), delta("world")]);
  const filter = new EventFilter();
  filter.change({ type: "delta", text: "hello" });
  filter.take(record.events);
  record.add({ id: 4, at: 4000, event: delta("hello again") });
  filter.take(record.events);

  assert.deepEqual(filter.found.map(({ id }) => id), [2, 4]);
  assert.deepEqual([...filter.types], ["stage", "delta"]);
  assert.equal(ndjsonOf(filter.found.slice(1)), '{"id":4,"at":"1970-01-01T00:00:04.000Z","type":"delta","text":"hello again"}\n');
  filter.take(record.events.slice(2));
  assert.deepEqual(filter.found.map(({ id }) => id), [4]);
  filter.change({ type: "", text: "" });
  filter.take(record.events);
  assert.equal(filter.found.length, 4);
});

test("a difference has both texts in it, and names the words that differ", () => {
  assert.deepEqual(diff("a red, big house", "a blue, big house"), [
    { kind: "same", text: "a " },
    { kind: "removed", text: "red" },
    { kind: "added", text: "blue" },
    { kind: "same", text: ", big house" },
  ]);
  const choose = seeded(11);
  const words = ["a", "b", " ", "\n", "é", "😀", "{"];
  const text = (length) => Array.from({ length }, () => words[Math.floor(choose() * words.length)]).join("");
  for (const length of [0, 1, 5, 40, 3_000]) {
    const [before, after] = [text(length), text(length)];
    const parts = diff(before, after);
    const without = (kind) => parts.filter((part) => part.kind !== kind).map((part) => part.text).join("");
    assert.deepEqual([without("added"), without("removed")], [before, after]);
  }
});

test("a command has the whole input and a variable for the token, and the shell expands nothing else", () => {
  const job = { pipeline: "ideation", input: { genres: ["it's", "$(rm)"] }, links: { runId: "run_1", projectId: null }, statusUrl: "https://api/jobs/j", streamUrl: "https://s/jobs/j/stream" };
  const { create, get, stream } = curlOf(job, "https://api");

  assert.ok(create.includes(String.raw`--data-raw '{"pipeline":"ideation","input":{"genres":["it'\''s","$(rm)"]},"links":{"runId":"run_1"}}'`));
  assert.ok(get.startsWith("curl -sS 'https://api/jobs/j'"));
  assert.ok(stream.startsWith("curl -sSN 'https://s/jobs/j/stream'"));
  for (const command of [create, get, stream]) assert.ok(command.includes('"Authorization: Bearer $MILLRACE_TOKEN"'));
});

test("links to AWS exist where the deployment is on AWS and the job has them", () => {
  const job = { executionArn: "arn:aws:states:eu-west-1:1:execution:m:j", traceId: null };

  assert.deepEqual(awsLinks(job, null), { execution: null, trace: null });
  assert.deepEqual(awsLinks(job, "https://eu-west-1.console.aws.amazon.com"), {
    execution: "https://eu-west-1.console.aws.amazon.com/states/home#/v2/executions/details/arn%3Aaws%3Astates%3Aeu-west-1%3A1%3Aexecution%3Am%3Aj",
    trace: null,
  });
});

test("the parser of a stream gives the time of an event, and of no other", () => {
  const parts = [...new SseParser().feed("id: 1\nevent: delta\nat: 1795737600123\ndata: {}\n\nid: 2\ndata: {}\n\n")];

  assert.deepEqual(parts.map(({ at }) => at), [1795737600123, undefined]);
});
