/** JSON that grows: the reader returns what parsing the whole text returns, and parses only what was added. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { PartialJsonParser, PartialJsonReader } from "../../clients/javascript/src/millrace/partial_json.js";
import { seeded } from "./chance.mjs";
import { parseAtOnce } from "./partial_json_oracle.mjs";

/** A random document, with keys that are there twice and with escapes. */
function document(random) {
  const pick = (all) => all[Math.floor(random() * all.length)];
  const string = () => JSON.stringify(pick(["", "a", 'q"\\/', "é\u{1f600}\n", "long text with spaces"])).replace("é", "\\u00e9");
  const space = () => pick(["", "", " ", "\n  "]);
  const any = (depth) => {
    const several = () => Array.from({ length: Math.floor(random() * 4) }, () => space() + any(depth + 1) + space());
    const object = () => several().map((value) => `${space()}${pick(['"a"', '"b"', '"__proto__"', string()])}${space()}:${value}`);
    const scalars = [string, () => String(random() * 1000 - 500), () => "1e5", () => pick(["null", "true", "false"])];
    const all = depth > 3 ? scalars : [...scalars, () => `[${several()}]`, () => `{${object()}}`, () => `{${object()}}`];
    return pick(all)();
  };
  return any(0);
}

/** The document with some characters removed, doubled or replaced, so that it is mostly no JSON any more. */
function damaged(text, random) {
  const characters = [...text];
  for (let times = Math.floor(random() * 3); times > 0; times -= 1) {
    const at = Math.floor(random() * characters.length);
    characters.splice(at, Math.floor(random() * 2), ...["", ",", '"', "\\", "]", "}", ":", "x", "-", "\\u12"][Math.floor(random() * 10)]);
  }
  return characters.join("");
}

test("for every cut of every random text, also if it is no JSON, the reader returns what one pass returns", () => {
  for (let seed = 1; seed <= 600; seed += 1) {
    const random = seeded(seed);
    const text = damaged(document(random), random);
    const reader = new PartialJsonReader();
    for (let length = 0; length <= text.length; length += 1 + Math.floor(random() * random() * 20)) {
      const part = text.slice(0, length);
      assert.deepEqual(reader.read(part), parseAtOnce(part), `seed ${seed}: ${part}`);
    }
    assert.deepEqual(reader.read(text), parseAtOnce(text), `seed ${seed}: ${text}`);
  }
});

test("after a text that does not continue the last one, the reader begins again", () => {
  const reader = new PartialJsonReader();
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const text = document(random);
    const part = text.slice(0, Math.floor(random() * text.length));
    assert.deepEqual(reader.read(part), parseAtOnce(part), `seed ${seed}`);
    assert.deepEqual(reader.read(text), parseAtOnce(text), `seed ${seed}`);
    if (random() < 0.5) assert.deepEqual(reader.read(part), parseAtOnce(part), `seed ${seed}, shorter`);
  }
  assert.equal(reader.read(""), undefined);
});

test("what was returned does not change, and what is complete is the same object again", () => {
  const reader = new PartialJsonReader();
  const before = reader.read('{"cards": [{"title": "a"}, {"title": "b');
  const again = reader.read('{"cards": [{"title": "a"}, {"title": "b"}, {"title": "c');

  assert.deepEqual(before, { cards: [{ title: "a" }, { title: "b" }] });
  assert.deepEqual(again, { cards: [{ title: "a" }, { title: "b" }, { title: "c" }] });
  assert.equal(again.cards[0], before.cards[0]);
  assert.notEqual(again.cards[1], before.cards[1]);
  assert.equal(reader.read('{"cards": [{"title": "a"}, {"title": "b"}, {"title": "c'), again);
});

test("a call parses only what was added", () => {
  const text = `{"cards": [${Array.from({ length: 2000 }, (_, index) => `{"title": "${index}", "text": "${"x".repeat(200)}"}`)}`;
  const parser = new PartialJsonParser();
  parser.append(text);
  const added = ', {"title": "the last"';

  const read = charactersRead(() => parser.append(added));

  assert.ok(read.calls > 0 && read.calls < 20, String(read.calls));
  assert.ok(read.longest <= added.length, String(read.longest));
});

test("text that is no JSON is not read again and again, however long it becomes", () => {
  for (const begin of ["Sorry, I cannot", '{"a": 1; "b": 2', '{"a": "\\q', "1.2.3 ", "[tru!", '{"a" "b"']) {
    const parser = new PartialJsonParser();
    parser.append(begin);
    parser.append("words ".repeat(1_000));
    const { calls } = charactersRead(() => parser.append("more"));
    assert.equal(calls, 0, begin);
    assert.deepEqual(parser.append("end"), parseAtOnce(`${begin}${"words ".repeat(1_000)}moreend`), begin);
  }
});

/** Return how many regular expressions were used while `act` ran, by which each token is found, and on how long a text. */
function charactersRead(act) {
  const exec = RegExp.prototype.exec;
  const read = { calls: 0, longest: 0 };
  RegExp.prototype.exec = function (given) {
    read.calls += 1;
    read.longest = Math.max(read.longest, given.length);
    return exec.call(this, given);
  };
  try {
    act();
  } finally {
    RegExp.prototype.exec = exec;
  }
  return read;
}
