/** The parser of server-sent events: the specification's examples, and random chunks. */

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

test("the specification's example of ids: an empty id removes the previous one, and an unfinished event is dropped", () => {
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

test("an event without an id has the id of the previous event", () => {
  assert.deepEqual(parse("id: 7\ndata: a\n\ndata: b\n\n"), [event("a", { id: "7" }), event("b", { id: "7" })]);
});

test("an id without data is valid for the next event, an id with a NULL is ignored", () => {
  assert.deepEqual(parse("id: 7\n\nid: 8\0\ndata: a\n\n"), [event("a", { id: "7" })]);
});

test("the type of an event without data does not apply to the next one", () => {
  assert.deepEqual(parse("event: delta\n\ndata: a\n\n"), [event("a")]);
});

test("retry consists of digits only", () => {
  assert.deepEqual(parse("retry: 1500\nretry: 1.5\nretry: -1\nretry:\nretry: 10x\n"), [
    { kind: "retry", milliseconds: 1500 },
  ]);
});

test("unknown fields and a field with a space before its colon are ignored", () => {
  assert.deepEqual(parse("data : x\nnonsense: y\nDATA: z\ndata: a\n\n"), [event("a")]);
});

test("a comment does not end an event", () => {
  assert.deepEqual(parse("data: a\n: heartbeat\ndata: b\n\n"), [{ kind: "comment", text: "heartbeat" }, event("a\nb")]);
});

test("a byte order mark at the start is skipped, a second one is part of the field", () => {
  assert.deepEqual(parse("\uFEFFdata: a\n\n\uFEFFdata: b\n\ndata: c\n\n"), [event("a"), event("c")]);
  assert.deepEqual(parse("\uFEFF\uFEFFdata: a\n\n"), []);
});

test("a part is yielded as soon as its last character has arrived", () => {
  const parser = new SseParser();
  assert.deepEqual([...parser.feed("data: a\r")], []);
  assert.deepEqual([...parser.feed("\r")], [event("a")]);
  assert.deepEqual([...parser.feed("\n")], [], "the line feed belongs to the previous line end");
  assert.deepEqual([...parser.feed("data: b\n\n")], [event("b")]);
});

const LINES = [
  ...["data", "data: ", "data:x", "data: y y", "data: {\"text\": \"\u00e9\u{1f600}\"}", "event: delta", "event:"],
  ...["id: 1", "id", "id: 2\0", "retry: 20", "retry: x", ": beat", ":", "", "", "", "other: z", "\uFEFFdata: w"],
];

test("random lines are parsed alike in any chunks and with any line ends", () => {
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
