/**
 * React hooks: a component shows a job, and its answer while the model writes it.
 *
 *     import { useJob, useJobObject, useNewJob } from "@millrace/client/react";
 */

/** @import { JobAccepted, JobDetail } from "../../../docs/api/types" */
/** @import { CreateOptions, Millrace } from "./millrace.js" */
/** @import { InputOf, JobView, ResultOf } from "./millrace/view.js" */
/** @import { Watch, WatchSnapshot } from "./millrace/watch.js" */

import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";

import { parsePartial } from "./millrace/partial_json.js";

/**
 * A job as a component sees it: the watch's snapshot, and the watch, whose methods `cancel`, `resume` and `retry` act on the
 * job.
 * @template {string} [P=string]
 * @typedef {WatchSnapshot<P> & { watch: Watch<P> }} LiveJob
 */

/**
 * Follow a job while the component is mounted. The component renders again with each change. Components in StrictMode, which
 * mounts twice, follow the job once. Another job id begins another watch.
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
  return useWatch(watch);
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
 * @returns {LiveJob<P>}
 */
function useWatch(watch) {
  const getSnapshot = () => watch.snapshot;
  const snapshot = useSyncExternalStore(watch.subscribe, getSnapshot, getSnapshot);
  return useMemo(() => ({ ...snapshot, watch }), [snapshot, watch]);
}
