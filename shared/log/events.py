"""The events of a job: what the log stores and what the stream sends."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from shared.errors import ErrorCode
from shared.log.usage import TokenUsage
from shared.schema import Schema, adapter_of


class Connected(Schema):
    """First on every connection, never stored, no id: who is served, and where the stream begins."""

    type: Literal["connected"] = "connected"
    job_id: str
    pipeline: str
    last_event_id: int = Field(description="events after this one follow")


class StageStarted(Schema):
    """A stage begins: `index` of `of`, counted from 1."""

    type: Literal["stage"] = "stage"
    stage: str
    index: int
    of: int
    attempt: int = 1


class Progress(Schema):
    """How far the whole job is, 0–100; never falls but by a `reset`."""

    type: Literal["progress"] = "progress"
    progress: float = Field(ge=0, le=100)


class Delta(Schema):
    """Text to add at the end of the text so far."""

    type: Literal["delta"] = "delta"
    text: str


class Tool(Schema):
    """A tool was called by the model, or has answered."""

    type: Literal["tool"] = "tool"
    name: str
    status: Literal["started", "finished", "failed"]
    detail: dict[str, Any] = Field(default_factory=dict)


class Item(Schema):
    """One piece of a long stage's work is finished and stands: a checkpoint inside the stage.

    Items are told apart by `key` and outlive retries, resets and resumption. A retried attempt goes on from
    `textLength`: that much of the text belongs to this item and those before it.
    """

    type: Literal["item"] = "item"
    stage: str
    key: str
    data: dict[str, Any]
    text_length: int = Field(ge=0, description="characters of the text so far that stand with this item")


class Reset(Schema):
    """The text so far is replaced by `text`: a new attempt begins, or the answer is being repaired."""

    type: Literal["reset"] = "reset"
    text: str
    progress: float = Field(ge=0, le=100)
    reason: ErrorCode | Literal["REPAIR", "RESTARTED", "RESUMED"]
    message: str
    attempt: int
    retry_count: int


class Snapshot(Schema):
    """Everything up to this event's id at once, for a watcher who comes later than the log reaches back."""

    type: Literal["snapshot"] = "snapshot"
    text: str
    items: tuple[Item, ...] = ()
    stage: str | None = None
    progress: float = Field(ge=0, le=100)


class Complete(Schema):
    """The job has its result; `result` is filled in from the last checkpoint when the event is read."""

    type: Literal["complete"] = "complete"
    result: dict[str, Any] | None = None
    usage: TokenUsage


class Failed(Schema):
    """The job failed for good."""

    type: Literal["error"] = "error"
    code: ErrorCode
    message: str
    stage: str | None = None
    attempt: int
    retry_count: int
    retryable: bool = Field(description="whether the same request may succeed later")
    request_id: str | None = None
    trace_id: str | None = None


class Cancelled(Schema):
    """The owner cancelled the job; what was checkpointed is kept."""

    type: Literal["cancelled"] = "cancelled"
    stage: str | None = None


StoredEvent = Annotated[
    StageStarted | Progress | Delta | Tool | Item | Reset | Complete | Failed | Cancelled, Field(discriminator="type")
]
StreamEvent = Annotated[
    Connected | StageStarted | Progress | Delta | Tool | Item | Reset | Snapshot | Complete | Failed | Cancelled,
    Field(discriminator="type"),
]
TERMINAL = frozenset({"complete", "error", "cancelled"})

STORED_EVENTS: TypeAdapter[tuple[StoredEvent, ...]] = adapter_of(tuple[StoredEvent, ...])
STREAM_EVENT: TypeAdapter[StreamEvent] = adapter_of(StreamEvent)
