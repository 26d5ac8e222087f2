"""The error tree: one class for each outcome that a caller can act on. Step Functions sees the class name.

MillraceError
├── RequestRefused            the request cannot be served; `shared/web/errors.py` maps it to HTTP
│   ├── MalformedRequest      the request cannot be read at all (broken JSON, bad header)
│   ├── InvalidInput          a field breaks its rule; `issues` names each field and rule
│   ├── Unauthenticated       no token or ticket, or not a valid one
│   ├── Forbidden             the job, run or agent belongs to another user
│   ├── NotFound              it does not exist, has expired or was deleted
│   ├── Conflict              the present state does not allow it
│   ├── PreconditionFailed    it has changed since the client saw it (`If-Match`)
│   ├── DataBeingErased       the user's data are being erased; `retry_after` says when to try again
│   ├── CheckpointUnfit       the job cannot resume as it was; create a new job
│   ├── PayloadTooLarge       the body is larger than the limit
│   ├── UnsupportedMediaType  the body is not sent as JSON
│   └── LimitExceeded         a limit is reached; `retry_after` says when to send the request again
│       ├── RateLimitExceeded     job creations per minute
│       └── StreamLimitExceeded   concurrent streams
├── TransientFault            another attempt may succeed: Step Functions retries these and no other fault
│   ├── ModelRateLimited
│   ├── ModelNotReady         a local server still loads its model
│   ├── ModelTimeout
│   ├── ModelUnavailable
│   ├── ModelDisconnected
│   ├── StageUnfinished       the attempt's time is over; the next attempt continues where it was
│   ├── StorageThrottled
│   └── StorageUnavailable
├── PermanentFault            another attempt would fail in the same way: the job fails at once
│   ├── ModelRefused          the provider declined the request (content policy)
│   ├── ModelRejectedRequest  the provider says the request is wrong (model, key, size)
│   ├── ModelMisconfigured    our own settings of the provider are not valid (base URL, key, proxy)
│   ├── StageTimedOut         the attempt's time is over; another attempt would end in the same way
│   ├── ModelOutputTooLong    the model did not stop: its output was ended, and no answer is in it
│   ├── InvalidModelOutput    the output does not fit its schema, even after a repair
│   ├── ChangeRefused         the change cannot be made to the project as it is now
│   │   └── SceneChanged          a scene that it was made for has changed meanwhile
│   ├── UnusableFile          the uploaded file cannot be loaded; the message says what to do
│   ├── CompilerMissing       scenes cannot be built, because packages are not installed
│   ├── RendererMissing       videos cannot be rendered, because a program or package is not installed
│   ├── SceneBroken           a scene cannot be drawn at one of its frames
│   ├── DataLost              stored data that the job needs is no longer stored
│   ├── DataUnreadable        stored data that the job needs cannot be read
│   └── InternalFault         a defect in Millrace; only the log lines have the details
└── AttemptStopped            this attempt may no longer write; it has not failed
    ├── AttemptSuperseded     a newer attempt has claimed the job
    └── JobEnded              the job has completed, failed or been cancelled
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """The machine-readable reason of an error: in HTTP responses, on failed jobs and in `error` events."""

    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    VALIDATION_FAILED = "VALIDATION_FAILED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    CONFLICT = "CONFLICT"
    ERASURE_RUNNING = "ERASURE_RUNNING"
    SESSION_BUSY = "SESSION_BUSY"
    SCENE_CHANGED = "SCENE_CHANGED"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    CHECKPOINT_UNFIT = "CHECKPOINT_UNFIT"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    STREAM_LIMIT_EXCEEDED = "STREAM_LIMIT_EXCEEDED"
    MODEL_RATE_LIMITED = "MODEL_RATE_LIMITED"
    MODEL_NOT_READY = "MODEL_NOT_READY"
    MODEL_TIMEOUT = "MODEL_TIMEOUT"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    MODEL_DISCONNECTED = "MODEL_DISCONNECTED"
    MODEL_REFUSED = "MODEL_REFUSED"
    MODEL_REJECTED_REQUEST = "MODEL_REJECTED_REQUEST"
    MODEL_MISCONFIGURED = "MODEL_MISCONFIGURED"
    MODEL_OUTPUT_TOO_LONG = "MODEL_OUTPUT_TOO_LONG"
    INVALID_MODEL_OUTPUT = "INVALID_MODEL_OUTPUT"
    UNSUPPORTED_FILE = "UNSUPPORTED_FILE"
    IMAGE_REFUSED = "IMAGE_REFUSED"
    COMPILER_MISSING = "COMPILER_MISSING"
    RENDERER_UNAVAILABLE = "RENDERER_UNAVAILABLE"
    SCENE_BROKEN = "SCENE_BROKEN"
    DATA_GONE = "DATA_GONE"
    DATA_UNREADABLE = "DATA_UNREADABLE"
    STORAGE_THROTTLED = "STORAGE_THROTTLED"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    IDENTITY_UNAVAILABLE = "IDENTITY_UNAVAILABLE"
    EXECUTION_NOT_STARTED = "EXECUTION_NOT_STARTED"
    STAGE_TIMEOUT = "STAGE_TIMEOUT"
    WORKER_LOST = "WORKER_LOST"
    NO_PROGRESS = "NO_PROGRESS"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True, slots=True)
class FieldIssue:
    """One broken rule: `field` is the dotted path as the client wrote it, `rule` says what the field must be."""

    field: str
    rule: str


class MillraceError(Exception):
    """The base of all errors that Millrace raises on purpose. `message` is safe to show to the job's owner.

    The first line of a class's docstring is public too: the API's description of the error, and the message on a failed
    job if the attempt could not store its own message.
    """

    code: ErrorCode = ErrorCode.INTERNAL_ERROR
    retryable: bool = False

    def __init__(self, message: str, *, code: ErrorCode | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class RequestRefused(MillraceError):
    """The request cannot be served."""


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
    """The job, run or agent belongs to another user."""

    code = ErrorCode.FORBIDDEN


class NotFound(RequestRefused):
    """The job, run or agent does not exist, has expired or was deleted."""

    code = ErrorCode.NOT_FOUND


class Conflict(RequestRefused):
    """The present state does not allow the request.

    `state` is the present state, and `allowed` are the states in which the request is possible, where there are such
    states. `active_job_id` is the job that has to end first.
    """

    code = ErrorCode.CONFLICT

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode | None = None,
        state: str | None = None,
        allowed: Sequence[str] = (),
        active_job_id: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.state = state
        self.allowed = tuple(allowed)
        self.active_job_id = active_job_id


class PreconditionFailed(RequestRefused):
    """It has changed since the version that `If-Match` names; read it again, then repeat the request."""

    code = ErrorCode.PRECONDITION_FAILED


class DataBeingErased(RequestRefused):
    """The user's data are being erased, so nothing new can be stored; `Retry-After` says when to try again.

    `retry_after` is in whole seconds.
    """

    code = ErrorCode.ERASURE_RUNNING
    retryable = True

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CheckpointUnfit(RequestRefused):
    """The job cannot resume, because its pipeline, model, agent or a link has changed or is gone; create a new job."""

    code = ErrorCode.CHECKPOINT_UNFIT


class PayloadTooLarge(RequestRefused):
    """The body is larger than the limit."""

    code = ErrorCode.PAYLOAD_TOO_LARGE


class UnsupportedMediaType(RequestRefused):
    """The body is not sent as JSON."""

    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class LimitExceeded(RequestRefused):
    """A limit is reached; after `retry_after` whole seconds, at least 1, the request may succeed."""

    retryable = True

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = max(1, retry_after)


class RateLimitExceeded(LimitExceeded):
    """The user has created too many jobs; `Retry-After` says when the next creation is possible."""

    code = ErrorCode.RATE_LIMIT_EXCEEDED


class StreamLimitExceeded(LimitExceeded):
    """The user has too many open streams; `Retry-After` says when a slot may be free."""

    code = ErrorCode.STREAM_LIMIT_EXCEEDED


class TransientFault(MillraceError):
    """A service is temporarily unavailable; another attempt may succeed.

    Step Functions retries these faults by their class names. `retry_after` is how many seconds the service tells us to
    wait before the next attempt; None if it says nothing.
    """

    retryable = True
    retry_after: float | None = None


class ModelRateLimited(TransientFault):
    """The model provider's rate limit was reached."""

    code = ErrorCode.MODEL_RATE_LIMITED


