/** Writes the events of a job as the chunks of one message of the AI SDK. */

/** @import { UIMessageChunk } from "ai" */
/** @import { StreamEvent, Tool } from "../../../../docs/api/types" */
/** @import { JobView } from "../millrace/view.js" */
/** @import { Problem } from "../millrace/watch.js" */

/** @typedef {Exclude<StreamEvent, { type: "connected" }>} LogEvent */
/** @typedef {{ kind: "text", id: string, text: string }} TextPart */
/** @typedef {{ kind: "tool", id: string, started: Tool | null, ended: Tool | null }} ToolPart */
/** @typedef {{ kind: "data", type: `data-${string}`, id: string, data: unknown }} DataPart */
/** @typedef {TextPart | ToolPart | DataPart} Part */

/**
 * The parts of a message, in their order. Each method returns the chunks that bring the message up to date.
 *
 * A `reset` of the job removes text that the message already has. The chunk `reset-step` removes all parts of the message,
 * and the parts that are kept are written again.
 */
export class ChatChunks {
  /** @type {Part[]} */
  #parts = [];
  /** The text part to which the next delta is appended. @type {TextPart | null} */
  #open = null;
  #texts = 0;
  #jobId;

  /** @param {string} jobId the message has this id, so that a stream that is read again replaces it */
  constructor(jobId) {
    this.#jobId = jobId;
  }

