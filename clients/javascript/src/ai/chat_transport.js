/** A transport of the AI SDK: each answer of a chat is a job, which survives lost connections, reloads and closed pages. */

/** @import { ChatRequestOptions, ChatTransport, UIMessage, UIMessageChunk } from "ai" */
/** @import { JobAccepted, JobDetail } from "../../../../docs/api/types" */
/** @import { Millrace } from "../millrace.js" */
/** @import { Watch } from "../millrace/watch.js" */

import { abortable } from "../millrace/calls.js";
import { Refused, Unreachable } from "../millrace/errors.js";
import { sessionStorageOrNull } from "../millrace/tab.js";
import { EMPTY_VIEW, fold } from "../millrace/view.js";
import { ChatChunks } from "./chat_chunks.js";

const KEY = "millrace.chat";
const NOT_FOUND = 404;
const CONFLICT = 409;

/**
 * What a chat asks for. `text` is the text of the last message of the user. If the creation of a job has failed, the next
 * request with the same message has the same `idempotencyKey`.
 * @typedef {{ chatId: string, text: string, messages: UIMessage[], trigger: "submit-message" | "regenerate-message",
 *   messageId: string | undefined, idempotencyKey: string } & ChatRequestOptions} ChatRequest
 */
/**
 * @typedef {object} ChatOptions
 * @property {Millrace} millrace
 * @property {(request: ChatRequest) => Promise<JobAccepted>} createJob creates the job whose text is the answer
 * @property {(chatId: string) => Promise<string | JobDetail | null>} [activeJob] returns the job that answers now; null if
 *   there is none. By default, the transport follows the last job that it has created in this chat
 * @property {boolean} [cancelOnStop] whether `stop` of a chat cancels the job, false by default: `useChat` calls `stop` too
 *   when its component is removed
 * @property {Pick<Storage, "getItem" | "setItem" | "removeItem"> | null} [storage] where the id of a chat's last job is
 *   kept; `sessionStorage` by default, which survives a reload
 */

/** @implements {ChatTransport<UIMessage>} */
export class MillraceChatTransport {
  /** A stream that is resumed begins with the start of the answer. */
  resumeStreamIsReplay = true;

  #millrace;
  #createJob;
  #activeJob;
  #cancelOnStop;
  #storage;
  /** The last job of each chat. @type {Map<string, string>} */
  #jobs = new Map();
  /** For each chat, the message whose job could not be created, and the key of that request. @type {Map<string, { asked: string, key: string }>} */
  #failed = new Map();

  /** @param {ChatOptions} options */
  constructor({ millrace, createJob, activeJob, cancelOnStop = false, storage = sessionStorageOrNull() }) {
    this.#millrace = millrace;
    this.#createJob = createJob;
    this.#activeJob = activeJob ?? (async (/** @type {string} */ chatId) => this.jobOf(chatId));
    this.#cancelOnStop = cancelOnStop;
    this.#storage = storage;
  }

  /**
   * Return the id of the last job that this transport has created in the chat; null if there is none.
   * @param {string} chatId
   * @returns {string | null}
   */
  jobOf(chatId) {
    return this.#jobs.get(chatId) ?? this.#storage?.getItem(`${KEY}.${chatId}`) ?? null;
  }

  /**
   * Cancel the job that answers in this chat. The answer ends with the text so far. Throws the error of the request; a job
   * that has already ended is no error.
   * @param {string} chatId
   */
  async cancel(chatId) {
    const job = await this.#activeJob(chatId);
    if (job !== null) await this.#cancelJob(typeof job === "string" ? job : job.jobId);
  }

  /**
   * Create the job of an answer, and return its chunks. An aborted request does not abort the creation: the job answers, and
   * `reconnectToStream` finds it.
   * @param {Parameters<ChatTransport<UIMessage>["sendMessages"]>[0]} request
   * @returns {ReturnType<ChatTransport<UIMessage>["sendMessages"]>}
   */
  async sendMessages({ abortSignal, ...request }) {
    const accepted = this.#create(request);
    this.#cancelOn(abortSignal, accepted);
    return this.#stream(await abortable(accepted, abortSignal), abortSignal);
  }