class ModelNotReady(TransientFault):
    """The model provider is not ready yet, because it still loads the model."""

    code = ErrorCode.MODEL_NOT_READY


class ModelTimeout(TransientFault):
    """The model did not respond in time."""

    code = ErrorCode.MODEL_TIMEOUT


class ModelUnavailable(TransientFault):
    """The model provider is unavailable."""

    code = ErrorCode.MODEL_UNAVAILABLE


class ModelDisconnected(TransientFault):
    """The connection to the model broke before the output was complete."""

    code = ErrorCode.MODEL_DISCONNECTED


class StageUnfinished(TransientFault):
    """The stage reached its time limit; it continues where it was."""

    code = ErrorCode.STAGE_TIMEOUT


class StorageThrottled(TransientFault):
    """The database throttled a request."""

    code = ErrorCode.STORAGE_THROTTLED


class StorageUnavailable(TransientFault):
    """The database could not be reached."""

    code = ErrorCode.STORAGE_UNAVAILABLE


class PermanentFault(MillraceError):
    """Another attempt would fail in the same way."""


class ModelRefused(PermanentFault):
    """The model declined the request."""

    code = ErrorCode.MODEL_REFUSED


class ModelRejectedRequest(PermanentFault):
    """The model provider rejected the request.

    `parameters` are those of the request that the provider names in its error. `key_refused` is set if it does not
    accept the API key.
    """

    code = ErrorCode.MODEL_REJECTED_REQUEST
    parameters: frozenset[str] = frozenset()
    key_refused = False


