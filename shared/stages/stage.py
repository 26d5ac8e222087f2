"""A stage of a pipeline, and the context it runs in: all of the core that an application's stage touches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.agents.agent import Agent
from shared.jobs.checkpoints import StageOutput
from shared.jobs.job import Job
from shared.jobs.pipeline import JobInput
from shared.log.usage import TokenUsage
from shared.log.writer import LogWriter


@dataclass(slots=True)
class StageContext:
    """What a stage works with: the job and its checked input, what earlier stages left, and the stream to write to.

    `resume_from`: the stream's text ends in a model response that is still to be had and goes on at this cursor. A
    stage sets `release` while such a response runs for it: called when the job has ended and nobody will resume it.
    `agent` is the job's agent as it was when the job was made.
    `items` are what this stage has kept so far, by key, in this attempt and in those before it.
    """

    job: Job
    input: JobInput
    previous: StageOutput | None
    output: LogWriter
    response_cursor: str | None = None
    release: Callable[[], Awaitable[None]] | None = None
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    agent: Agent | None = None
    usage: TokenUsage = field(default_factory=TokenUsage)

    async def add_item(self, key: str, data: dict[str, Any]) -> None:
        """Checkpoint one finished item, with all text so far: a retried attempt finds it in `items`, and begins there.

        `data` is JSON of at most 64 kB. The item is an event of the job's stream, too.
        """
        await self.output.append_item(str(self.job.stage), key, data)
        self.items[key] = data

    def add_usage(self, usage: TokenUsage) -> None:
        """Count model tokens; they are on the job once the stage is done."""
        self.usage = self.usage + usage


class Stage(Protocol):
    """A stage of a pipeline. `name` is its function's name; `run` answers what the next stage needs."""

    name: str

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Raises the faults of `shared/errors.py`: a TransientFault is tried again, a PermanentFault fails the job."""
