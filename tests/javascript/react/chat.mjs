/** The transport for chats, with the AI SDK itself: `Chat`, and `useChat` in StrictMode, which mounts every component twice. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Window } from "happy-dom";

const window = new Window({ url: "http://localhost/" });
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true });

const { StrictMode, act, createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { readUIMessageStream } = await import("ai");
const { Chat, useChat } = await import("@ai-sdk/react");
const { EMPTY_VIEW, Millrace, fold } = await import("@millrace/client");
const { MillraceChatTransport, messagesOfSheet, sheetChat } = await import("@millrace/client/ai");
const { ChatChunks } = await import("./node_modules/@millrace/client/src/ai/chat_chunks.js");
const { CONNECTED, NoNetwork, frame, refusal, server, stream, success } = await import("./api.mjs");
const { seeded } = await import("./chance.mjs");

const JOB = { jobId: "job_1", status: "pending", statusUrl: "", streamUrl: "http://stream/jobs/job_1/stream" };
const USAGE = { inputTokens: 1, outputTokens: 2, costUsd: null };
const DETAIL = {
  ...{ ...JOB, pipeline: "suggestion", status: "in_progress", text: "", progress: 0, stage: null, items: [], subtasks: [] },
  ...{ lastEventId: 0, attempt: 1, retryCount: 0, result: null, usage: USAGE, failure: null, endedAt: null, startedAt: null },
};
const RESULT = { answer: 42 };
const delta = (id, text) => frame(id, { type: "delta", text });
const tool = (id, key, status, detail = {}) =>
  frame(id, { type: "tool", key, title: "Read cells", name: "read", status, detail });
const reset = (id, text) =>
  frame(id, { type: "reset", text, progress: 1, reason: "WORKER_LOST", message: "Again.", attempt: 2, retryCount: 1 });
const complete = (id) => frame(id, { type: "complete", result: RESULT, usage: USAGE });
const failed = (id) =>
  frame(id, {
    ...{ type: "error", code: "MODEL_REFUSED", message: "The model has refused.", stage: "write", attempt: 1 },
    ...{ retryable: false, requestId: null, traceId: null, usage: USAGE },
  });
const cancelled = (id) => frame(id, { type: "cancelled", stage: "write", usage: USAGE });

/** A storage as `sessionStorage`, which a reloaded page finds again. */
function storage() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

function transport(responses, options = {}) {
  const { fetch, requests, left } = server(responses);
  const millrace = new Millrace({ api: "http://api", token: "t", fetch });
  const createJob = ({ text, idempotencyKey }) => millrace.createJob("suggestion", { text }, { idempotencyKey });
  const made = new MillraceChatTransport({ millrace, createJob, storage: null, ...options });
  return { transport: made, requests, left, millrace };
}

const textOf = ({ parts }) => parts.map((part) => (part.type === "text" ? part.text : "")).join("");
const kindsOf = ({ parts }) => parts.map((part) => (part.type === "text" ? part.text : part.type));

/** Wait until the condition is true; the chat says when it has changed nothing more by its promise, not here. */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("an answer is a job: its text, its calls in their places, its result, its usage", async () => {
  const events = [
    ...[CONNECTED, frame(1, { type: "stage", stage: "write", index: 1, of: 1, attempt: 1 }), delta(2, "One ")],
    ...[tool(3, "call-1", "started"), tool(4, "call-1", "finished", { summary: "3 cells" }), delta(5, "two"), delta(6, ".")],
    ...[tool(7, null, "started"), tool(8, null, "failed", { error: { code: "X", message: "No such sheet." } }), complete(9)],
  ];
  const { transport: made, requests } = transport([success(JOB, 202), stream(events)]);
  const progress = [];
  const chat = new Chat({ id: "chat", transport: made, onData: ({ type, data }) => progress.push([type, data]) });

  await chat.sendMessage({ text: "How many?" });

  const [question, answer] = chat.messages;
  assert.deepEqual([chat.status, chat.error, chat.messages.length], ["ready", undefined, 2]);
  assert.deepEqual(JSON.parse(requests[0].body), { pipeline: "suggestion", input: { text: "How many?" } });
  assert.equal(textOf(question), "How many?");
  assert.equal(answer.id, "job_1");
  assert.deepEqual(kindsOf(answer), ["step-start", "One ", "dynamic-tool", "two.", "dynamic-tool", "data-result"]);
  const [first, second] = answer.parts.filter(({ type }) => type === "dynamic-tool");
  assert.deepEqual([first.toolName, first.state, first.output], ["read", "output-available", { summary: "3 cells" }]);
  assert.deepEqual([second.state, second.errorText], ["output-error", "No such sheet."]);
  assert.deepEqual(answer.parts.at(-1).data, RESULT);
  assert.deepEqual(answer.metadata, { jobId: "job_1", pipeline: "suggestion", usage: USAGE });
  assert.deepEqual(progress[0], ["data-progress", { stage: "write", progress: 0, attempt: 1 }]);
});

