/** Does the same with several jobs, and reports what was done and what was refused. */

/** @import { JobSummary } from "../../../../../docs/api/types" */

/** Requests at the same time. */
const AT_ONCE = 4;

/** @typedef {{ job: JobSummary, message: string }} Refusal */
/** @typedef {{ done: JobSummary[], refused: Refusal[] }} BulkReport */

/**
 * Call `act` for each job, a few at a time. No failure ends the others.
 * @param {readonly JobSummary[]} jobs
 * @param {(jobId: string) => Promise<JobSummary>} act
 * @returns {Promise<BulkReport>} in the order of `jobs`
 */
export async function inBulk(jobs, act) {
  /** @type {(JobSummary | Refusal)[]} */
  const results = [];
  let next = 0;
  const work = async () => {
    while (next < jobs.length) {
      const index = next;
      next += 1;
      const job = /** @type {JobSummary} */ (jobs[index]);
      try {
        results[index] = await act(job.jobId);
      } catch (error) {
        results[index] = { job, message: error instanceof Error ? error.message : String(error) };
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return {
    done: results.filter((each) => !("message" in each)).map((each) => /** @type {JobSummary} */ (each)),
    refused: results.filter((each) => "message" in each).map((each) => /** @type {Refusal} */ (each)),
  };
}
