"""The story of one job: everything that is known about it at the end of a run, with its stored log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.log.fence import Fence
from shared.storage import keys
from tests.api_user import Event
from tests.chaos.application import Application, Subject, applications
from tests.chaos.injections import Injected
from tests.chaos.plan import JobPlan
from tests.chaos.watcher import Watcher


@dataclass(slots=True)
class ModelCall:
    """One request to the model: what its user messages say, and whether it repairs an earlier output.

    `messages` are those of the scripted model's record; `output` is the name of the format that is asked for.
    """

    prompt: str
    arrived_at: float
    repair: bool
    messages: list[dict[str, Any]]
    output: str | None

    @classmethod
    def of(cls, record: dict[str, Any]) -> ModelCall:
        return cls(
            prompt="\n".join(each["content"] for each in record["messages"] if each["role"] == "user"),
            arrived_at=record["arrived_at"],
            repair=any(each["role"] == "assistant" for each in record["messages"]),
            messages=record["messages"],
            output=record["schema_name"],
        )


@dataclass(slots=True)
class JobStory:
    """One job: its plan, its injected faults, its watchers' events, its stored items and its responses.

    `stored` are the items of its partition by sort key. `also` are the responses of the operations that
    `Application.also_shown` names; None for an operation that did not show the job. `found` is what
    `Application.evidence` has returned. `follower` watches the application's topic, whose stored events are
    `topic_events`.
    """

    plan: JobPlan
    job_id: str
    page: str
    created_at: float
    watchers: list[Watcher]
    injected: list[Injected]
    problems: list[str]
    subject: Subject = field(default_factory=dict)
    owner: str = ""
    follower: Watcher | None = None
    topic_events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    took: float = 0
    shown: dict[str, Any] = field(default_factory=dict)
    also: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    invocations: list[dict[str, Any]] = field(default_factory=list)
    model_calls: list[ModelCall] = field(default_factory=list)

    @property
    def application(self) -> Application:
        return applications()[self.plan.application]

    @property
    def subtask_titles(self) -> dict[str, str]:
        """Return the title of each subtask that the job shows, by key."""
        return {each["key"]: each["title"] for each in self.shown["subtasks"]}

    @property
    def abandoned(self) -> int:
        """Return the number of attempts that Step Functions lost but that continued."""
        return sum(each["abandoned"] for each in self.invocations)

    @property
    def strays(self) -> int:
        """Return the number of attempts that may call the model although another one has the stage."""
        return self.abandoned + sum(each.what in {"duplicate", "late duplicate"} for each in self.injected)

    @property
    def resumptions(self) -> int:
        """Return how often the job was resumed."""
        return len(self.watchers[0].returned_at)


@dataclass(frozen=True, slots=True)
class Stored:
    """One event of the stored log; `at` in Unix seconds."""

    id: int
    type: str
    data: dict[str, Any]
    fence: Fence
    at: float


def stored_log(story: JobStory) -> list[Stored]:
    """Return the stored log as far back as it reaches."""
    items = [item for sort, item in sorted(story.stored.items()) if sort.startswith(keys.EVENT_PREFIX)]
    return [
        Stored(item["seq"] + position, event["type"], event, Fence.parse(item["fence"]), item["at"] / 1000)
        for item in items
        for position, event in enumerate(json.loads(item["events"]))
    ]


def stored_fences(story: JobStory) -> list[Fence]:
    """Return the fence of each stored batch, also of those that compaction has emptied, in the log's order."""
    items = [item for sort, item in sorted(story.stored.items()) if sort.startswith(keys.EVENT_PREFIX)]
    return [Fence.parse(item["fence"]) for item in items]


def items_of(events: Sequence[Event]) -> dict[str, Any]:
    """Return the items that a client shows after these events, by key."""
    items: dict[str, Any] = {}
    for event in events:
        match event.type:
            case "item":
                items[event.data["key"]] = without_nulls(event.data)
            case "snapshot":
                items = {item["key"]: without_nulls(item) for item in event.data["items"]}
    return items


def subtasks_of(events: Sequence[Event]) -> dict[str, tuple[str, str]]:
    """Return title and status of the subtasks that a client shows after these events, by key; tool calls are some."""
    subtasks: dict[str, tuple[str, str]] = {}
    for event in events:
        data = event.data
        match event.type:
            case "subtask" | "tool":
                subtasks[data["key"]] = (data["title"], data["status"])
            case "reset":
                subtasks = {key: each for key, each in subtasks.items() if each[1] in {"finished", "failed"}}
            case "snapshot":
                subtasks = {each["key"]: (each["title"], each["status"]) for each in data["subtasks"]}
    return subtasks


def without_nulls(value: Any) -> Any:
    """Leave out fields without a value, as the stored log does."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return value
