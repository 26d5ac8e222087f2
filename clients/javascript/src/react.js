/**
 * React hooks: a component shows a job, and its answer while the model writes it.
 *
 *     import { useJob, useJobObject, useNewJob } from "@millrace/client/react";
 */

/** @import { JobAccepted, JobDetail } from "../../../docs/api/types" */
/** @import { CreateOptions, JobFilter, Millrace } from "./millrace.js" */
/** @import { JobListSnapshot, JobListWatch } from "./millrace/job_list.js" */
/** @import { InputOf, JobView, ResultOf } from "./millrace/view.js" */
/** @import { Watch, WatchSnapshot } from "./millrace/watch.js" */

import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";

import { parsePartial } from "./millrace/partial_json.js";
import { viewOf } from "./millrace/view.js";
import { problemOfJob } from "./millrace/problems.js";

/**
 * A job as a component sees it: the watch's snapshot, and the watch, whose methods `cancel`, `resume` and `retry` act on the
 * job.
 * @template {string} [P=string]
 * @typedef {WatchSnapshot<P> & { watch: Watch<P> }} LiveJob
 */

/**
 * Follow a job while the component is mounted. The component renders again with each change. Components in StrictMode, which
 * mounts twice, follow the job once. Another job id begins another watch. A server renders a job from the API's response, and
 * the browser hydrates it from the same response.
 * @template {string} [P=string]
 * @param {Millrace} millrace the same object in each rendering
 * @param {string | JobAccepted | JobDetail | null} job its id, or the API's response; null follows nothing
 * @returns {LiveJob<P>}
 */
export function useJob(millrace, job) {
  const id = typeof job === "string" ? job : (job?.jobId ?? null);
  const watch = useMemo(() => /** @type {Watch<P>} */ (millrace.newWatch()), [millrace, id]);
  useEffect(() => {
    if (job === null) return;
    void watch.connect(job);
    return () => watch.stop();
    // The response of the API may be a new object in each rendering; its id says whether it is another job.
  }, [watch]);
  const first = useMemo(() => firstSnapshot(watch, job), [watch]);
  return useWatch(watch, first);
}

/**
 * Create a job when `submit` is called, and follow it while the component is mounted. A `submit` while a job is live throws.
 * @template {string} P
 * @param {Millrace} millrace the same object in each rendering
 * @param {P} pipeline
 * @returns {LiveJob<P> & { submit: (input: InputOf<P>, options?: CreateOptions) => void }}
 */
export function useNewJob(millrace, pipeline) {
  const watch = useMemo(() => /** @type {Watch<P>} */ (millrace.newWatch()), [millrace, pipeline]);
  useEffect(() => () => watch.stop(), [watch]);
  const submit = useCallback(
    (/** @type {InputOf<P>} */ input, /** @type {CreateOptions} */ options = {}) => {
      millrace.startJob(pipeline, input, { ...options, watch });
    },
    [millrace, pipeline, watch],
  );
  return { ...useWatch(watch), submit };
}

/**
 * Follow the list of the user's jobs while the component is mounted: new jobs appear, and changes are shown. Another filter
 * begins another list; a new object with the same fields does not.
 * @param {Millrace} millrace the same object in each rendering
 * @param {JobFilter} [filter]
 * @returns {JobListSnapshot & { list: JobListWatch }} `list` has the methods `loadMore`, `refresh` and `put`
 */
export function useJobs(millrace, filter = {}) {
  const key = JSON.stringify(Object.entries(filter).sort(([one], [other]) => (one < other ? -1 : 1)));
  const list = useMemo(() => millrace.newJobListWatch(Object.fromEntries(JSON.parse(key))), [millrace, key]);
  useEffect(() => {
    list.connect();
    return () => list.stop();
  }, [list]);
  const getSnapshot = () => list.snapshot;
  const snapshot = useSyncExternalStore(list.subscribe, getSnapshot, getSnapshot);
  return useMemo(() => ({ ...snapshot, list }), [snapshot, list]);
}

/**
 * Return the job's result, or, while the model writes it, what can be read of its unfinished JSON. Any part of it may be
 * missing until the job is complete. Undefined before the first value.
 * @template {string} P
 * @param {JobView<P>} view
 * @returns {ResultOf<P> | unknown}
 */
export function useJobObject({ text, result }) {
  return useMemo(() => result ?? parsePartial(text), [text, result]);
}

/**
 * @template {string} P
 * @param {Watch<P>} watch
 * @param {WatchSnapshot<P> | null} [first] what is shown until the watch knows its job
 * @returns {LiveJob<P>}
 */
function useWatch(watch, first = null) {
  const getSnapshot = () => (first !== null && watch.view.jobId === null && watch.problem === null ? first : watch.snapshot);
  const snapshot = useSyncExternalStore(watch.subscribe, getSnapshot, getSnapshot);
  return useMemo(() => ({ ...snapshot, watch }), [snapshot, watch]);
}

/**
 * Return the snapshot of a watch that has not begun, from the API's response about its job; null if that does not say enough.
 * @template {string} P
 * @param {Watch<P>} watch
 * @param {string | JobAccepted | JobDetail | null} job
 * @returns {WatchSnapshot<P> | null}
 */
function firstSnapshot(watch, job) {
  if (job === null || typeof job === "string" || !("lastEventId" in job) || (job.omitted ?? []).length > 0) return null;
  const view = /** @type {WatchSnapshot<any>["view"]} */ (viewOf(job));
  const state = view.outcome ?? "connecting";
  const problem = state === "error" ? problemOfJob(view) : null;
  return Object.freeze({ ...watch.snapshot, state, view, problem, live: view.outcome === null });
}
