/** What the console says about tokens and costs. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { costOf, tokensOf } from "../../functions/console/static/core/app/format.js";

const SCRIPTED = { scriptedModel: true };
const usage = (costUsd, unreportedCalls = 0) => ({ inputTokens: 7, outputTokens: 3, costUsd, unreportedCalls });

test("a scripted model costs nothing, and a model without a price has an unknown one", () => {
  assert.equal(costOf(usage(null), SCRIPTED), "scripted, no cost");
  assert.equal(costOf(usage(null, 1), SCRIPTED), "scripted, no cost");
  assert.equal(costOf(usage(null), { scriptedModel: false }), "unknown price");
  assert.equal(costOf(usage(null)), "unknown price");
});

test("a price is shown, and with calls without a report it is the least that it can be", () => {
  assert.match(costOf(usage(0.25)), /^\D*0\.25$/);
  assert.match(costOf(usage(0.25, 1)), /^at least \D*0\.25$/);
});

test("tokens that are not known are not 0", () => {
  assert.deepEqual([tokensOf(0, 0), tokensOf(0, 1), tokensOf(7, 1)], ["0", "not reported", "at least 7"]);
});
