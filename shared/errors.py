"""The error tree: one class per outcome a caller can act on; a class name is also what Step Functions sees.

MillraceError
├── RequestRefused            the caller's request cannot be served; mapped to HTTP in `shared/web/errors.py`
│   ├── MalformedRequest      the request cannot be read at all (broken JSON, bad header)
│   ├── InvalidInput          a field breaks its rule; `issues` names each field and rule
│   ├── Unauthenticated       no token or ticket, or not a valid one
│   ├── Forbidden             somebody else's job or agent
│   ├── NotFound              unknown, expired or deleted
│   ├── Conflict              not possible in the present state of things
│   ├── CheckpointUnfit       the job's checkpoints no longer fit; a new job has to be made
│   ├── PayloadTooLarge       the body is over the limit
│   ├── UnsupportedMediaType  the body is not sent as JSON
│   └── LimitExceeded         too many; `retry_after` says when it is worth trying again
│       ├── RateLimitExceeded     job creations per minute
│       └── StreamLimitExceeded   concurrent streams
├── TransientFault            worth another attempt: Step Functions retries these and nothing else
│   ├── ModelRateLimited
│   ├── ModelTimeout
│   ├── ModelUnavailable
│   ├── ModelDisconnected
│   ├── StorageThrottled
│   └── StorageUnavailable
├── PermanentFault            another attempt would end the same way: the job fails at once
│   ├── ModelRefused          the provider declined to answer (content policy)
│   ├── ModelRejectedRequest  the provider says the request is wrong (model, key, size)
│   ├── InvalidModelOutput    the answer does not fit its schema, also after repair
│   └── InternalFault         a defect of ours; details only in the log
└── AttemptStopped            this attempt may write nothing any more; nobody's fault
    ├── AttemptSuperseded     a newer attempt has taken over
    └── JobEnded              the job was cancelled, failed or completed meanwhile
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """Machine-readable reason of an error, in HTTP answers, on failed jobs and in `error` events."""

    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    VALIDATION_FAILED = "VALIDATION_FAILED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    CHECKPOINT_UNFIT = "CHECKPOINT_UNFIT"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    STREAM_LIMIT_EXCEEDED = "STREAM_LIMIT_EXCEEDED"
    MODEL_RATE_LIMITED = "MODEL_RATE_LIMITED"
    MODEL_TIMEOUT = "MODEL_TIMEOUT"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    MODEL_DISCONNECTED = "MODEL_DISCONNECTED"
    MODEL_REFUSED = "MODEL_REFUSED"
    MODEL_REJECTED_REQUEST = "MODEL_REJECTED_REQUEST"
    INVALID_MODEL_OUTPUT = "INVALID_MODEL_OUTPUT"
    STORAGE_THROTTLED = "STORAGE_THROTTLED"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    IDENTITY_UNAVAILABLE = "IDENTITY_UNAVAILABLE"
    EXECUTION_NOT_STARTED = "EXECUTION_NOT_STARTED"
    STAGE_TIMEOUT = "STAGE_TIMEOUT"
    WORKER_LOST = "WORKER_LOST"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True, slots=True)
class FieldIssue:
    """One broken rule: `field` is the dotted path as the client wrote it, `rule` says what would be right."""

    field: str
    rule: str


class MillraceError(Exception):
    """Base of everything Millrace raises on purpose. `message` is safe to show to the job's owner."""

    code: ErrorCode = ErrorCode.INTERNAL_ERROR
    retryable: bool = False

    def __init__(self, message: str, *, code: ErrorCode | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class RequestRefused(MillraceError):
    """The caller's request cannot be served."""


class MalformedRequest(RequestRefused):
    """The request cannot be read."""

    code = ErrorCode.MALFORMED_REQUEST


class InvalidInput(RequestRefused):
    """A field breaks its rule; `issues` names each field and rule."""

    code = ErrorCode.VALIDATION_FAILED

    def __init__(self, issues: Sequence[FieldIssue], *, code: ErrorCode | None = None) -> None:
        super().__init__("; ".join(f"{issue.field}: {issue.rule}" for issue in issues), code=code)
        self.issues = tuple(issues)


class Unauthenticated(RequestRefused):
    """No token or ticket, or not a valid one."""

    code = ErrorCode.UNAUTHENTICATED


class Forbidden(RequestRefused):
    """Somebody else's job or agent."""

    code = ErrorCode.FORBIDDEN


class NotFound(RequestRefused):
    """Unknown, expired or deleted."""

    code = ErrorCode.NOT_FOUND


class Conflict(RequestRefused):
    """Not possible in the present state of things."""

    code = ErrorCode.CONFLICT


class CheckpointUnfit(RequestRefused):
    """The job's checkpoints no longer fit what the pipeline or the project is now; make a new job."""

    code = ErrorCode.CHECKPOINT_UNFIT


class PayloadTooLarge(RequestRefused):
    """The body is over the limit."""

    code = ErrorCode.PAYLOAD_TOO_LARGE


class UnsupportedMediaType(RequestRefused):
    """The body is not sent as JSON."""

    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class LimitExceeded(RequestRefused):
    """Too many; `retry_after` is in whole seconds, at least 1."""

    retryable = True

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = max(1, retry_after)


class RateLimitExceeded(LimitExceeded):
    """Too many job creations; `Retry-After` says when the next is possible."""

    code = ErrorCode.RATE_LIMIT_EXCEEDED


class StreamLimitExceeded(LimitExceeded):
    """Too many concurrent streams; `Retry-After` says when a slot may be free."""

    code = ErrorCode.STREAM_LIMIT_EXCEEDED


class TransientFault(MillraceError):
    """Worth another attempt; Step Functions retries it by class name."""

    retryable = True


class ModelRateLimited(TransientFault):
    """The model provider's rate limit was reached."""

    code = ErrorCode.MODEL_RATE_LIMITED


class ModelTimeout(TransientFault):
    """The model took too long."""

    code = ErrorCode.MODEL_TIMEOUT


class ModelUnavailable(TransientFault):
    """The model provider is unavailable."""

    code = ErrorCode.MODEL_UNAVAILABLE


class ModelDisconnected(TransientFault):
    """The model broke off in the middle of its answer."""

    code = ErrorCode.MODEL_DISCONNECTED


class StorageThrottled(TransientFault):
    """The database is throttling."""

    code = ErrorCode.STORAGE_THROTTLED


class StorageUnavailable(TransientFault):
    """The database could not be reached."""

    code = ErrorCode.STORAGE_UNAVAILABLE


class PermanentFault(MillraceError):
    """Another attempt would end the same way."""


class ModelRefused(PermanentFault):
    """The model declined to answer."""

    code = ErrorCode.MODEL_REFUSED


class ModelRejectedRequest(PermanentFault):
    """The model provider rejected the request."""

    code = ErrorCode.MODEL_REJECTED_REQUEST


class InvalidModelOutput(PermanentFault):
    """The model's answer does not fit, also after repair."""

    code = ErrorCode.INVALID_MODEL_OUTPUT


class InternalFault(PermanentFault):
    """A defect on our side."""

    code = ErrorCode.INTERNAL_ERROR


class AttemptStopped(MillraceError):
    """This attempt may write nothing any more."""

    code = ErrorCode.CONFLICT


class AttemptSuperseded(AttemptStopped):
    """A newer attempt has taken over."""


class JobEnded(AttemptStopped):
    """The job reached its end meanwhile."""
