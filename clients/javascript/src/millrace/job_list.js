/** Watches a list of jobs: a list whose items are live until their jobs have ended. */

/** @import { JobList as JobPage, JobSummary } from "../../../../docs/api/types" */
/** @import { JobFilter } from "../millrace.js" */
/** @import { LIST_TIMES, ListSnapshot, ListState } from "./list_watch.js" */

import { ListWatch } from "./list_watch.js";

const LIVE_STATUSES = new Set(["pending", "in_progress"]);

/** @typedef {ListState} JobListState */
/**
 * A list of jobs at one moment; `jobs` and `items` are the same array.
 * @typedef {ListSnapshot<JobSummary, JobFilter> & { jobs: readonly JobSummary[] }} JobListSnapshot
 */
/**
 * @typedef {object} JobListParts
 * @property {Partial<typeof LIST_TIMES>} [times]
 * @property {() => number} [random]
 * @property {() => number} [now] milliseconds since 1970
 * @property {Pick<Document, "hidden" | "addEventListener" | "removeEventListener"> | null} [page] the document; null outside a
 *   browser
 */

/** @extends {ListWatch<JobSummary, JobFilter, JobListSnapshot>} */
export class JobListWatch extends ListWatch {
  /**
   * @param {(filter: JobFilter) => Promise<JobPage>} read returns one page
   * @param {JobFilter} [filter] `limit` is the number of jobs in a page, 50 by default
   * @param {JobListParts} [parts]
   */
  constructor(read, filter = {}, parts = {}) {
    const readPage = async (/** @type {JobFilter} */ page) => {
      const { jobs, cursor } = await read({ limit: 50, ...page });
      return { items: jobs, cursor };
    };
    super(readPage, filter, {
      ...parts,
      idOf: ({ jobId }) => jobId,
      isLive: ({ status }) => LIVE_STATUSES.has(status),
      updatedAt: (job) => job.updatedAt,
      matches,
    });
  }

  /**
   * @param {ListSnapshot<JobSummary, JobFilter>} snapshot
   * @returns {JobListSnapshot}
   */
  described(snapshot) {
    return Object.freeze({ ...snapshot, jobs: snapshot.items });
  }
}

/**
 * Whether the job belongs to the list, as far as its summary tells. `search` is a part of the title or the beginning of the
 * id, as in the API.
 * @param {JobSummary} job
 * @param {JobFilter} filter
 */
function matches({ jobId, title, status, pipeline }, filter) {
  if (filter.archived || filter.sessionId || filter.runId || filter.projectId) return false;
  const search = (filter.search ?? "").toLowerCase();
  const found = jobId.toLowerCase().startsWith(search) || (title ?? "").toLowerCase().includes(search);
  return found && (!filter.status || filter.status === status) && (!filter.pipeline || filter.pipeline === pipeline);
}
