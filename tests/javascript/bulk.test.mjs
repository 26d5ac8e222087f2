/** Actions on several jobs: each is tried once, and each refusal is reported. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { inBulk } from "../../functions/console/static/core/app/bulk.js";

test("refusals end no other action, and all results are in the order of the jobs", async () => {
  const jobs = Array.from({ length: 9 }, (_, index) => ({ jobId: `job_${index}` }));
  let atOnce = 0;
  let most = 0;
  const report = await inBulk(jobs, async (jobId) => {
    most = Math.max(most, (atOnce += 1));
    await new Promise((resolve) => setImmediate(resolve));
    atOnce -= 1;
    if (jobId === "job_3" || jobId === "job_7") throw new Error(`${jobId} has completed`);
    return { jobId, status: "cancelled" };
  });

  assert.deepEqual(report.done.map(({ jobId }) => Number(jobId.at(-1))), [0, 1, 2, 4, 5, 6, 8]);
  assert.deepEqual(report.refused, [jobs[3], jobs[7]].map((job) => ({ job, message: `${job.jobId} has completed` })));
  assert.equal(most, 4);
  assert.deepEqual(await inBulk([], () => assert.fail("nothing to do")), { done: [], refused: [] });
});
