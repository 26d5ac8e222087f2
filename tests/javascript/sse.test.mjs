/** The SSE parser, held to the examples of the specification and to whatever chunking chance finds. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { SseParser } from "../../clients/javascript/src/millrace/sse.js";
import { cut, seeded } from "./chance.mjs";

const event = (data, { type = "message", id = "" } = {}) => ({ kind: "event", type, data, id });

function parse(...chunks) {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => [...parser.feed(chunk)]);
}

test("the specification's example of two lines of data is one event", () => {
  assert.deepEqual(parse("data: YHOO\ndata: +2\ndata: 10\n\n"), [event("YHOO\n+2\n10")]);
});

test("the specification's example of ids: an empty one forgets the one before, and what is unfinished is dropped", () => {
  const stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event";
  assert.deepEqual(parse(stream), [
    { kind: "comment", text: "test stream" },
    event("first event", { id: "1" }),
    event("second event"),
  ]);
});

test("the specification's example of empty data: a field without a value is data, no field at all is no event", () => {
  assert.deepEqual(parse("data\n\ndata\ndata\n\ndata:"), [event(""), event("\n")]);
});

test("one space after the colon belongs to the syntax, a second one to the value", () => {
  assert.deepEqual(parse("data:test\n\ndata: test\n\ndata:  test\n\n"), [event("test"), event("test"), event(" test")]);
});

test("an event keeps the id of the one before when it has none of its own", () => {
  assert.deepEqual(parse("id: 7\ndata: a\n\ndata: b\n\n"), [event("a", { id: "7" }), event("b", { id: "7" })]);
});

test("an id counts although its event has no data, and one with a NULL in it does not", () => {
  assert.deepEqual(parse("id: 7\n\nid: 8\0\ndata: a\n\n"), [event("a", { id: "7" })]);
});

test("an event's type is forgotten when it had no data", () => {
  assert.deepEqual(parse("event: delta\n\ndata: a\n\n"), [event("a")]);
});

test("retry is digits and nothing else", () => {
  assert.deepEqual(parse("retry: 1500\nretry: 1.5\nretry: -1\nretry:\nretry: 10x\n"), [
    { kind: "retry", milliseconds: 1500 },
  ]);
});

test("unknown fields and a field with a space before its colon are ignored", () => {
  assert.deepEqual(parse("data : x\nnonsense: y\nDATA: z\ndata: a\n\n"), [event("a")]);
});

test("a comment ends no event: the heartbeat between its lines is a sign of life only", () => {
  assert.deepEqual(parse("data: a\n: heartbeat\ndata: b\n\n"), [{ kind: "comment", text: "heartbeat" }, event("a\nb")]);
});

test("one byte order mark at the beginning is not part of the first field, a second one is", () => {
  assert.deepEqual(parse("\uFEFFdata: a\n\n\uFEFFdata: b\n\ndata: c\n\n"), [event("a"), event("c")]);
  assert.deepEqual(parse("\uFEFF\uFEFFdata: a\n\n"), []);
});

test("a part comes as soon as its last character is there", () => {
  const parser = new SseParser();
  assert.deepEqual([...parser.feed("data: a\r")], []);
  assert.deepEqual([...parser.feed("\r")], [event("a")]);
  assert.deepEqual([...parser.feed("\n")], [], "the line feed belongs to the line end before it");
  assert.deepEqual([...parser.feed("data: b\n\n")], [event("b")]);
});

const LINES = [
  ...["data", "data: ", "data:x", "data: y y", "data: {\"text\": \"\u00e9\u{1f600}\"}", "event: delta", "event:"],
  ...["id: 1", "id", "id: 2\0", "retry: 20", "retry: x", ": beat", ":", "", "", "", "other: z", "\uFEFFdata: w"],
];

test("the chunking makes no difference, whatever the lines and their ends", () => {
  for (let seed = 1; seed <= 500; seed += 1) {
    const random = seeded(seed);
    const pick = (options) => options[Math.floor(random() * options.length)];
    const lines = Array.from({ length: 1 + Math.floor(random() * 25) }, () => pick(LINES));
    const text = pick(["", "\uFEFF"]) + lines.map((line) => line + pick(["\n", "\r", "\r\n"])).join("");

    const whole = parse(text);

    assert.deepEqual(parse(...cut(text, random)), whole, `seed ${seed}`);
    assert.deepEqual(parse(...text), whole, `seed ${seed}, by characters`);
    assert.deepEqual(parse(text.replace(/\r\n|\r/g, "\n")), whole, `seed ${seed}, with line feeds only`);
  }
});
