"""What the demo needs to know of a pipeline: a subclass each, in local/demo/apps/<pipeline>.py."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, ClassVar, Self

from rich.console import RenderableType

from local.api.client import JobsClient
from local.demo.screen import Paragraph, Screen
from local.stack import LocalStack
from shared.log.events import StreamEvent
from shared.log.transcript import Transcript
from shared.web.jobs import JobAccepted
from shared.web.runs import RunAccepted

Accepted = JobAccepted | RunAccepted


class Showing:
    """What there is to show of a job besides the job itself: nothing, for most pipelines. A context manager."""

    def __init__(self, stack: LocalStack, client: JobsClient, screen: Screen, job: Accepted) -> None:
        self.stack = stack
        self.client = client
        self.screen = screen
        self.job = job

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def event(self, number: int, event: StreamEvent, now: Transcript) -> None:
        """The job's stream has brought this."""

    def afterwards(self) -> None:
        """The job has completed, and its result was shown. Raises ClientError."""

    def close(self) -> None:
        """Nobody looks any more."""


class PipelineDemo(ABC):
    """`directive`: an instruction to the scripted model, which a real one would make nothing of."""

    pipeline: ClassVar[str]
    environment: ClassVar[Mapping[str, str]] = {}
    """What the demo's stack is told besides."""

    showing: ClassVar[type[Showing]] = Showing

    @abstractmethod
    def __init__(self, directive: str | None = None) -> None: ...

    @property
    @abstractmethod
    def wish(self) -> str:
        """What is asked for, in a line."""

    @property
    @abstractmethod
    def job_input(self) -> Mapping[str, Any]: ...

    @abstractmethod
    def preview(self, text: str) -> list[Paragraph]:
        """The streamed text so far as a person would read it; what is followed by a further line never changes."""

    @abstractmethod
    def cards(self, result: Mapping[str, Any]) -> Iterable[RenderableType]:
        """The result."""

    def create(self, client: JobsClient) -> Accepted:
        """Ask for the job. Raises ClientError."""
        return client.create(self.pipeline, self.job_input)