test("a retry removes the text that it discards, and keeps the calls that have ended", async () => {
  const events = [
    ...[CONNECTED, delta(1, "kept "), tool(2, "a", "started"), tool(3, "a", "finished"), delta(4, "half a sen")],
    ...[tool(5, "b", "started"), reset(6, "kept "), delta(7, "whole"), complete(8)],
  ];
  const { transport: made } = transport([success(JOB, 202), stream(events)]);
  const resets = [];
  const onData = ({ type, data }) => type === "data-reset" && resets.push(data.reason);
  const chat = new Chat({ id: "chat", transport: made, onData });

  await chat.sendMessage({ text: "?" });

  assert.deepEqual(kindsOf(chat.lastMessage), ["step-start", "kept ", "dynamic-tool", "whole", "data-result"]);
  assert.deepEqual(resets, ["WORKER_LOST"]);
});

test("a job that fails is an error of the chat, and the message keeps its text and says why", async () => {
  const { transport: made } = transport([success(JOB, 202), stream([CONNECTED, delta(1, "half"), failed(2)])]);
  const chat = new Chat({ id: "chat", transport: made });

  await chat.sendMessage({ text: "?" });

  assert.deepEqual([chat.status, chat.error.message], ["error", "The model has refused."]);
  assert.deepEqual(kindsOf(chat.lastMessage), ["step-start", "half", "data-failure"]);
  assert.equal(chat.lastMessage.parts.at(-1).data.code, "MODEL_REFUSED");
});

test("a refused creation is an error, and the same message is sent again with the same key", async () => {
  const tooMany = () => refusal(429, "RATE_LIMIT_EXCEEDED", { retryAfter: 1 });
  const done = () => stream([CONNECTED, complete(1)]);
  const { transport: made, requests } = transport([tooMany, success(JOB, 202), done, success(JOB, 202), done]);
  const chat = new Chat({ id: "chat", transport: made });
  const keys = () => requests.filter(({ method }) => method === "POST").map(({ headers }) => headers["Idempotency-Key"]);

  await chat.sendMessage({ text: "?" });
  assert.deepEqual([chat.status, chat.error.code], ["error", "RATE_LIMIT_EXCEEDED"]);
  await chat.regenerate();
  assert.equal(chat.status, "ready");
  await chat.regenerate();

  const [first, again, other] = keys();
  assert.equal(first, again);
  assert.notEqual(again, other, "an answer that exists is written again by another job");
});

test("a cancelled job ends the answer with the text so far", async () => {
  const responses = [success(JOB, 202), stream([CONNECTED, delta(1, "half"), cancelled(2)])];
  const { transport: made } = transport(responses);
  const reasons = [];
  const chat = new Chat({ id: "chat", transport: made, onFinish: ({ finishReason }) => reasons.push(finishReason) });

  await chat.sendMessage({ text: "?" });

  assert.deepEqual([chat.status, kindsOf(chat.lastMessage), reasons], ["ready", ["step-start", "half"], ["interrupted"]]);
});

test("a lost connection is not seen, and nothing is lost or written twice", async () => {
  const responses = [success(JOB, 202), stream([CONNECTED, delta(1, "a")]), stream([CONNECTED, delta(2, "b"), complete(3)])];
  const { transport: made, requests } = transport(responses);
  const chat = new Chat({ id: "chat", transport: made });

  await chat.sendMessage({ text: "?" });

  assert.equal(textOf(chat.lastMessage), "ab");
  assert.equal(requests.at(-1).headers["Last-Event-ID"], "1");
});

test("a reloaded page resumes the answer, which replaces the part that it has kept", async () => {
  const kept = storage();
  const before = transport([success(JOB, 202), stream([CONNECTED, delta(1, "a")], "open")], { storage: kept });
  const closed = new Chat({ id: "chat", transport: before.transport });
  void closed.sendMessage({ text: "?" });
  await until(() => closed.lastMessage?.role === "assistant" && textOf(closed.lastMessage) === "a");
  const messages = structuredClone(closed.messages);

  const whole = stream([CONNECTED, delta(1, "a"), delta(2, "b"), complete(3)]);
  const after = transport([success({ ...DETAIL, lastEventId: 1, text: "a" }), whole], { storage: kept });
  const chat = new Chat({ id: "chat", messages, transport: after.transport });
  await chat.resumeStream();

  assert.deepEqual(chat.messages.map(textOf), ["?", "ab"]);
  assert.equal(chat.status, "ready");
  assert.ok(after.requests.every(({ method }) => method === "GET"), "no second job");
  await closed.stop();
});

