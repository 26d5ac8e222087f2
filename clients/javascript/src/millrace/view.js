/** The view of a job: an immutable value into which every event of the log is folded once, in order. */

/** @import { ChunkRendered, ComponentStage, Failed, Fault, FontsNeeded, Item, JobDetail, JobUsage, PipelineInputs, PipelineResults, RenderQueued, Reset, SceneStatus, StreamEvent, Subtask, Tool } from "../../../../docs/api/types" */

import { noteAppended } from "./text_growth.js";

/**
 * A stage. Times are in milliseconds since 1970; null if the watch began later and so does not know the time.
 * @typedef {{ name: string, index: number, of: number, attempt: number, status: StageStatus,
 *   startedAt: number | null, endedAt: number | null }} StageView
 */
/** @typedef {ComponentStage | SceneStatus | ChunkRendered | FontsNeeded | RenderQueued} ApplicationEvent an event that only jobs of one application have */
/** @typedef {"running" | "done" | "failed" | "cancelled"} StageStatus */
/** @typedef {Pick<Reset, "reason" | "message" | "attempt" | "retryCount"> & { id: number }} ResetNote */
/** @typedef {Pick<Failed, "code" | "message" | "stage" | "attempt" | "retryable" | "requestId" | "traceId">} JobFailure */
/**
 * The input of a job of this pipeline. Pipelines that this client does not know take any object.
 * @template {string} [P=string]
 * @typedef {P extends keyof PipelineInputs ? PipelineInputs[P] : object} InputOf
 */
/**
 * The result of a job of this pipeline.
 * @template {string} [P=string]
 * @typedef {P extends keyof PipelineResults ? PipelineResults[P] : Record<string, unknown>} ResultOf
 */
/**
 * What is known of a job, of the pipeline `P`.
 * @template {string} [P=string]
 * @typedef {object} JobView
 * @property {string | null} jobId
 * @property {string | null} pipeline
 * @property {number} lastEventId the view contains every event up to this one
 * @property {string} text
 * @property {number} progress 0–100
 * @property {string | null} stage
 * @property {readonly StageView[]} stages
 * @property {readonly Item[]} items
 * @property {readonly Tool[]} tools
 * @property {readonly Subtask[]} subtasks
 * @property {readonly ResetNote[]} resets
 * @property {readonly ApplicationEvent[]} news the newest one of the application's own events with each type and key
 * @property {number} attempt
 * @property {number} retryCount
 * @property {"complete" | "error" | "cancelled" | null} outcome
 * @property {ResultOf<P> | null} result
 * @property {JobUsage | null} usage
 * @property {JobFailure | null} failure
 */

/** An event is missing: the id of the received event is not the next one. */
export class Gap extends Error {
  /**
   * @param {number} last the id of the last event in the view
   * @param {number} received
   */
  constructor(last, received) {
    super(`event ${received} arrived after event ${last}`);
    this.name = "Gap";
  }
}

/** @type {JobView} */
export const EMPTY_VIEW = Object.freeze({
  jobId: null,
  pipeline: null,
  lastEventId: 0,
  text: "",
  progress: 0,
  stage: null,
  stages: [],
  items: [],
  tools: [],
  subtasks: [],
  resets: [],
  news: [],
  attempt: 1,
  retryCount: 0,
  outcome: null,
  result: null,
  usage: null,
  failure: null,
});

/**
 * Return the view with one more event. An event that the view already contains changes nothing. Throws Gap if an event is
 * missing.
 * @param {JobView} view
 * @param {number | null} id null for `connected`, which is not in the log
 * @param {StreamEvent} event
 * @param {number | null} at the time of the event in milliseconds since 1970; null if it is unknown
 * @returns {JobView}
 */
export function fold(view, id, event, at) {
  if (event.type === "connected") return continued(view, { ...view, jobId: event.jobId, pipeline: event.pipeline }, event);
  if (id === null) return view;
  if (id <= view.lastEventId) return view;
  if (id !== view.lastEventId + 1 && event.type !== "snapshot") throw new Gap(view.lastEventId, id);
  return continued(view, { ...view, ...changes(view, id, event, at), lastEventId: id }, event);
}

/**
 * Return `after`, the view with one more event, and note what the event has appended to the text, unless it replaces the text.
 * @param {JobView} before
 * @param {JobView} after
 * @param {StreamEvent} event
 */
function continued(before, after, event) {
  if (event.type !== "reset" && event.type !== "snapshot") noteAppended(before, after, event.type === "delta" ? event.text : "");
  return after;
}

/**
 * @param {JobView} view
 * @param {number} id
 * @param {Exclude<StreamEvent, { type: "connected" }>} event
 * @param {number | null} at
 * @returns {Partial<JobView>}
 */
function changes(view, id, event, at) {
  switch (event.type) {
    case "stage": {
      const { stage: name, index, of, attempt } = event;
      return { stage: name, attempt, stages: startStage(view.stages, { name, index, of, attempt }, at) };
    }
    case "progress":
      return { progress: event.progress };
    case "delta":
      return { text: view.text + event.text };
    case "item":
      return { items: withNewest(view.items, event) };
    case "tool":
      return { tools: [...view.tools, event], subtasks: withTool(view.subtasks, event) };
    case "subtask":
      return { subtasks: withNewest(view.subtasks, event) };
    case "reset": {
      const { text, progress, reason, message, attempt, retryCount } = event;
      const resets = [...view.resets, { id, reason, message, attempt, retryCount }];
      // A resumed job appends to the log in which it had ended.
      const reopened = { outcome: null, result: null, failure: null };
      // The next attempt begins the unfinished subtasks again, or not at all.
      const subtasks = view.subtasks.filter(({ status }) => status === "finished" || status === "failed");
      return { text, progress, attempt, retryCount, resets, subtasks, ...reopened, stages: reopen(view.stages) };
    }
    case "snapshot": {
      const { text, progress, stage, items, subtasks } = event;
      return { text, progress, stage, items, subtasks, outcome: null, failure: null };
    }
    case "complete": {
      const stages = endStages(view.stages, "done", at);
      return { outcome: "complete", progress: 100, result: event.result, usage: event.usage, stages };
    }
    case "error":
      return { outcome: "error", failure: event, usage: event.usage, stages: endStages(view.stages, "failed", at) };
    case "cancelled":
      return { outcome: "cancelled", usage: event.usage, stages: endStages(view.stages, "cancelled", at) };
    default:
      // An event of the application, or of a newer server. Its id counts, so that the next event is not a gap.
      return { news: withNews(view.news, event) };
  }
}

