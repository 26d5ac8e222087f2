/** A server for the client's tests: answers in the API's words, streams as its stream does. */

const META = { requestId: "request-1", traceId: null, timestamp: "", durationMs: 1, operation: "unknown", entity: "none" };
const encoder = new TextEncoder();

/** @param {unknown} data */
export function success(data, status = 200) {
  return Response.json({ success: true, data, meta: META }, { status });
}

/** @param {number} status @param {string} code */
export function refusal(status, code, { retryable = false, retryAfter = null, fields = [], jobId = null } = {}) {
  const details = { fields, jobId, retryAfterSeconds: retryAfter };
  const headers = retryAfter === null ? {} : { "Retry-After": String(retryAfter) };
  return Response.json(
    { success: false, error: { code, message: `${code}.`, details, retryable }, meta: META },
    { status, headers },
  );
}

/** What `fetch` raises when the network is down. */
export class NoNetwork extends TypeError {}

/** @param {number | null} id @param {Record<string, unknown>} event */
export function frame(id, event) {
  return `${id === null ? "" : `id: ${id}\n`}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

export const CONNECTED = frame(null, { type: "connected", jobId: "job_1", pipeline: "suggestion", lastEventId: 0 });

/**
 * A stream of these texts; then it ends, breaks, or stays open until it is cancelled.
 * @param {string[]} texts @param {"end" | "break" | "open"} then
 */
export function stream(texts, then = "end") {
  const waiting = [...texts];
  const body = new ReadableStream({
    async pull(controller) {
      const text = waiting.shift();
      if (text !== undefined) controller.enqueue(encoder.encode(text));
      else if (then === "end") controller.close();
      else if (then === "break") controller.error(new NoNetwork("the connection was reset"));
      else await new Promise(() => {});
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

/**
 * A `fetch` that answers from a list, each an answer, an Error to raise, or a function of the request; `asked` keeps
 * what it was asked for.
 * @param {unknown[]} answers
 */
export function server(answers) {
  const waiting = [...answers];
  const asked = [];
  const fetcher = async (url, request = {}) => {
    request.signal?.throwIfAborted();
    asked.push({ url: String(url), method: request.method ?? "GET", headers: request.headers ?? {}, body: request.body });
    let answer = waiting.shift();
    if (answer === undefined) throw new Error(`nobody expected ${request.method ?? "GET"} ${url}`);
    if (typeof answer === "function") answer = await answer(request);
    if (answer instanceof Error) throw answer;
    const { signal } = request;
    if (!signal || answer.headers.get("content-type") !== "text/event-stream") return answer;
    // As the real one does: whoever aborts the request breaks the body that is still being read.
    return new Response(answer.body.pipeThrough(new TransformStream(), { signal }), answer);
  };
  return { fetch: fetcher, asked, left: waiting };
}
