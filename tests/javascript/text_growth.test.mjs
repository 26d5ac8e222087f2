/** What was appended to a text, found without comparing the texts, and right also where nothing was noted. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { appended, noteAppended, TextGrowth } from "../../clients/javascript/src/millrace/text_growth.js";
import { seeded } from "./chance.mjs";

/** Return an object whose text is never to be read. */
const unread = () => ({
  get text() {
    throw new Error("the text was read");
  },
});

test("what was noted is returned without reading a text", () => {
  const [first, second, third] = [{ text: "a" }, unread(), unread()];
  noteAppended(first, second, "b");
  noteAppended(second, third, "c");

  assert.equal(appended(second, third), "c");
  assert.equal(appended(first, third), "bc");
  assert.equal(appended(third, third), "");
});

test("two continuations of the same text are told apart", () => {
  const [first, one, other] = [{ text: "a" }, { text: "ab" }, { text: "ac" }];
  noteAppended(first, one, "b");
  noteAppended(first, other, "c");

  assert.equal(appended(first, one), "b");
  assert.equal(appended(first, other), "c");
  assert.equal(appended(one, other), null);
});

test("for random texts that grow, branch, shrink and are copied, what is returned is what comparing the texts tells", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = seeded(seed);
    const known = [{ text: "" }];
    const pick = () => known[Math.floor(random() * known.length)];
    const growth = new TextGrowth();
    let followed = "";
    for (let step = 0; step < 60; step += 1) {
      const before = random() < 0.6 ? known.at(-1) : pick();
      const added = ["", "a", "b", "ab"][Math.floor(random() * 4)];
      const after = { text: before.text + added };
      if (random() < 0.8) noteAppended(before, after, added);
      known.push(after);
      const [one, other] = [pick(), pick()];
      const expected = other.text.startsWith(one.text) ? other.text.slice(one.text.length) : null;
      assert.equal(appended(one, other), expected, `seed ${seed}`);
      const { added: grown, begins } = growth.next(other);
      followed = begins ? grown : followed + grown;
      assert.equal(followed, other.text, `seed ${seed}`);
    }
  }
});

test("parts that are no longer remembered are found by comparing", () => {
  const first = { text: "" };
  let last = first;
  for (let index = 0; index < 10_000; index += 1) {
    const next = { text: last.text + "x" };
    noteAppended(last, next, "x");
    last = next;
  }

  assert.equal(appended(first, last), "x".repeat(10_000));
  assert.equal(appended({ text: "xx" }, last), "x".repeat(9_998));
});
