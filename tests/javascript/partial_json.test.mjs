/** Unfinished JSON: every prefix of a document is parsed as a prefix of its value. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { parsePartial } from "../../clients/javascript/src/millrace/partial_json.js";
import { seeded } from "./chance.mjs";

test("a complete document is parsed as JSON.parse does", () => {
  for (const text of ['{"a": [1, -2.5e3, true, null, "x\\n\\u00e9\\"/"]}', "[]", "{}", '""', " [ {} , [] ] ", "false"]) {
    assert.deepEqual(parsePartial(text), JSON.parse(text), text);
  }
});

test("an unfinished string has its text so far, and no unfinished escape sequence", () => {
  assert.deepEqual(parsePartial('{"title": "Saved vi'), { title: "Saved vi" });
  assert.deepEqual(parsePartial('{"title": "a\\'), { title: "a" });
  assert.deepEqual(parsePartial('{"title": "a\\u00e'), { title: "a" });
  assert.deepEqual(parsePartial('{"title": "a\\u00e9'), { title: "aé" });
});

test("a key without a value, an unfinished number and an unfinished literal are omitted", () => {
  for (const [text, value] of [
    ['{"a": 1, "b', { a: 1 }],
    ['{"a": 1, "b"', { a: 1 }],
    ['{"a": 1, "b":', { a: 1 }],
    ['{"a": 1, "b": tru', { a: 1 }],
    ['{"a": 12', {}],
    ["[1, 2", [1]],
    ["[1, 2 ", [1, 2]],
    ["", undefined],
    ["  ", undefined],
  ]) {
    assert.deepEqual(parsePartial(text), value, text);
  }
});

test("text that is not JSON is parsed up to the error, and always ends", () => {
  assert.equal(parsePartial("Sorry, I cannot"), undefined);
  assert.deepEqual(parsePartial('{"a": 1; "b": 2}'), { a: 1 });
  assert.deepEqual(parsePartial("[,,,]"), []);
  assert.deepEqual(parsePartial('{"a": "x" "b" "c"'), { a: "x" });
  assert.deepEqual(parsePartial('["\\q"]'), [""]);
});

test("a key that is a property of every object is an ordinary key", () => {
  const value = parsePartial('{"__proto__": {"polluted": "yes"}}');
  assert.equal({}.polluted, undefined);
  assert.deepEqual(Object.keys(value), ["__proto__"]);
});

/** Whether the value is a prefix of another. */
function isPrefix(part, whole) {
  if (part === undefined) return true;
  if (typeof part === "string") return typeof whole === "string" && whole.startsWith(part);
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.length <= whole.length && part.every((each, index) => isPrefix(each, whole[index]));
  }
  if (typeof part === "object" && part !== null) {
    return Object.entries(part).every(([key, value]) => key in whole && isPrefix(value, whole[key]));
  }
  return part === whole;
}

test("every prefix of a random document is parsed as a prefix of its value, and grows with it", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seeded(seed);
    const any = (depth) => {
      const kind = Math.floor(random() * (depth > 3 ? 4 : 6));
      const several = () => Array.from({ length: Math.floor(random() * 4) }, () => any(depth + 1));
      const string = () => ["", "a", 'q"\\/', "é\u{1f600}\n", "long text with spaces"][Math.floor(random() * 5)];
      return [string, () => random() * 1000 - 500, () => null, () => random() < 0.5, several,
        () => Object.fromEntries(several().map((value, index) => [`${string()}${index}`, value]))][kind]();
    };
    const whole = any(0);
    const text = JSON.stringify(whole, null, random() < 0.5 ? 1 : 0);

    let before;
    for (let length = 0; length <= text.length; length += 1) {
      const part = parsePartial(text.slice(0, length));
      assert.ok(isPrefix(part, whole), `seed ${seed}: ${text.slice(0, length)}`);
      assert.ok(before === undefined || isPrefix(before, part), `seed ${seed} shrank at ${text.slice(0, length)}`);
      before = part;
    }
    if (typeof whole !== "number") assert.deepEqual(before, whole);
  }
});
