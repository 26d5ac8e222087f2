"""The events of a job: those that the log stores and those that the stream sends."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from shared.errors import ErrorCode
from shared.log.usage import TokenUsage
from shared.schema import Schema, adapter_of


class Connected(Schema):
    """The first event of every connection: the job, and where the stream begins. It has no id and is not stored."""

    type: Literal["connected"] = "connected"
    job_id: str
    pipeline: str
    last_event_id: int = Field(description="the stream sends the events after this id")


class StageStarted(Schema):
    """An attempt of a stage begins: stage `index` of `of`, counted from 1."""

    type: Literal["stage"] = "stage"
    stage: str
    index: int
    of: int
    attempt: int = 1


class Progress(Schema):
    """The progress of the whole job, 0–100. It never falls, except by a `reset`."""

    type: Literal["progress"] = "progress"
    progress: float = Field(ge=0, le=100)


class Delta(Schema):
    """Text to append to the text so far."""

    type: Literal["delta"] = "delta"
    text: str


class Tool(Schema):
    """The model has called a tool, or the tool has finished or failed."""

    type: Literal["tool"] = "tool"
    name: str
    status: Literal["started", "finished", "failed"]
    detail: dict[str, Any] = Field(default_factory=dict)


class Item(Schema):
    """One finished piece of a long stage's work: a checkpoint inside the stage.

    `key` identifies the item. No retry, reset or resumption removes it. A retried attempt continues after the first
    `textLength` characters of the text, which belong to this item and the items before it.
    """

    type: Literal["item"] = "item"
    stage: str
    key: str
    data: dict[str, Any]
    text_length: int = Field(ge=0, description="how many characters of the text so far are kept with this item")


class Reset(Schema):
    """`text` replaces the text so far, because a new attempt begins or the output is repaired."""

    type: Literal["reset"] = "reset"
    text: str
    progress: float = Field(ge=0, le=100)
    reason: ErrorCode | Literal["REPAIR", "RESTARTED", "RESUMED"]
    message: str
    attempt: int
    retry_count: int


class Snapshot(Schema):
    """Everything up to this event's id in one event, for a watcher that needs events that the log no longer has."""

    type: Literal["snapshot"] = "snapshot"
    text: str
    items: tuple[Item, ...] = ()
    stage: str | None = None
    progress: float = Field(ge=0, le=100)


class Complete(Schema):
    """The job is completed. `result` is not stored: it is read from the last checkpoint when the event is sent."""

    type: Literal["complete"] = "complete"
    result: dict[str, Any] | None = None
    usage: TokenUsage


class Failed(Schema):
    """The job has failed: the error, and the ids to quote when you report it."""

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
    """The owner has cancelled the job. Its checkpoints and items are kept."""

    type: Literal["cancelled"] = "cancelled"
    stage: str | None = None


StoredEvent = Annotated[
    StageStarted | Progress | Delta | Tool | Item | Reset | Complete | Failed | Cancelled, Field(discriminator="type")
]
"""An event that the log stores."""

StreamEvent = Annotated[
    Connected | StageStarted | Progress | Delta | Tool | Item | Reset | Snapshot | Complete | Failed | Cancelled,
    Field(discriminator="type"),
]
"""An event that the stream sends."""

TERMINAL = frozenset({"complete", "error", "cancelled"})
"""The types of terminal events: each ends a generation of the job."""

STORED_EVENTS: TypeAdapter[tuple[StoredEvent, ...]] = adapter_of(tuple[StoredEvent, ...])
STREAM_EVENT: TypeAdapter[StreamEvent] = adapter_of(StreamEvent)
