/**
 * The errors of the client:
 *
 * MillraceError
 * ├── Refused      the API refused the request; the same request fails again, at least until `retryAfter`
 * ├── Unreachable  the network or the service failed; the same request may succeed later
 * └── Unreadable   the response is not from this API
 */

/** @import { ErrorCode, ErrorEnvelope, FieldError } from "../../../../docs/api/types" */

export class MillraceError extends Error {}

/** The API refused the request. `retryAfter` in seconds; `requestId` is the id for support. */
export class Refused extends MillraceError {
  /**
   * @param {number} status
   * @param {ErrorEnvelope["error"]} error
   * @param {{ retryAfter?: number | null, requestId?: string | null }} [more]
   */
  constructor(status, error, { retryAfter = null, requestId = null } = {}) {
    super(error.message);
    this.name = "Refused";
    this.status = status;
    /** @type {ErrorCode} */
    this.code = error.code;
    /** @type {FieldError[]} */
    this.fields = error.details.fields;
    this.retryable = error.retryable;
    this.retryAfter = retryAfter ?? error.details.retryAfterSeconds;
    this.requestId = requestId;
  }
}

/** There was no response, or the service returned a server error. `retryAfter` in seconds. */
export class Unreachable extends MillraceError {
  /**
   * @param {string} message
   * @param {{ status?: number | null, retryAfter?: number | null, cause?: unknown }} [more]
   */
  constructor(message, { status = null, retryAfter = null, cause } = {}) {
    super(message, { cause });
    this.name = "Unreachable";
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The response is not from this API: from another server, or from an incompatible version. */
export class Unreadable extends MillraceError {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "Unreadable";
  }
}

/**
 * Return the error for an unsuccessful response. A 5xx, and a 429 from API Gateway, are Unreachable; every other response
 * of the API is Refused.
 * @param {Response} response
 * @returns {Promise<MillraceError>}
 */
export async function errorOf(response) {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfter = Number.isFinite(seconds) ? seconds : null;
  const body = await response.json().catch(() => null);
  const { status } = response;
  if (isErrorEnvelope(body)) {
    // The job was created although the request failed, so the same request would return the same error.
    const created = body.error.details.jobId !== null;
    if (status < 500 || created || !body.error.retryable) {
      return new Refused(status, body.error, { retryAfter, requestId: body.meta.requestId });
    }
    return new Unreachable(body.error.message, { status, retryAfter });
  }
  if (status >= 500 || status === 429) {
    return new Unreachable(`the service returned ${status}`, { status, retryAfter });
  }
  const code = CODE_OF_STATUS[status];
  if (code === undefined) return new Unreadable(`the server returned ${status}, which this API does not`);
  // API Gateway's own refusals have the form {"message": "Unauthorized"}.
  const message = typeof body?.message === "string" ? body.message : `the server returned ${status}`;
  const details = { fields: [], jobId: null, retryAfterSeconds: null, state: null, allowed: [], activeJobId: null };
  return new Refused(status, { code, message, details, retryable: false }, { retryAfter });
}

/** @type {Record<number, ErrorCode>} */
const CODE_OF_STATUS = { 401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND", 413: "PAYLOAD_TOO_LARGE" };

/**
 * @param {unknown} body
 * @returns {body is ErrorEnvelope}
 */
function isErrorEnvelope(body) {
  return typeof body === "object" && body !== null && "success" in body && body.success === false && "error" in body;
}