  /**
   * Return the chunks of the job that answers in this chat, from its first event on; null if there is none.
   * @param {Parameters<ChatTransport<UIMessage>["reconnectToStream"]>[0]} request
   * @returns {ReturnType<ChatTransport<UIMessage>["reconnectToStream"]>}
   */
  async reconnectToStream({ chatId, abortSignal }) {
    const active = await abortable(this.#activeJob(chatId), abortSignal);
    if (active === null) return null;
    const options = abortSignal ? { signal: abortSignal } : {};
    try {
      const job = typeof active === "string" ? await this.#millrace.getJob(active, options) : active;
      this.#cancelOn(abortSignal, Promise.resolve(job));
      return this.#stream(job, abortSignal);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== NOT_FOUND) throw error;
      this.#forget(chatId);
      return null;
    }
  }

  // ---- internals -----------------------------------------------------------------------------------------------------

  /** @param {Omit<ChatRequest, "text" | "idempotencyKey">} request */
  async #create(request) {
    const { chatId, messages } = request;
    const asked = JSON.stringify(messages.at(-1) ?? null);
    const failed = this.#failed.get(chatId);
    const key = failed?.asked === asked ? failed.key : crypto.randomUUID();
    this.#failed.set(chatId, { asked, key });
    const job = await this.#createJob({ ...request, text: textOfUser(messages), idempotencyKey: key });
    this.#failed.delete(chatId);
    this.#jobs.set(chatId, job.jobId);
    this.#storage?.setItem(`${KEY}.${chatId}`, job.jobId);
    return job;
  }

  /** @param {string} chatId */
  #forget(chatId) {
    this.#jobs.delete(chatId);
    this.#storage?.removeItem(`${KEY}.${chatId}`);
  }

  /**
   * @param {AbortSignal | undefined} signal
   * @param {Promise<JobAccepted | JobDetail>} job
   */
  #cancelOn(signal, job) {
    if (!this.#cancelOnStop) return;
    const cancel = () => void job.then(({ jobId }) => this.#cancelJob(jobId)).catch(() => {});
    signal?.addEventListener("abort", cancel, { once: true });
  }

  /** @param {string} jobId */
  async #cancelJob(jobId) {
    try {
      await this.#millrace.cancelJob(jobId);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== CONFLICT) throw error;
    }
  }

  /**
   * @param {JobAccepted | JobDetail} job
   * @param {AbortSignal | undefined} signal
   * @returns {ReadableStream<UIMessageChunk>}
   */
  #stream(job, signal) {
    const watch = this.#millrace.newWatch();
    const chunks = chunksOf(watch, job.jobId, signal);
    // The watch keeps events for iterations that have begun.
    const first = chunks.next();
    void watch.connect(job);
    let begun = false;
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await (begun ? chunks.next() : first);
        begun = true;
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        watch.stop();
      },
    });
  }
}

/**
 * Follow the job to its end, and yield the chunks of the answer. Throws the signal's reason, or a TypeError as the one of a
 * `fetch` whose network has failed, for which a chat resumes the stream by itself when its page is shown again.
 * @param {Watch} watch
 * @param {string} jobId
 * @param {AbortSignal | undefined} signal
 * @returns {AsyncGenerator<UIMessageChunk, void, undefined>}
 */
async function* chunksOf(watch, jobId, signal) {
  const chunks = new ChatChunks(jobId);
  const events = watch.events(signal ? { signal } : {});
  let view = EMPTY_VIEW;
  try {
    yield* chunks.start();
    for await (const { id, at, event } of events) {
      view = fold(view, id, event, at);
      yield* chunks.add(id, event, view);
    }
  } catch (error) {
    signal?.throwIfAborted();
    const { problem } = watch;
    if (problem?.kind === "refused") return void (yield* chunks.refused(problem));
    if (!(error instanceof Unreachable)) throw error;
    throw new TypeError("network error: the job cannot be followed", { cause: error });
  } finally {
    watch.stop();
  }
  if (watch.view.outcome !== null) yield* chunks.end(watch.view, view.lastEventId);
}

/**
 * Return the text of the last message of the user.
 * @param {readonly UIMessage[]} messages
 * @returns {string}
 */
export function textOfUser(messages) {
  const parts = messages.findLast(({ role }) => role === "user")?.parts ?? [];
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
}
