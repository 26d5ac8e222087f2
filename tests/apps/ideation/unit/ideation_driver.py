"""An ideation job, short ways to run its stages, and outputs for its model."""

from __future__ import annotations

import json
from typing import Any, Generic, TypeVar

from shared.apps.ideation.pipeline import PIPELINE
from shared.apps.ideation.stages import ArrangeIdeas, GenerateIdeas, PrepareIdeas
from shared.jobs.job import Job
from shared.jobs.pipeline import Pipelines
from shared.llm.model import ChatModel
from shared.log.events import Item, Reset
from tests.fakes.core import FakeCore
from tests.fakes.event_log import FakeEventLog

Model = TypeVar("Model", bound=ChatModel)

INPUT: dict[str, Any] = {
    "platform": "mobile game",
    "genrePaths": [["Fiction", "Mystery"], ["Sport"], ["Music"]],
    "genreProportions": [50, 30, 20],
}


def draft(title: str, **changes: Any) -> dict[str, Any]:
    return {"title": title, "logline": f"{title} in a line.", "description": f"All about {title}.", **changes}


def drafts(prefix: str, count: int) -> list[dict[str, Any]]:
    return [draft(f"{prefix}{number}") for number in range(1, count + 1)]


def output_of(**lists: list[Any]) -> str:
    return json.dumps(lists)


TEN = output_of(g1=drafts("M", 5), g2=drafts("S", 3), g3=drafts("B", 2))


class IdeationDriver(Generic[Model]):
    """An ideation job; each attempt has a new runner, and earlier stages run first if they have no checkpoint."""

    def __init__(self, model: Model, *, event_log: FakeEventLog | None = None, **changes: Any) -> None:
        self.core = FakeCore(event_log=event_log, pipelines=Pipelines(PIPELINE))
        self.model = model
        self.job = self.core.new_job(pipeline="ideation", input={**INPUT, **changes}, model="scripted-1")

    def prepare(self, *, retry: int = 0) -> None:
        self.core.run(PrepareIdeas(), self.job, retry=retry)

    def generate(self, *, retry: int = 0) -> None:
        if "prepare_ideas" not in self.stored().checkpoints:
            self.prepare()
        self.core.run(GenerateIdeas(self.model), self.job, retry=retry)

    def arrange(self, *, retry: int = 0) -> None:
        if "generate_ideas" not in self.stored().checkpoints:
            self.generate()
        self.core.run(ArrangeIdeas(self.model), self.job, retry=retry)

    def stored(self) -> Job:
        return self.core.job(self.job.id)

    def output(self, stage: str) -> dict[str, Any]:
        return self.core.checkpoints.get(self.job.id, stage, self.stored().checkpoints[stage]).output

    @property
    def text(self) -> str:
        return self.core.transcript(self.job).text

    @property
    def lines(self) -> list[str]:
        """The titles of the ideas in the text, whose every line is complete."""
        *lines, rest = self.text.split("\n")
        assert rest == ""
        return [json.loads(line)["title"] for line in lines]

    @property
    def item_titles(self) -> list[str]:
        """The titles of the items, in the order of the log."""
        return [event.data["title"] for event in self.core.events(self.job) if isinstance(event, Item)]

    @property
    def resets(self) -> list[Reset]:
        return [event for event in self.core.events(self.job) if isinstance(event, Reset)]
