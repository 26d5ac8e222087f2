/** What the console says about tokens and costs. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { awsCostOf, costOf, retentionText, tokensOf, totalCostOf } from "../../functions/console/static/core/app/format.js";
import { quietText } from "../../functions/console/static/core/parts/quiet_note.js";

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

const used = (modelUsd, awsUsd, { lostInvocations = 0, unreportedCalls = 0 } = {}) => ({
  ...{ unreportedCalls, compute: awsUsd === null ? null : { lostInvocations }, cost: { modelUsd, awsUsd } },
});

test("what AWS costs is unknown for an old job, and the least that it can be after a kill", () => {
  assert.equal(awsCostOf(used(0.5, null)), "unknown");
  assert.match(awsCostOf(used(0.5, 0.25)), /^\D*0\.25$/);
  assert.match(awsCostOf(used(0.5, 0.25, { lostInvocations: 1 })), /^at least \D*0\.25$/);
});

test("the total adds what is known, and says if that is not all", () => {
  assert.match(totalCostOf(used(0.5, 0.25)), /^\D*0\.75$/);
  assert.match(totalCostOf(used(null, 0.25)), /^at least \D*0\.25$/);
  assert.match(totalCostOf(used(0.5, 0.25, { unreportedCalls: 1 })), /^at least \D*0\.75$/);
  assert.equal(totalCostOf(used(null, null)), null);
});

test("a quiet job is said to wait or to run, as the server has confirmed, and never to be lost", () => {
  const quiet = { since: 0, confirmedAt: 121_000, status: "in_progress", stage: "write_poem" };
  const now = 130_000;

  assert.equal(
    quietText(quiet, now),
    "No event for 2 minutes. The job is running and may be waiting for the model in the stage “Write poem”. The server confirmed this 9.0 s ago.",
  );
  assert.match(quietText({ ...quiet, status: "pending", stage: null }, now), /waiting for its first stage to start\. The server confirmed/);
  assert.match(quietText({ since: 0, confirmedAt: null, status: null, stage: null }, now), /the server did not answer/);
});

test("the retention is that of the deployment, in the largest whole unit", () => {
  assert.equal(
    retentionText({ jobSeconds: 600, failedJobSeconds: 3600, archiveDays: 30 }),
    "Completed jobs are kept for 10 minutes, failed and cancelled ones for 1 hour; afterwards the archive keeps them for 30 days.",
  );
  assert.equal(retentionText({ jobSeconds: 15, failedJobSeconds: 15, archiveDays: 0 }), "Ended jobs are kept for 15 seconds.");
  assert.match(retentionText({ jobSeconds: 90, failedJobSeconds: 86_400, archiveDays: 1 }), /90 seconds, .* for 1 day; .* for 1 day\.$/);
});
