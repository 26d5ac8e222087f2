/** Computes the timeline of a job from its history: one bar for each wait, attempt, model output, tool call and subtask. */

/** @import { HistoryEntry, JobDetail } from "../../../../../../docs/api/types" */

import { sentenceCase } from "../../app/labels.js";

/** @typedef {"waiting" | "running" | "done" | "failed" | "cancelled"} BarStatus */
/**
 * A bar. Times are in milliseconds since 1970; `end` of something that still runs is the present time. `known` is false if
 * the events do not tell exactly when it ended. `depth` is 0 for the job's waits and attempts, 1 for what is inside one.
 * @typedef {object} Bar
 * @property {string} id
 * @property {"queue" | "attempt" | "wait" | "first-text" | "text" | "tool" | "subtask" | "retry"} kind
 * @property {string} label
 * @property {0 | 1} depth
 * @property {number} begin
 * @property {number} end
 * @property {BarStatus} status
 * @property {boolean} known
 * @property {readonly (readonly [string, string])[]} facts
 */
/** @typedef {{ begin: number, end: number, bars: readonly Bar[] }} Timeline */

/** Resets inside an attempt: the stage continues, and calls the model again. */
const SAME_ATTEMPT = new Set(["REPAIR", "RESTARTED"]);
const ENDS = Object.freeze({ complete: "done", error: "failed", cancelled: "cancelled" });

/**
 * @param {Pick<JobDetail, "createdAt" | "endedAt">} job
 * @param {readonly HistoryEntry[]} history in any order
 * @param {number} now milliseconds since 1970
 * @returns {Timeline}
 */
export function timelineOf({ createdAt, endedAt }, history, now) {
  const entries = [...history].sort((a, b) => a.eventId - b.eventId);
  const begin = Date.parse(createdAt);
  const last = entries.reduce((latest, each) => Math.max(latest, timeOf(each.endedAt ?? each.at)), begin);
  const over = entries.at(-1)?.type ?? "";
  const end = over in ENDS ? last : Math.max(last, endedAt === null ? now : Date.parse(endedAt));
  const builder = new Builder(begin, end, endedAt === null);
  for (const entry of entries) builder.take(entry);
  return { begin, end: Math.max(end, begin + 1), bars: builder.finish() };
}

class Builder {
  /** @type {Bar[]} */
  #bars = [];
  /** What is not over, and the moment of the newest event. */
  #end;
  #live;
  #newest;
  /** @type {Bar | null} */
  #attempt = null;
  /** @type {Bar | null} */
  #first = null;
  /** @type {Bar} */
  #queue;
  /** @type {Map<string, Bar>} */
  #parts = new Map();
  #stages = 0;

  /**
   * @param {number} begin
   * @param {number} end
   * @param {boolean} live
   */
  constructor(begin, end, live) {
    this.#end = end;
    this.#live = live;
    this.#newest = begin;
    this.#queue = this.#bar({ id: "queue", kind: "queue", label: "Queue", depth: 0, begin, status: "waiting" });
  }

  /** @param {HistoryEntry} entry */
  take(entry) {
    // Clocks of two functions may differ by a few milliseconds: no bar has a negative length.
    const at = Math.max(this.#newest, timeOf(entry.at));
    if (this.#stages === 0 && entry.type !== "reset") this.#close(this.#queue, at, "done");
    if (entry.type === "stage") this.#beginAttempt(entry, at);
    else if (entry.type === "reset") this.#reset(entry, at);
    else if (entry.type === "text") this.#text(entry, at);
    else if (entry.type === "tool" || entry.type === "subtask") this.#part(entry, at);
    else this.#endAll(at, ENDS[entry.type]);
    this.#newest = Math.max(at, timeOf(entry.endedAt ?? entry.at));
    if (entry.type !== "reset") this.#stages += 1;
  }

  finish() {
    for (const bar of this.#bars) {
      if (bar.status !== "running" && bar.status !== "waiting") continue;
      bar.end = this.#end;
      if (!this.#live) bar.status = "done";
    }
    return this.#bars;
  }

  /** @param {Omit<Bar, "end" | "known" | "facts"> & Partial<Bar>} fields */
  #bar(fields) {
    const bar = { end: this.#end, known: true, facts: [], ...fields };
    this.#bars.push(bar);
    return bar;
  }

  /**
   * @param {Bar | null} bar
   * @param {number} at
   * @param {BarStatus} status
   */
  #close(bar, at, status) {
    if (bar === null || (bar.status !== "running" && bar.status !== "waiting")) return;
    bar.end = Math.max(bar.begin, at);
    bar.status = status;
  }

  /**
   * @param {HistoryEntry} entry
   * @param {number} at
   */
  #beginAttempt({ eventId, stage, attempt }, at) {
    this.#endAll(at, "done");
    const name = sentenceCase(stage ?? "stage");
    const label = (attempt ?? 1) > 1 ? `${name}, attempt ${attempt}` : name;
    const facts = /** @type {const} */ ([["Stage", name], ["Attempt", String(attempt ?? 1)]]);
    this.#attempt = this.#bar({ id: `attempt-${eventId}`, kind: "attempt", label, depth: 0, begin: at, status: "running", facts });
    this.#await(eventId, at);
  }

  /**
   * The time without text: between a call of the model and its first text the log has no event. A stage that ends without
   * text may not have called the model at all, so it keeps no such bar.
   * @param {number} id
   * @param {number} at
   */
  #await(id, at) {
    this.#first = this.#bar({ id: `first-${id}`, kind: "first-text", label: "No text yet", depth: 1, begin: at, status: "waiting" });
  }

