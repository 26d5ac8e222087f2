"""Define the envelope of every HTTP response."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from pydantic import ConfigDict

from shared.clock import utc_now
from shared.errors import ErrorCode
from shared.schema import Schema

T = TypeVar("T")


class Operation(StrEnum):
    """The operations of the core, one per HTTP function. Each application declares its own in its `web.py`."""

    CREATE_JOB = "create_job"
    GET_JOB = "get_job"
    LIST_JOBS = "list_jobs"
    CANCEL_JOB = "cancel_job"
    RESUME_JOB = "resume_job"
    DELETE_JOB = "delete_job"
    ERASE_DATA = "erase_data"
    GET_ERASURE = "get_erasure"
    CREATE_STREAM_TICKET = "create_stream_ticket"
    STREAM_JOB = "stream_job"
    CREATE_CONNECTION_TICKET = "create_connection_ticket"
    CONSOLE = "console"
    CREATE_AGENT = "create_agent"
    LIST_AGENTS = "list_agents"
    GET_AGENT = "get_agent"
    UPDATE_AGENT = "update_agent"
    DELETE_AGENT = "delete_agent"
    CREATE_WEBHOOK = "create_webhook"
    LIST_WEBHOOKS = "list_webhooks"
    GET_WEBHOOK = "get_webhook"
    UPDATE_WEBHOOK = "update_webhook"
    DELETE_WEBHOOK = "delete_webhook"
    ROTATE_WEBHOOK_SECRET = "rotate_webhook_secret"  # noqa: S105 - the name of an operation
    SEND_TEST_EVENT = "send_test_event"
    LIST_WEBHOOK_DELIVERIES = "list_webhook_deliveries"
    GET_WEBHOOK_DELIVERY = "get_webhook_delivery"
    REPLAY_WEBHOOK_DELIVERY = "replay_webhook_delivery"
    RECOVER_WEBHOOK_DELIVERIES = "recover_webhook_deliveries"
    UNKNOWN = "unknown"


class Entity(StrEnum):
    """The kinds of `data` in a response. An application may declare more in its `web.py`."""

    JOB = "job"
    JOB_LIST = "job_list"
    ERASURE = "erasure"
    STREAM_TICKET = "stream_ticket"
    CONNECTION_TICKET = "connection_ticket"
    CONSOLE_CONFIG = "console_config"
    RUN = "run"
    RUN_LIST = "run_list"
    LINEAGE = "lineage"
    ACTIVE_JOB = "active_job"
    AGENT = "agent"
    AGENT_LIST = "agent_list"
    WEBHOOK = "webhook"
    WEBHOOK_LIST = "webhook_list"
    WEBHOOK_DELIVERY = "webhook_delivery"
    WEBHOOK_DELIVERY_LIST = "webhook_delivery_list"
    WEBHOOK_RECOVERY = "webhook_recovery"
    NONE = "none"


class Meta(Schema):
    """Facts about the response: `durationMs` is the function's time, `traceId` the X-Ray trace of the request."""

    request_id: str
    trace_id: str | None
    timestamp: datetime
    duration_ms: float
    operation: str
    entity: str


class FieldError(Schema):
    """One field that is not valid: `field` is its path as the client wrote it, `rule` is the rule that it breaks."""

    field: str
    rule: str


class ErrorDetails(Schema):
    """The fields that are not valid, the job that was created nevertheless, and the seconds to wait before a repeat.

    Of a conflict: the present state, the states in which the request is possible, and the job that has to end first.
    """

    fields: tuple[FieldError, ...] = ()
    job_id: str | None = None
    retry_after_seconds: int | None = None
    state: str | None = None
    allowed: tuple[str, ...] = ()
    active_job_id: str | None = None


class ErrorBody(Schema):
    """An error: `code` for programs, `message` for people. If `retryable`, the same request may succeed later."""

    code: ErrorCode
    message: str
    details: ErrorDetails = ErrorDetails()
    retryable: bool = False


class Envelope(Schema, Generic[T]):
    """The response to a request that succeeded."""

    model_config = ConfigDict(defer_build=False)

    success: Literal[True] = True
    data: T
    meta: Meta


class ErrorEnvelope(Schema):
    """The response to a request that was refused or failed."""

    success: Literal[False] = False
    error: ErrorBody
    meta: Meta


@dataclass(slots=True)
class Exchange:
    """One request and its response: the source of the response's `meta`."""

    operation: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace_id: str | None = None
    began: float = field(default_factory=time.perf_counter)

    @property
    def milliseconds(self) -> float:
        """Milliseconds since the request arrived, to two decimals."""
        return round((time.perf_counter() - self.began) * 1000, 2)

    @property
    def ids(self) -> dict[str, str | None]:
        """The ids that every log line about this request carries."""
        return {"request_id": self.request_id, "trace_id": self.trace_id}

    def meta(self, entity: str) -> Meta:
        """Return the `meta` of a response whose `data` is of this kind."""
        return Meta(
            request_id=self.request_id,
            trace_id=self.trace_id,
            timestamp=utc_now(),
            duration_ms=self.milliseconds,
            operation=self.operation,
            entity=entity,
        )

    def success(self, data: T, entity: str) -> Envelope[T]:
        """Return the envelope of a successful response."""
        # The data is a valid model already, so do not validate it again.
        return Envelope[T].model_construct(success=True, data=data, meta=self.meta(entity))

    def refusal(self, error: ErrorBody) -> ErrorEnvelope:
        """Return the envelope of an error response."""
        return ErrorEnvelope(error=error, meta=self.meta(Entity.NONE))


def error_body(code: ErrorCode, message: str, *, request_id: str, trace_id: str | None = None) -> dict[str, Any]:
    """Return the JSON of an error response to a request that did not reach a function."""
    exchange = Exchange(Operation.UNKNOWN, request_id=request_id, trace_id=trace_id)
    return exchange.refusal(ErrorBody(code=code, message=message)).model_dump(mode="json")
