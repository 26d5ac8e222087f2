"""A stage of a pipeline and the context that it runs in: the only part of the core that an application's stage uses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from shared.agents.agent import Agent
from shared.jobs.checkpoints import StageOutput
from shared.jobs.job import Job
from shared.jobs.pipeline import JobInput
from shared.log.events import ApplicationEvent
from shared.log.usage import TokenUsage
from shared.log.writer import LogWriter
from shared.stages.attempt_guard import AttemptGuard


@dataclass(slots=True)
class AttemptContext:
    """What every attempt works with, of a stage or of a part of one: the job and its valid input.

    `previous` is the output of the stage before; None in the first stage. Parts of a fan-out, and the stage after it,
    get that of the stage that named the parts.
    `cancel_response` is set while a model response runs that outlives its connection. The runner calls it if no later
    attempt will re-attach to the response.
    `agent` is the version of the agent that was the latest when the job was created; None if the job has no agent.
    `usage` is the number of model tokens that this attempt has used.
    `left_running` is what a response has used that runs at the provider without a reader: the next attempt counts it,
    if it reads the response on.
    """

    job: Job
    input: JobInput
    previous: StageOutput | None
    cancel_response: Callable[[], Awaitable[None]] | None = field(default=None, kw_only=True)
    agent: Agent | None = field(default=None, kw_only=True)
    usage: TokenUsage = field(default_factory=TokenUsage, kw_only=True)
    events: tuple[type[ApplicationEvent], ...] = field(default=(), kw_only=True)
    left_running: TokenUsage | None = field(default=None, kw_only=True)
    can_reattach: ClassVar[bool] = True
    """Whether a later attempt may read on a response that this one leaves running."""

    def add_usage(self, usage: TokenUsage) -> None:
        """Count model tokens. They are added to the job when the attempt ends, whether it finishes or not."""
        self.usage = self.usage + usage

    def count_left_running(self) -> None:
        """Count the response that is left running, if there is one, because no later attempt reads it on."""
        if self.left_running is not None:
            self.add_usage(self.left_running)
            self.left_running = None

    def declared(self, event: ApplicationEvent) -> ApplicationEvent:
        """Return the event. Raises ValueError if the pipeline does not declare it."""
        if type(event) not in self.events:
            raise ValueError(f"the pipeline {self.job.pipeline} must declare the event {event.type} in its `events`")
        return event


@dataclass(slots=True)
class StageContext(AttemptContext):
    """What one attempt of a stage works with: besides the job, the writer for its output.

    `guard` is for what the stage writes outside of the job: a write with its condition fails when a newer attempt has
    begun or the job has ended.
    `response_cursor` is set if an earlier attempt started a model response that this attempt can re-attach to: the
    position in the response at the end of the log's text.
    `items` are the items of this stage by key, from this attempt and from earlier ones.
    `parts` are the results of the fan-out before this stage by key, in the order in which its parts were named; empty
    if the stage before is no fan-out.
    """

    output: LogWriter = field(kw_only=True)
    guard: AttemptGuard = field(kw_only=True)
    response_cursor: str | None = field(default=None, kw_only=True)
    items: dict[str, dict[str, Any]] = field(default_factory=dict, kw_only=True)
    parts: Mapping[str, dict[str, Any]] = field(default_factory=dict, kw_only=True)

    async def add_item(
        self,
        key: str,
        data: dict[str, Any],
        *,
        event: ApplicationEvent | None = None,
        then: ApplicationEvent | None = None,
    ) -> None:
        """Append one finished item and the text so far. A retried attempt finds it in `items` and continues after it.

        `data` is JSON of at most 64 kB. Watchers get the item as an event of the stream. `event`, and `then` behind it,
        are the application's own events; they are appended in the same write, so watchers see them exactly once. Raises
        ValueError if `data` is larger, or if the pipeline does not declare an event.
        """
        events = tuple(self.declared(each) for each in (event, then) if each is not None)
        await self.output.append_item(str(self.job.stage), key, data, events=events)
        self.items[key] = data

    async def append_event(self, *events: ApplicationEvent) -> None:
        """Append some of the application's own events in one write. Raises ValueError if the pipeline declares one not.

        An attempt that is retried may append them again; `add_item` appends an event exactly once.
        """
        await self.output.append(*map(self.declared, events))


class Stage(Protocol):
    """A stage of a pipeline. `name` is the name of its function."""

    name: str

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Run one attempt and return the stage's output, which the next stage gets as `context.previous`.

        Before a fan-out the output has `parts`: a list of the parts' keys, or a mapping of keys to titles.

        Raises:
            TransientFault: Step Functions retries the stage.
            PermanentFault: the job fails.
        """
