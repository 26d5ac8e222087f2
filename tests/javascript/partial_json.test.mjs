/** JSON that is still being written: every beginning of a document reads as a beginning of its value. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { parsePartial } from "../../functions/console/static/core/app/partial_json.js";
import { seeded } from "./chance.mjs";

test("what is finished reads as JSON does", () => {
  for (const text of ['{"a": [1, -2.5e3, true, null, "x\\n\\u00e9\\"/"]}', "[]", "{}", '""', " [ {} , [] ] ", "false"]) {
    assert.deepEqual(parsePartial(text), JSON.parse(text), text);
  }
});

test("a string is there as far as it goes, an escape only when it is whole", () => {
  assert.deepEqual(parsePartial('{"title": "Saved vi'), { title: "Saved vi" });
  assert.deepEqual(parsePartial('{"title": "a\\'), { title: "a" });
  assert.deepEqual(parsePartial('{"title": "a\\u00e'), { title: "a" });
  assert.deepEqual(parsePartial('{"title": "a\\u00e9'), { title: "aé" });
});

test("what is not certain yet is left out: a key alone, a number or a word that may go on", () => {
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

test("what is no JSON is read as far as it is, and never for ever", () => {
  assert.equal(parsePartial("Sorry, I cannot"), undefined);
  assert.deepEqual(parsePartial('{"a": 1; "b": 2}'), { a: 1 });
  assert.deepEqual(parsePartial("[,,,]"), []);
  assert.deepEqual(parsePartial('{"a": "x" "b" "c"'), { a: "x" });
  assert.deepEqual(parsePartial('["\\q"]'), [""]);
});

test("a key that objects have by birth is a key like any other", () => {
  const value = parsePartial('{"__proto__": {"polluted": "yes"}}');
  assert.equal({}.polluted, undefined);
  assert.deepEqual(Object.keys(value), ["__proto__"]);
});

/** Whether a value may become another by going on. */
function begins(part, whole) {
  if (part === undefined) return true;
  if (typeof part === "string") return typeof whole === "string" && whole.startsWith(part);
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.length <= whole.length && part.every((each, index) => begins(each, whole[index]));
  }
  if (typeof part === "object" && part !== null) {
    return Object.entries(part).every(([key, value]) => key in whole && begins(value, whole[key]));
  }
  return part === whole;
}

test("every beginning of every document is the beginning of its value, and grows with it", () => {
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
      assert.ok(begins(part, whole), `seed ${seed}: ${text.slice(0, length)}`);
      assert.ok(before === undefined || begins(before, part), `seed ${seed} shrank at ${text.slice(0, length)}`);
      before = part;
    }
    if (typeof whole !== "number") assert.deepEqual(before, whole);
  }
});