  /** @returns {UIMessageChunk[]} */
  start() {
    return [{ type: "start", messageId: this.#jobId, messageMetadata: { jobId: this.#jobId } }, { type: "start-step" }];
  }

  /**
   * Return the chunks for one event.
   * @param {number} id of the event
   * @param {LogEvent} event
   * @param {JobView} view with this event
   * @returns {UIMessageChunk[]}
   */
  add(id, event, view) {
    switch (event.type) {
      case "delta":
        return this.#append(event.text);
      case "tool":
        return this.#tool(id, event);
      case "item":
        return this.#data("data-item", event.key, { stage: event.stage, data: event.data });
      case "subtask": {
        const { key, title, status, progress } = event;
        return this.#data("data-subtask", key, { title, status, progress });
      }
      case "stage":
      case "progress":
        return [progressOf(view)];
      case "reset": {
        const { reason, message, attempt, retryCount } = event;
        const noted = { type: /** @type {const} */ ("data-reset"), data: { reason, message, attempt, retryCount } };
        return [...this.#become(view), { ...noted, transient: true }, progressOf(view)];
      }
      case "snapshot":
        return [...this.#become(view), progressOf(view)];
      case "complete":
      case "error":
      case "cancelled":
        return [];
      default: {
        const { type, key, ...data } = /** @type {{ type: string, key?: string }} */ (event);
        return this.#data(`data-${type}`, key ?? type, data);
      }
    }
  }

  /**
   * Return the last chunks of a job that has ended.
   * @param {JobView} view
   * @param {number} lastEventId of the events that were added; the view may have more from the API's response
   * @returns {UIMessageChunk[]}
   */
  end(view, lastEventId) {
    const { outcome, result, usage, failure, pipeline } = view;
    const chunks = lastEventId === view.lastEventId ? [] : this.#become(view);
    chunks.push(...this.#close());
    if (outcome === "error") {
      const message = failure?.message ?? "The job has failed.";
      return [...chunks, ...this.#data("data-failure", "failure", failure), { type: "error", errorText: message }];
    }
    if (outcome === "complete") chunks.push(...this.#data("data-result", "result", result));
    const finishReason = outcome === "complete" ? "stop" : "interrupted";
    const messageMetadata = { jobId: this.#jobId, pipeline, usage };
    return [...chunks, { type: "finish-step" }, { type: "finish", finishReason, messageMetadata }];
  }

  /**
   * Return the last chunks of a job that cannot be followed any longer, because the API has refused it.
   * @param {Problem} problem
   * @returns {UIMessageChunk[]}
   */
  refused({ message, code, retryable, requestId }) {
    const failure = { message, code, retryable, requestId };
    return [
      ...this.#close(),
      ...this.#data("data-failure", "failure", failure),
      { type: "error", errorText: message },
    ];
  }

  // ---- parts ---------------------------------------------------------------------------------------------------------

  #text() {
    return this.#parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
  }

  /**
   * @param {string} text
   * @returns {UIMessageChunk[]}
   */
  #append(text) {
    if (text === "") return [];
    /** @type {UIMessageChunk[]} */
    const chunks = [];
    if (this.#open === null) {
      this.#texts += 1;
      this.#open = { kind: "text", id: `text-${this.#texts}`, text: "" };
      this.#parts.push(this.#open);
      chunks.push({ type: "text-start", id: this.#open.id });
    }
    this.#open.text += text;
    chunks.push({ type: "text-delta", id: this.#open.id, delta: text });
    return chunks;
  }

  /** @returns {UIMessageChunk[]} */
  #close() {
    if (this.#open === null) return [];
    const { id } = this.#open;
    this.#open = null;
    return [{ type: "text-end", id }];
  }

  /**
   * Add a tool call, or its end. Text that follows it is another part, so that a message shows both in their order.
   * @param {number} id
   * @param {Tool} tool
   * @returns {UIMessageChunk[]}
   */
  #tool(id, tool) {
    const { key, title, name, status } = tool;
    // After a snapshot, a call may be known as the subtask that it is.
    if (key !== null && this.#find("data-subtask", key)) {
      return this.#data("data-subtask", key, { title: title ?? name, status, progress: null });
    }
    let part = this.#call(tool);
    const chunks = this.#close();
    if (part === undefined) {
      part = { kind: "tool", id: key ?? `${name}-${id}`, started: null, ended: null };
      this.#parts.push(part);
    }
    const known = part.started !== null || part.ended !== null;
    if (status === "started") Object.assign(part, { started: tool, ended: null });
    else part.ended = tool;
    const written = chunksOfTool(part);
    return [...chunks, ...(known && part.ended !== null ? written.slice(-1) : written)];
  }

  /**
   * Return the call to which the event belongs: the one with its key, or, without a key, the last one of this name that has
   * not ended.
   * @param {Tool} tool
   */
  #call({ key, name, status }) {
    const calls = this.#parts.filter((part) => part.kind === "tool");
    if (key !== null) return calls.find((call) => call.id === key);
    if (status === "started") return undefined;
    return calls.findLast(({ started, ended }) => started?.key === null && started.name === name && ended === null);
  }

  /**
   * @param {`data-${string}`} type
   * @param {string} id
   * @param {unknown} data
   * @returns {UIMessageChunk[]}
   */
  #data(type, id, data) {
    const part = this.#find(type, id);
    if (part) part.data = data;
    else this.#parts.push({ kind: "data", type, id, data });
    return [{ type, id, data }];
  }

  /**
   * @param {`data-${string}`} type
   * @param {string} id
   */
  #find(type, id) {
    const found = this.#parts.find((part) => part.kind === "data" && part.type === type && part.id === id);
    return /** @type {DataPart | undefined} */ (found);
  }

  /**
   * Return the chunks that give the message the text of the view, and its items and subtasks. Calls that have ended are kept.
   * @param {JobView} view
   * @returns {UIMessageChunk[]}
   */
  #become(view) {
    const subtasks = new Map(view.subtasks.map((subtask) => [subtask.key, subtask]));
    const before = this.#text();
    if (!before.startsWith(view.text) && !view.text.startsWith(before)) {
      this.#parts = this.#parts.filter(({ kind }) => kind !== "text");
    }
    this.#cut(view.text.length);
    this.#parts = this.#parts.filter((part) => {
      if (part.kind === "tool") return part.ended !== null;
      return part.kind === "text" || part.type !== "data-subtask" || subtasks.has(part.id);
    });
    this.#open = null;
    const kept = this.#text();
    const last = this.#parts.findLast(({ kind }) => kind !== "data");
    if (last?.kind === "text") {
      this.#open = last;
      last.text += view.text.slice(kept.length);
    } else this.#append(view.text.slice(kept.length));
    for (const { key, stage, data } of view.items) this.#data("data-item", key, { stage, data });
    const calls = new Set(this.#parts.flatMap((part) => (part.kind === "tool" ? [part.id] : [])));
    for (const { key, title, status, progress } of subtasks.values()) {
      // A tool call is a subtask too, and is written as a call.
      if (!calls.has(key)) this.#data("data-subtask", key, { title, status, progress });
    }
    return [{ type: "reset-step" }, ...this.#parts.flatMap((part) => this.#chunksOf(part))];
  }

  /**
   * Remove the text after the first `length` code units.
   * @param {number} length
   */
  #cut(length) {
    let left = length;
    for (const part of this.#parts) {
      if (part.kind !== "text") continue;
      part.text = part.text.slice(0, left);
      left -= part.text.length;
    }
    this.#parts = this.#parts.filter((part) => part.kind !== "text" || part.text !== "");
  }

  /**
   * @param {Part} part
   * @returns {UIMessageChunk[]}
   */
  #chunksOf(part) {
    if (part.kind === "data") return [{ type: part.type, id: part.id, data: part.data }];
    if (part.kind === "tool") return chunksOfTool(part);
    const { id, text } = part;
    /** @type {UIMessageChunk[]} */
    const chunks = [
      { type: "text-start", id },
      { type: "text-delta", id, delta: text },
    ];
    return part === this.#open ? chunks : [...chunks, { type: "text-end", id }];
  }
}

/**
 * @param {JobView} view
 * @returns {UIMessageChunk}
 */
function progressOf({ stage, progress, attempt }) {
  return { type: "data-progress", data: { stage, progress, attempt }, transient: true };
}

/**
 * @param {ToolPart} part
 * @returns {UIMessageChunk[]} the call, and its end if it has ended
 */
function chunksOfTool({ id, started, ended }) {
  const tool = /** @type {Tool} */ (started ?? ended);
  const call = { toolCallId: id, providerExecuted: true, dynamic: true };
  /** @type {UIMessageChunk[]} */
  const chunks = [
    {
      ...{ type: /** @type {const} */ ("tool-input-available"), ...call, toolName: tool.name },
      ...{ title: tool.title ?? tool.name, input: started?.detail ?? {} },
    },
  ];
  if (ended?.status === "finished") chunks.push({ type: "tool-output-available", ...call, output: ended.detail });
  if (ended?.status === "failed") chunks.push({ type: "tool-output-error", ...call, errorText: errorOf(ended) });
  return chunks;
}

/** @param {Tool} tool a call that has failed */
function errorOf({ detail, title, name }) {
  const { error } = /** @type {{ error?: { message?: string } }} */ (detail);
  return error?.message ?? `${title ?? name} failed.`;
}
