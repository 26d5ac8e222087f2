"""The events of a job: those that the log stores and those that the stream sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError

from shared.errors import ErrorCode
from shared.log.usage import JobUsage
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
    """The model has called a tool, or the call has finished or failed. All events of one call have the same `key`."""

    type: Literal["tool"] = "tool"
    key: str | None = None
    title: str | None = Field(default=None, description="what the call does, in a few words for people")
    name: str
    status: Literal["started", "finished", "failed"]
    detail: dict[str, Any] = Field(default_factory=dict)


class Subtask(Schema):
    """A part of a stage's work begins, moves or ends. Events of one subtask have one `key`; the newest counts."""

    type: Literal["subtask"] = "subtask"
    key: str
    title: str
    status: Literal["started", "running", "finished", "failed"]
    progress: float | None = Field(default=None, ge=0, le=100)


class Item(Schema):
    """One finished piece of a long stage's work: a checkpoint inside the stage.

    `key` identifies the item. No retry, reset or resumption removes it. A retried attempt continues after the first
    `textLength` characters of the text, which belong to this item and the items before it.
    """

    type: Literal["item"] = "item"
    stage: str
    key: str
    data: dict[str, Any]
    text_length: int = Field(
        ge=0, description="how many characters (Unicode code points) of the text so far are kept with this item"
    )


class Reset(Schema):
    """`text` replaces the text so far, because a new attempt begins or the output is repaired."""

    type: Literal["reset"] = "reset"
    text: str
    progress: float = Field(ge=0, le=100)
    reason: ErrorCode | Literal["REPAIR", "RESTARTED", "RESUMED"]
    message: str
    attempt: int
    retry_count: int


class StoredReset(Schema):
    """A reset as the log stores it: it names the text that it keeps, so that every reset fits into one append.

    It keeps the first `kept_characters` characters (Unicode code points) of the text so far or, with `kept_of`
    "checkpoint", of the text of the last checkpoint. In a log of an earlier version it has the kept text as `text`.
    The stream sends a `Reset`.
    """

    type: Literal["reset"] = "reset"
    kept_of: Literal["text", "checkpoint"] = "text"
    kept_characters: int = Field(default=0, ge=0)
    text: str | None = None
    progress: float = Field(ge=0, le=100)
    reason: ErrorCode | Literal["REPAIR", "RESTARTED", "RESUMED"]
    message: str
    attempt: int
    retry_count: int

    def as_sent(self, text: str) -> Reset:
        """Return the event that the stream sends; `text` is the text that the reset keeps."""
        return Reset(
            text=text,
            progress=self.progress,
            reason=self.reason,
            message=self.message,
            attempt=self.attempt,
            retry_count=self.retry_count,
        )


class Snapshot(Schema):
    """Everything up to this event's id in one event, for a watcher that needs events that the log no longer has."""

    type: Literal["snapshot"] = "snapshot"
    text: str
    items: tuple[Item, ...] = ()
    subtasks: tuple[Subtask, ...] = ()
    stage: str | None = None
    progress: float = Field(ge=0, le=100)


class Complete(Schema):
    """The job is completed. `result` is not stored: it is read from the last checkpoint when the event is sent."""

    type: Literal["complete"] = "complete"
    result: dict[str, Any] | None = None
    usage: JobUsage


class Failed(Schema):
    """The job has failed: the error, the ids to quote when you report it, and the tokens that are known by then."""

    type: Literal["error"] = "error"
    code: ErrorCode
    message: str
    stage: str | None = None
    attempt: int
    retry_count: int
    retryable: bool = Field(description="whether the same request may succeed later")
    request_id: str | None = None
    trace_id: str | None = None
    usage: JobUsage | None = None  # None in a log of an earlier version


class Cancelled(Schema):
    """The owner has cancelled the job. Its checkpoints and items are kept.

    `usage` is what is known by then: an attempt that runs counts as one call in `unreportedCalls`. When it stops,
    within a second, it adds what it knows to the job.
    """

    type: Literal["cancelled"] = "cancelled"
    stage: str | None = None
    usage: JobUsage | None = None  # None in a log of an earlier version


class ApplicationEvent(Schema):
    """The base of the events that an application declares in `Pipeline.events`; `type` is a Literal with its name.

    The log stores such an event and the stream sends it. The transcript does not contain it, so a watcher who joins
    later may miss it: what no watcher may miss belongs in an item or in a subtask.
    """

    type: str


def type_of(event: type[ApplicationEvent]) -> str:
    """Return the name that an application's event declares as the default of its `type`."""
    return str(event.model_fields["type"].default)


class OpaqueEvent(ApplicationEvent):
    """An application's event as a reader sees it that does not know the application: its fields are as stored."""

    model_config = ConfigDict(extra="allow")


CoreEvent = Annotated[
    StageStarted | Progress | Delta | Tool | Subtask | Item | StoredReset | Complete | Failed | Cancelled,
    Field(discriminator="type"),
]
StoredEvent: TypeAlias = CoreEvent | ApplicationEvent
"""An event that the log stores."""

CoreStreamEvent = Annotated[
    Connected
    | StageStarted
    | Progress
    | Delta
    | Tool
    | Subtask
    | Item
    | Reset
    | Snapshot
    | Complete
    | Failed
    | Cancelled,
    Field(discriminator="type"),
]
StreamEvent: TypeAlias = CoreStreamEvent | ApplicationEvent
"""An event that the stream sends."""

TERMINAL = frozenset({"complete", "error", "cancelled"})
"""The types of terminal events: each ends a generation of the job."""

CORE_TYPES = TERMINAL | {
    "connected",
    "stage",
    "progress",
    "delta",
    "tool",
    "subtask",
    "item",
    "reset",
    "snapshot",
}
"""The types of the core's events, which no application may declare."""


def _kind_of(event: Any) -> str:
    kind = event.get("type") if isinstance(event, dict) else getattr(event, "type", None)
    return "core" if kind in CORE_TYPES else "application"


_CORE_EVENTS: TypeAdapter[tuple[CoreEvent, ...]] = adapter_of(tuple[CoreEvent, ...])
_EVENTS: TypeAdapter[tuple[CoreEvent | OpaqueEvent, ...]] = adapter_of(
    tuple[
        Annotated[
            Annotated[CoreEvent, Tag("core")] | Annotated[OpaqueEvent, Tag("application")],
            Discriminator(_kind_of),
        ],
        ...,
    ]
)
CORE_STREAM_EVENT: TypeAdapter[CoreStreamEvent] = adapter_of(CoreStreamEvent)


def dump_events(events: Sequence[StoredEvent]) -> str:
    """Return the events as JSON text for storing, without nulls."""
    return f"[{','.join(event.model_dump_json(exclude_none=True) for event in events)}]"


def parse_events(text: str) -> tuple[StoredEvent, ...]:
    """Parse what `dump_events` returned; an application's events become OpaqueEvents."""
    try:
        return _CORE_EVENTS.validate_json(text)
    except ValidationError:
        # An application's event among them. The adapter that knows them is slower, and most batches have none.
        return _EVENTS.validate_json(text)


def parse_stream_event(text: str) -> StreamEvent:
    """Parse the data of one event of a stream; an application's event becomes an OpaqueEvent."""
    try:
        return CORE_STREAM_EVENT.validate_json(text)
    except ValidationError:
        event = OpaqueEvent.model_validate_json(text)
        if event.type in CORE_TYPES:
            raise
        return event
