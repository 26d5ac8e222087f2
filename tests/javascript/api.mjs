/** A fake server for the client's tests: responses in the API's envelope, and event streams. */

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

/** The error that `fetch` rejects with if the network is down. */
export class NoNetwork extends TypeError {}

/** @param {number | null} id @param {Record<string, unknown>} event */
export function frame(id, event) {
  return `${id === null ? "" : `id: ${id}\n`}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

export const CONNECTED = frame(null, { type: "connected", jobId: "job_1", pipeline: "suggestion", lastEventId: 0 });

/**
 * A response that streams these texts and then ends, breaks, or stays open until it is cancelled.
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
 * A `fetch` that takes its responses from a list: each is a response, an Error to reject with, or a function of the request
 * that returns one of these. `requests` records every request, `left` has the responses that were not used.
 * @param {unknown[]} responses
 */
export function server(responses) {
  const left = [...responses];
  const requests = [];
  const fetcher = async (url, request = {}) => {
    request.signal?.throwIfAborted();
    requests.push({ url: String(url), method: request.method ?? "GET", headers: request.headers ?? {}, body: request.body });
    let response = left.shift();
    if (response === undefined) throw new Error(`the test expects no ${request.method ?? "GET"} ${url}`);
    if (typeof response === "function") response = await response(request);
    if (response instanceof Error) throw response;
    const { signal } = request;
    if (!signal || response.headers.get("content-type") !== "text/event-stream") return response;
    // As in a real fetch, aborting the request breaks the body that is still being read.
    return new Response(response.body.pipeThrough(new TransformStream(), { signal }), response);
  };
  return { fetch: fetcher, requests, left };
}
