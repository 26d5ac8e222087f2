/** The states of a watch, and its waits. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_WAIT, fullJitter } from "../../clients/javascript/src/millrace/backoff.js";
import { LIVE, TRANSITIONS, next } from "../../clients/javascript/src/millrace/states.js";

test("a watch goes from idle through creating, connecting and streaming to complete", () => {
  assert.equal(["create", "connect", "opened", "completed"].reduce(next, "idle"), "complete");
});

test("a watch that has lost its connection is connecting, and one with an error can connect again", () => {
  assert.equal(["connect", "opened", "lost", "opened", "failed", "connect"].reduce(next, "idle"), "connecting");
});

test("an impossible event throws", () => {
  assert.throws(() => next("complete", "opened"), /opened cannot happen while complete/);
  assert.throws(() => next("idle", "completed"), /completed cannot happen while idle/);
});

test("exactly the live states, and the error of a watch that recovers, can be cancelled and can fail", () => {
  for (const [state, events] of Object.entries(TRANSITIONS)) {
    assert.equal("cancelled" in events, LIVE.has(state) || state === "error", state);
    assert.equal("failed" in events, LIVE.has(state) || state === "error", state);
  }
});

test("every state can be reached from idle", () => {
  const reached = new Set(["idle"]);
  for (const state of reached) for (const then of Object.values(TRANSITIONS[state])) reached.add(then);
  assert.deepEqual([...reached].sort(), Object.keys(TRANSITIONS).sort());
});

test("a wait is at most the server's retry doubled for each consecutive fault, within a bound", () => {
  const most = (base, faults) => fullJitter(base, faults, () => 1);
  assert.deepEqual([1, 2, 3, 4].map((faults) => most(1000, faults)), [1000, 2000, 4000, 8000]);
  assert.equal(most(1000, 50), MAX_WAIT);
  assert.equal(most(60_000, 1), 60_000, "a longer retry of the server is used");
  assert.equal(fullJitter(1000, 3, () => 0), 0);
  assert.equal(fullJitter(1000, 3, () => 0.5), 2000);
});
