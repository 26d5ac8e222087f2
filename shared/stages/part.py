"""A part of a fan-out and the context that it runs in: what an application's part uses of the core."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn, Protocol

from shared.log.events import ApplicationEvent
from shared.log.shared_writer import SharedWriter
from shared.stages.stage import AttemptContext

MAX_PART_EVENTS = 100
"""Maximum events of the application that one attempt at a part may append: all parts share one log."""


@dataclass(slots=True)
class PartContext(AttemptContext):
    """What one attempt at a part works with. `part` is its key, `title` its title, as the stage before named them."""

    can_reattach: ClassVar[bool] = False
    part: str = field(kw_only=True)
    title: str = field(kw_only=True)
    writer: SharedWriter = field(kw_only=True, repr=False)
    event_with_result: ApplicationEvent | None = field(default=None, init=False)
    _appended: int = field(default=0, init=False)

    async def append_event(self, event: ApplicationEvent) -> None:
        """Append one of the application's own events.

        An attempt that is retried may append it again; `append_with_result` appends an event exactly once.

        Raises ValueError if the pipeline does not declare the event, or after MAX_PART_EVENTS events.
        """
        declared = self.declared(event)
        if self._appended == MAX_PART_EVENTS:
            raise ValueError(f"a part may append at most {MAX_PART_EVENTS} events; this is one more")
        self._appended += 1
        await asyncio.to_thread(self.writer.append, lambda *_: (declared,))

    def append_with_result(self, event: ApplicationEvent) -> None:
        """Append one of the application's own events in the same write as the result, so watchers see it exactly once.

        A part has at most one such event. Raises ValueError for a second, or if the pipeline does not declare it.
        """
        if self.event_with_result is not None:
            raise ValueError("a part appends at most one event with its result")
        self.event_with_result = self.declared(event)

    @property
    def output(self) -> NoReturn:
        """Raise ValueError: texts of parts that run at the same time would mix."""
        raise ValueError("a part cannot write text to the stream; return it in the part's result")


class Part(Protocol):
    """A stage that runs in parts. `name` is the name of the stage and of its function."""

    name: str

    async def run(self, context: PartContext) -> dict[str, Any]:
        """Run one attempt at one part and return its result: JSON of at most 64 kB.

        The result becomes the item of this stage with the part's key. The stage after gets all results as
        `context.parts`.

        Raises:
            TransientFault: Step Functions retries the part.
            PermanentFault: the job fails. After a resumption only the parts without a result run.
        """