  /**
   * @param {HistoryEntry} entry
   * @param {number} at
   */
  #text({ eventId, endedAt, characters }, at) {
    if (this.#first?.status === "waiting") this.#first.label = "Before the first text";
    this.#close(this.#first, at, "done");
    const end = Math.max(at, timeOf(endedAt ?? new Date(at).toISOString()));
    const speed = perSecond(characters ?? 0, end - at);
    this.#bar({
      ...{ id: `text-${eventId}`, kind: "text", label: "Model output", depth: 1, begin: at, end, status: "done" },
      facts: [["Characters", String(characters ?? 0)], ...(speed === null ? [] : [/** @type {const} */ (["Characters per second", String(speed)])])],
    });
  }

  /**
   * @param {HistoryEntry} entry
   * @param {number} at
   */
  #part({ eventId, type, key, title, status }, at) {
    const id = `${type}-${key ?? eventId}`;
    const open = this.#parts.get(id);
    if (open && status !== "started") {
      this.#close(open, at, status === "failed" ? "failed" : "done");
      this.#parts.delete(id);
      return;
    }
    const kind = type === "tool" ? "tool" : "subtask";
    const begun = status === "started";
    const bar = this.#bar({
      ...{ id: `${id}-${eventId}`, kind, label: title ?? key ?? kind, depth: 1, begin: at, end: begun ? this.#end : at },
      ...{ status: begun ? "running" : status === "failed" ? "failed" : "done", known: begun },
      facts: key === null ? [] : [["Key", key]],
    });
    if (begun) this.#parts.set(id, bar);
  }

  /**
   * @param {HistoryEntry} entry
   * @param {number} at
   */
  #reset({ eventId, reason, message, attempt }, at) {
    if (SAME_ATTEMPT.has(reason ?? "")) {
      if (this.#first?.status === "waiting") this.#first.label = "No text";
      this.#close(this.#first, at, "failed");
      this.#await(eventId, at);
      return;
    }
    // The log has no event for the failure itself: it happened after the newest event and before this one.
    const since = this.#newest;
    const resumed = reason === "RESUMED";
    this.#endAll(resumed ? since : at, "failed");
    if (this.#attempt !== null && !resumed) {
      this.#attempt.end = since;
      this.#attempt.known = false;
      this.#attempt.facts = [...this.#attempt.facts, ["Error", reason ?? ""], ["Message", message ?? ""]];
    }
    for (const bar of this.#bars) if (bar.depth === 1 && bar.end > since && bar.begin <= since) bar.end = since;
    this.#bar({
      ...{ id: `retry-${eventId}`, kind: resumed ? "wait" : "retry", depth: 0, begin: since, end: at, status: "done", known: false },
      label: resumed ? "Ended, until it was resumed" : `Failure and wait before attempt ${attempt ?? ""}`.trim(),
      facts: resumed ? [] : [["Reason", reason ?? ""], ["Message", message ?? ""]],
    });
    this.#attempt = null;
  }

  /**
   * @param {number} at
   * @param {BarStatus} status
   */
  #endAll(at, status) {
    if (this.#first?.status === "waiting") {
      this.#first.label = "No text";
      if (status === "done") this.#bars = this.#bars.filter((bar) => bar !== this.#first);
    }
    this.#close(this.#first, at, status);
    this.#close(this.#attempt, at, status);
    for (const part of this.#parts.values()) this.#close(part, at, status);
    this.#parts.clear();
    this.#first = null;
  }
}

/** @param {string} iso */
function timeOf(iso) {
  return Date.parse(iso);
}

/**
 * @param {number} count
 * @param {number} milliseconds
 */
export function perSecond(count, milliseconds) {
  return milliseconds < 200 ? null : Math.round((count * 1000) / milliseconds);
}

/**
 * The figures of a job at this moment. `firstTextMs` counts from the job's creation; a number is null if it is not known.
 * @param {Pick<JobDetail, "createdAt" | "endedAt" | "maxRetries">} job
 * @param {readonly HistoryEntry[]} history
 * @param {{ retryCount: number, outcome: string | null, usage: { outputTokens: number, unreportedCalls: number } | null }} view
 * @param {number} now
 */
export function figuresOf(job, history, view, now) {
  const { begin, end } = timelineOf(job, history, now);
  const texts = history.filter(({ type }) => type === "text");
  const first = texts[0];
  const last = texts.at(-1);
  const writing = texts.reduce((sum, { at, endedAt }) => sum + timeOf(endedAt ?? at) - timeOf(at), 0);
  // Before the end, the events tell characters only.
  const reported = view.outcome !== null && view.usage !== null && view.usage.unreportedCalls === 0;
  return {
    elapsedMs: end - begin,
    firstTextMs: first === undefined ? null : Math.max(0, timeOf(first.at) - begin),
    charactersPerSecond: last === undefined ? null : perSecond(last.characters ?? 0, timeOf(last.endedAt ?? last.at) - timeOf(last.at)),
    tokensPerSecond: reported && view.usage ? perSecond(view.usage.outputTokens, writing) : null,
    retriesLeft: view.outcome === null ? Math.max(0, job.maxRetries - view.retryCount) : null,
  };
}
