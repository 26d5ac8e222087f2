"""The view of a job, to which every event of its log is applied once, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from millrace_client import models
from millrace_client._model import ApiModel
from millrace_client.errors import Unreadable

Outcome: TypeAlias = Literal["complete", "error", "cancelled"]

OUTCOME_OF_STATUS: dict[str, Outcome] = {"completed": "complete", "failed": "error", "cancelled": "cancelled"}
"""How the statuses of jobs that have ended are called in the events."""

ENDED_SUBTASKS = frozenset({"finished", "failed"})


class UnknownEvent(ApiModel):
    """An event of a newer server. Its fields are attributes."""

    model_config = ConfigDict(extra="allow")

    type: str


Event: TypeAlias = models.StreamEvent | UnknownEvent

K = TypeVar("K", models.Item, models.Subtask)

_EVENTS: TypeAdapter[models.StreamEvent] = TypeAdapter(models.StreamEvent)
_KNOWN = frozenset(models.EVENT_TYPES)


@dataclass(frozen=True, slots=True)
class WatchedEvent:
    """An event with its number in the job's log, from 1."""

    id: int
    event: Event


class Gap(Exception):
    """An event is missing: the number of the received event is not the next one."""


def parse_event(data: str) -> Event:
    """Return the event with this JSON. Raises Unreadable."""
    try:
        event = UnknownEvent.model_validate_json(data)
        return _EVENTS.validate_json(data) if event.type in _KNOWN else event
    except ValidationError as error:
        raise Unreadable(f"the stream has an event that this client cannot read: {error}") from error


@dataclass(slots=True)
class JobView:
    """What a watch knows of its job. `last_event_id` is the number of the last event that it contains.

    `outcome`, `result`, `failure` and `usage` are None until the job has ended. `resets` has a note for each attempt
    that was given up, `news` the newest of the application's own events with each type and key.
    """

    job_id: str | None = None
    pipeline: str | None = None
    last_event_id: int = 0
    stage: str | None = None
    progress: float = 0
    attempt: int = 1
    retry_count: int = 0
    items: list[models.Item] = field(default_factory=list)
    tools: list[models.Tool] = field(default_factory=list)
    subtasks: list[models.Subtask] = field(default_factory=list)
    resets: list[models.Reset] = field(default_factory=list)
    news: list[Event] = field(default_factory=list)
    outcome: Outcome | None = None
    result: dict[str, Any] | None = None
    failure: models.Failed | models.Fault | None = None
    usage: models.JobUsage | None = None
    _parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The model's text so far."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def apply(self, event_id: int, event: Event) -> bool:
        """Apply the event, and return True; return False if the view contains it already. Raises Gap."""
        if event_id <= self.last_event_id:
            return False
        if event_id != self.last_event_id + 1 and not isinstance(event, models.Snapshot):
            raise Gap(f"event {event_id} arrived after event {self.last_event_id}")
        self._apply(event)
        self.last_event_id = event_id
        return True

    def replace_by(self, job: models.JobDetail) -> None:
        """Take over the API's response about this job. What the response leaves out because of its size stays."""
        left_out = set(job.omitted)
        self.job_id, self.pipeline, self.stage = job.job_id, job.pipeline, job.stage
        self.progress, self.attempt, self.retry_count = job.progress, job.attempt, job.retry_count
        self.last_event_id = max(self.last_event_id, job.last_event_id)
        self.outcome = OUTCOME_OF_STATUS.get(job.status)
        self.failure, self.usage = job.failure, job.usage
        if "text" not in left_out:
            self._parts = [job.text]
        if "items" not in left_out:
            self.items = list(job.items)
        if "subtasks" not in left_out:
            self.subtasks = list(job.subtasks)
        if "result" not in left_out:
            self.result = job.result

    def _apply(self, event: Event) -> None:
        match event:
            case models.Delta():
                self._parts.append(event.text)
            case models.Progress():
                self.progress = event.progress
            case models.StageStarted():
                self.stage, self.attempt = event.stage, event.attempt
            case models.Item():
                _replace_or_append(self.items, event)
            case models.Subtask():
                _replace_or_append(self.subtasks, event)
            case models.Tool():
                self._apply_tool(event)
            case models.Reset() | models.Snapshot():
                self._apply_text_again(event)
            case models.Complete() | models.Failed() | models.Cancelled():
                self._end(event)
            case models.Connected():
                pass  # not in the log
            case _:
                self._add_news(event)

    def _apply_tool(self, event: models.Tool) -> None:
        self.tools.append(event)
        if event.key is None:
            return
        title = event.title or event.name
        subtask = models.Subtask(type="subtask", key=event.key, title=title, status=event.status, progress=None)
        _replace_or_append(self.subtasks, subtask)

    def _apply_text_again(self, event: models.Reset | models.Snapshot) -> None:
        self._parts, self.progress = [event.text], event.progress
        # A resumed job appends to the log in which it had ended.
        self.outcome = self.failure = None
        if isinstance(event, models.Snapshot):
            self.stage, self.items, self.subtasks = event.stage, list(event.items), list(event.subtasks)
            return
        self.result = None
        self.attempt, self.retry_count = event.attempt, event.retry_count
        self.resets.append(event)
        # The next attempt begins the unfinished subtasks again, or not at all.
        self.subtasks = [each for each in self.subtasks if each.status in ENDED_SUBTASKS]

    def _end(self, event: models.Complete | models.Failed | models.Cancelled) -> None:
        self.usage = event.usage
        match event:
            case models.Complete():
                self.outcome, self.progress, self.result = "complete", 100, event.result
            case models.Failed():
                self.outcome, self.failure = "error", event
            case models.Cancelled():
                self.outcome = "cancelled"

    def _add_news(self, event: Event) -> None:
        kind = (event.type, getattr(event, "key", None))
        self.news = [each for each in self.news if (each.type, getattr(each, "key", None)) != kind]
        self.news.append(event)


def _replace_or_append(known: list[K], event: K) -> None:
    """Let the newest event of an item or a subtask take the place of the one with its key, or add it."""
    place = next((index for index, each in enumerate(known) if each.key == event.key), len(known))
    known[place : place + 1] = [event]
