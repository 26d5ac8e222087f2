/**
 * What can go wrong between a page and the API:
 *
 * MillraceError
 * ├── Refused      the API said no, and says why; asking again is pointless but after `retryAfter`
 * ├── Unreachable  the network or the service failed; asking again may help
 * └── Unreadable   the answer is not one of this API
 */

/** @import { ErrorCode, ErrorEnvelope, FieldError } from "../../../../docs/api/types" */

export class MillraceError extends Error {}

/** The API's own no. */
export class Refused extends MillraceError {
  /**
   * @param {number} status
   * @param {ErrorEnvelope["error"]} error
   * @param {{ retryAfter?: number | null, requestId?: string | null }} [more] seconds; the id to quote
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

/** No answer, or one that says only that the service is in trouble; `retryAfter` in seconds. */
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

/** What came is not of this API: another server, or a newer one. */
export class Unreadable extends MillraceError {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "Unreadable";
  }
}

/**
 * The error that an answer other than a success stands for: a 5xx, and a 429 that no function wrote, are faults of the
 * moment; everything else is a refusal.
 * @param {Response} response
 * @returns {Promise<MillraceError>}
 */
export async function errorOf(response) {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfter = Number.isFinite(seconds) ? seconds : null;
  const body = await response.json().catch(() => null);
  const { status } = response;
  if (isErrorEnvelope(body)) {
    const made = body.error.details.jobId !== null;
    if (status < 500 || made || !body.error.retryable) {
      return new Refused(status, body.error, { retryAfter, requestId: body.meta.requestId });
    }
    return new Unreachable(body.error.message, { status, retryAfter });
  }
  if (status >= 500 || status === 429) {
    return new Unreachable(`the service answered ${status}`, { status, retryAfter });
  }
  const code = CODE_OF_STATUS[status];
  if (code === undefined) return new Unreadable(`the server answered ${status}, not as this API does`);
  // API Gateway writes its own refusals, as {"message": "Unauthorized"}.
  const message = typeof body?.message === "string" ? body.message : `the server answered ${status}`;
  const details = { fields: [], jobId: null, retryAfterSeconds: null };
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