class ModelMisconfigured(PermanentFault):
    """A setting of the model's endpoint is not valid; its operator has to correct it."""

    code = ErrorCode.MODEL_MISCONFIGURED


class StageTimedOut(PermanentFault):
    """The stage did not finish within its time limit."""

    code = ErrorCode.STAGE_TIMEOUT


class ModelOutputTooLong(PermanentFault):
    """The model did not stop: its output was ended, because it was longer than any answer can be."""

    code = ErrorCode.MODEL_OUTPUT_TOO_LONG


class InvalidModelOutput(PermanentFault):
    """The model's output does not fit its schema, even after a repair."""

    code = ErrorCode.INVALID_MODEL_OUTPUT


class ChangeRefused(PermanentFault):
    """The change cannot be made to the project as it is now; nothing was changed."""

    code = ErrorCode.CONFLICT


class SceneChanged(ChangeRefused):
    """A scene that the change was made for was changed or removed meanwhile; nothing was changed."""

    code = ErrorCode.SCENE_CHANGED


class UnusableFile(PermanentFault):
    """The uploaded file cannot be loaded."""

    code = ErrorCode.UNSUPPORTED_FILE


class CompilerMissing(PermanentFault):
    """Scenes cannot be built, because packages are not installed; the message names them."""

    code = ErrorCode.COMPILER_MISSING


class RendererMissing(PermanentFault):
    """Videos cannot be rendered, because a program or a package is not installed; the message names it."""

    code = ErrorCode.RENDERER_UNAVAILABLE


class SceneBroken(PermanentFault):
    """A scene cannot be drawn at one of its frames; the message names the scene and the frame.

    `frame` counts the frames of the scene from 0.
    """

    code = ErrorCode.SCENE_BROKEN
    scene_id: str = ""
    frame: int = 0


class DataLost(PermanentFault):
    """Data that the job needs is no longer stored."""

    code = ErrorCode.DATA_GONE


class DataUnreadable(PermanentFault):
    """Data that the job needs cannot be read."""

    code = ErrorCode.DATA_UNREADABLE


class InternalFault(PermanentFault):
    """An internal error occurred."""

    code = ErrorCode.INTERNAL_ERROR


class AttemptStopped(MillraceError):
    """This attempt may no longer write."""

    code = ErrorCode.CONFLICT


class AttemptSuperseded(AttemptStopped):
    """A newer attempt has claimed the job."""


class JobEnded(AttemptStopped):
    """The job has ended."""