test("a job that has ended meanwhile is shown to its end; one that is gone, or none, is nothing", async () => {
  const kept = storage();
  kept.setItem("millrace.chat.chat", "job_1");
  const ended = { ...DETAIL, status: "completed", text: "ab", lastEventId: 3, result: RESULT, endedAt: "2026-11-27T00:00:00Z" };
  const events = [CONNECTED, delta(1, "a"), delta(2, "b"), complete(3)];
  const { transport: made } = transport([success(ended), stream(events), refusal(404, "NOT_FOUND")], { storage: kept });
  const chat = new Chat({ id: "chat", transport: made });

  await chat.resumeStream();
  assert.deepEqual(kindsOf(chat.lastMessage), ["step-start", "ab", "data-result"]);

  assert.equal(await made.reconnectToStream({ chatId: "chat" }), null);
  assert.equal(made.jobOf("chat"), null);
  assert.equal(await made.reconnectToStream({ chatId: "other" }), null);
});

test("useChat in StrictMode resumes once, shows one answer, and leaves the job alone when it is removed", async () => {
  const kept = storage();
  kept.setItem("millrace.chat.chat", "job_1");
  const found = () => success(DETAIL);
  const open = () => stream([CONNECTED, delta(1, "half an answer")], "open");
  const { transport: made, requests } = transport([found, found, open, open], { storage: kept });
  function Answer() {
    const { messages, status } = useChat({ id: "chat", transport: made, resume: true });
    return createElement("p", null, `${status}: ${messages.map(textOf).join("|")}`);
  }
  const container = document.createElement("div");
  const root = createRoot(container);
  await act(async () => root.render(createElement(StrictMode, null, createElement(Answer))));
  while (container.textContent !== "streaming: half an answer") await act(() => new Promise((done) => setTimeout(done, 1)));
  await act(async () => root.unmount());

  assert.deepEqual(requests.filter(({ method }) => method !== "GET"), []);
});

test("stop ends the message only; with cancelOnStop, and with cancel, the job", async () => {
  const open = () => stream([CONNECTED, delta(1, "a")], "open");
  const accepted = () => success(JOB, 202);
  const posted = ({ requests }) => requests.filter(({ method }) => method === "POST").map(({ url }) => new URL(url).pathname);
  for (const [options, expected] of [
    [{}, ["/jobs"]],
    [{ cancelOnStop: true }, ["/jobs", "/jobs/job_1/cancel"]],
  ]) {
    const started = transport([accepted, open, () => success(DETAIL)], options);
    const chat = new Chat({ id: "chat", transport: started.transport });
    void chat.sendMessage({ text: "?" });
    await until(() => chat.status === "streaming" && textOf(chat.lastMessage) === "a");
    await chat.stop();
    assert.deepEqual([chat.status, chat.error], ["ready", undefined]);
    assert.deepEqual(posted(started), expected);
  }
  const live = transport([accepted, () => stream([CONNECTED, complete(1)]), () => refusal(409, "CONFLICT")]);
  const chat = new Chat({ id: "chat", transport: live.transport });
  await chat.sendMessage({ text: "?" });
  await live.transport.cancel("chat");
  assert.deepEqual(posted(live), ["/jobs", "/jobs/job_1/cancel"], "a job that has just ended is no error");
});

test("a network that fails is a disconnection, which the chat can resume", async () => {
  const failing = transport([success(JOB, 202), ...Array(3).fill(() => new NoNetwork("down"))]);
  const { millrace } = failing;
  // The watch gives up after two minutes without the server; here at once.
  const limits = { now: () => Date.now(), times: { firstWait: 1, idleLimit: 5 } };
  const { Watch } = await import("@millrace/client");
  millrace.newWatch = () => new Watch(millrace.watchApi, limits);
  const ends = [];
  const chat = new Chat({ id: "chat", transport: failing.transport, onFinish: (end) => ends.push(end.isDisconnect) });

  await chat.sendMessage({ text: "?" });
  assert.deepEqual([chat.status, ends], ["error", [true]]);

  failing.left.splice(0, failing.left.length, success(DETAIL), stream([CONNECTED, delta(1, "a"), complete(2)]));
  delete millrace.newWatch;
  await chat.resumeStream();
  assert.deepEqual([chat.status, textOf(chat.lastMessage)], ["ready", "a"]);
});

test("a refused stream is an error that says why", async () => {
  const { transport: made } = transport([success(JOB, 202), refusal(403, "FORBIDDEN")]);
  const chat = new Chat({ id: "chat", transport: made });

  await chat.sendMessage({ text: "?" });

  assert.deepEqual([chat.status, chat.error.message], ["error", "FORBIDDEN."]);
  assert.equal(chat.lastMessage.parts.at(-1).data.code, "FORBIDDEN");
});