/**
 * @param {readonly ApplicationEvent[]} news
 * @param {ApplicationEvent} event
 */
function withNews(news, event) {
  return [...news.filter(({ type, key }) => type !== event.type || key !== event.key), event];
}

/**
 * Return a tool call as the subtask that it is; null for a call without a key.
 * @param {Tool} call
 * @returns {Subtask | null}
 */
function subtaskOf({ key, title, name, status }) {
  return key === null ? null : { type: "subtask", key, title: title ?? name, status, progress: null };
}

/**
 * @param {readonly Subtask[]} subtasks
 * @param {Tool} call
 */
function withTool(subtasks, call) {
  const subtask = subtaskOf(call);
  return subtask === null ? subtasks : withNewest(subtasks, subtask);
}

/**
 * Return the items or subtasks with the newest event of one of them, which keeps its place. The key identifies it.
 * @template {{ key: string }} T
 * @param {readonly T[]} all
 * @param {T} event
 * @returns {readonly T[]}
 */
function withNewest(all, event) {
  const known = all.some(({ key }) => key === event.key);
  return known ? all.map((each) => (each.key === event.key ? event : each)) : [...all, event];
}

/**
 * Return the view of a job from the API's response.
 * @param {JobDetail} job
 * @returns {JobView}
 */
export function viewOf(job) {
  /** @type {Partial<Record<string, JobView["outcome"]>>} */
  const outcomes = { completed: "complete", failed: "error", cancelled: "cancelled" };
  return {
    ...EMPTY_VIEW,
    ...pastOf(job),
    jobId: job.jobId,
    pipeline: job.pipeline,
    lastEventId: job.lastEventId,
    text: job.text,
    progress: job.progress,
    stage: job.stage,
    items: job.items,
    subtasks: job.subtasks,
    attempt: job.attempt,
    retryCount: job.retryCount,
    outcome: outcomes[job.status] ?? null,
    result: job.result,
    usage: job.usage,
    failure: job.failure && failureOf(job.failure, job.requestId),
  };
}

/**
 * Return the stages with their times, and the resets, that the history of the API's response tells.
 * @param {JobDetail} job
 * @returns {Pick<JobView, "stages" | "resets">}
 */
function pastOf({ history = [], retryCount }) {
  /** @type {StageView[]} */
  let stages = [];
  /** @type {ResetNote[]} */
  const resets = [];
  for (const { type, at, stage, attempt, reason, message, eventId, retryCount: retries } of history) {
    const time = Date.parse(at);
    if (type === "stage" && stage !== null) {
      const known = stages.find(({ name }) => name === stage);
      const index = known?.index ?? stages.length + 1;
      stages = startStage(stages, { name: stage, index, of: Math.max(index, stages.length), attempt: attempt ?? 1 }, time);
    } else if (type === "reset") {
      const noted = { reason: /** @type {Reset["reason"]} */ (reason ?? "RESTARTED"), message: message ?? "" };
      resets.push({ id: eventId, ...noted, attempt: attempt ?? 1, retryCount: retries ?? retryCount });
      stages = reopen(stages);
    } else if (type === "complete") stages = endStages(stages, "done", time);
    else if (type === "error") stages = endStages(stages, "failed", time);
    else if (type === "cancelled") stages = endStages(stages, "cancelled", time);
  }
  return { stages, resets };
}

/**
 * @param {Fault} fault
 * @param {string | null} requestId
 * @returns {JobFailure}
 */
function failureOf(fault, requestId) {
  const { code, message, stage, attempt, retryable, traceId } = fault;
  return { code, message, stage, attempt, retryable, requestId, traceId };
}

/**
 * @param {readonly StageView[]} stages
 * @param {Pick<StageView, "name" | "index" | "of" | "attempt">} started
 * @param {number | null} at
 * @returns {StageView[]}
 */
function startStage(stages, started, at) {
  const before = stages.filter((each) => each.index < started.index).map((each) => ended(each, "done", at));
  const same = stages.find((each) => each.name === started.name);
  return [...before, { ...started, status: "running", startedAt: same?.startedAt ?? at, endedAt: null }];
}

/**
 * @param {readonly StageView[]} stages
 * @param {StageStatus} status
 * @param {number | null} at
 */
function endStages(stages, status, at) {
  return stages.map((each) => ended(each, status, at));
}

/**
 * @param {StageView} stage
 * @param {StageStatus} status
 * @param {number | null} at
 * @returns {StageView}
 */
function ended(stage, status, at) {
  return stage.status === "running" ? { ...stage, status, endedAt: at } : stage;
}

/** @param {readonly StageView[]} stages */
function reopen(stages) {
  return stages.map((each) =>
    each.status === "done" ? each : { ...each, status: /** @type {const} */ ("running"), endedAt: null },
  );
}