test("a sheet session is a chat: it sends, resumes the answer that runs, and shows its messages", async () => {
  const session = { sessionId: "ses_1", activeJobId: "job_1" };
  const answers = { ...DETAIL, pipeline: "sheet_chat" };
  const responses = [
    ...[success(JOB, 202), stream([CONNECTED, delta(1, "42"), complete(2)])],
    ...[success(session), success(answers), stream([CONNECTED, delta(1, "42"), complete(2)])],
    ...[success(session), success({ ...DETAIL, pipeline: "sheet_load" }), success({ ...session, activeJobId: null })],
  ];
  const { millrace, requests } = transport(responses);
  const options = sheetChat(millrace);
  const keys = [];
  const createJob = (request) => (keys.push(request.idempotencyKey), options.createJob(request));
  const made = new MillraceChatTransport({ ...options, createJob, storage: null });
  const history = [
    { messageId: "m2", role: "assistant", text: "4", jobId: "job_1", jobStatus: "in_progress", versions: [], outcome: null },
    { messageId: "m1", role: "user", text: "?", jobId: "job_1", jobStatus: "in_progress", versions: [], outcome: null },
  ];

  const chat = new Chat({ id: "ses_1", transport: made });
  await chat.sendMessage({ text: "Sum of B?" }, { body: { selection: { sheet: "Data", range: "B1:B9" } } });
  const resumed = new Chat({ id: "ses_1", transport: made, messages: messagesOfSheet(history) });
  await resumed.resumeStream();

  assert.equal(new URL(requests[0].url).pathname, "/sessions/ses_1/messages");
  assert.deepEqual(JSON.parse(requests[0].body), { selection: { sheet: "Data", range: "B1:B9" }, text: "Sum of B?" });
  assert.equal(requests[0].headers["Idempotency-Key"], keys[0]);
  assert.deepEqual(resumed.messages.map(textOf), ["?", "42"]);
  assert.equal(await made.reconnectToStream({ chatId: "ses_1" }), null, "the session loads its file");
  assert.equal(await made.reconnectToStream({ chatId: "ses_1" }), null, "nothing runs");
});

/** Events of a job in an order drawn by chance, as the server may write them. */
function* drawn(random) {
  const below = (most) => Math.floor(random() * most);
  const among = (values) => values[below(values.length)];
  let text = "";
  for (let id = 1; id <= 40; id += 1) {
    const kind = among(["delta", "delta", "delta", "tool", "item", "subtask", "reset", "snapshot"]);
    const key = `k${below(3)}`;
    if (kind === "delta") {
      const more = among(["a", "bc", "d\n"]);
      text += more;
      yield [id, { type: "delta", text: more }];
    } else if (kind === "tool") {
      const status = among(["started", "finished", "failed"]);
      yield [id, { type: "tool", key: among([key, null]), title: null, name: "read", status, detail: {} }];
    } else if (kind === "item") yield [id, { type: "item", stage: "write", key, data: { id }, textLength: 0 }];
    else if (kind === "subtask") {
      yield [id, { type: "subtask", key: `s${key}`, title: "t", status: among(["running", "finished"]), progress: null }];
    } else if (kind === "reset") {
      text = among([text, text.slice(0, below(text.length + 1)), "other", ""]);
      const why = { reason: "RESTARTED", message: "", attempt: 2, retryCount: 1 };
      yield [id, { type: "reset", text, progress: 0, ...why }];
    } else yield [id, { type: "snapshot", text, progress: 0, stage: "write", items: [], subtasks: [] }];
  }
}

test("for any order of events, the AI SDK's message has the text, items and subtasks of the view", async () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const chunks = new ChatChunks("job_1");
    let view = EMPTY_VIEW;
    const written = chunks.start();
    for (const [id, event] of drawn(seeded(seed))) {
      view = fold(view, id, event, null);
      written.push(...chunks.add(id, event, view));
    }
    view = { ...view, outcome: "complete", result: RESULT, usage: USAGE };
    written.push(...chunks.end(view, view.lastEventId));
    let message = null;
    const onError = (error) => assert.fail(`seed ${seed}: ${error}`);
    for await (const each of readUIMessageStream({ stream: ReadableStream.from(written), onError })) message = each;

    const dataOf = (type) => message.parts.filter((part) => part.type === type).map(({ id }) => id);
    assert.equal(textOf(message), view.text, `seed ${seed}`);
    for (const { key } of view.items) assert.ok(dataOf("data-item").includes(key), `seed ${seed}: ${key}`);
    const known = [...dataOf("data-subtask"), ...message.parts.flatMap(({ toolCallId }) => toolCallId ?? [])];
    for (const { key } of view.subtasks) assert.ok(known.includes(key), `seed ${seed}: ${key}`);
  }
});
