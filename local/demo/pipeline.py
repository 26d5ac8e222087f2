"""What the demo must know about a pipeline: one subclass for each, in `local/demo/apps/<app>.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

from rich.console import RenderableType

from local.api.client import JobsClient
from local.applications import modules_of
from local.demo import apps
from local.demo.screen import Paragraph, Screen
from local.stack import LocalStack
from shared.jobs.pipeline import Pipeline
from shared.log.events import StreamEvent
from shared.log.transcript import Transcript


class Accepted(Protocol):
    """What every response to the creation of a job has."""

    @property
    def job_id(self) -> str: ...

    @property
    def stream_url(self) -> str: ...


class Extras:
    """What the demo shows of a pipeline besides the job: nothing, unless a subclass does. A context manager."""

    def __init__(self, stack: LocalStack, client: JobsClient, screen: Screen) -> None:
        self.stack = stack
        self.client = client
        self.screen = screen

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def on_acceptance(self, job: Accepted) -> None:
        """Called after the job was created. Raises ClientError."""

    def on_event(self, number: int, event: StreamEvent, now: Transcript) -> None:
        """Called for each event of the job's stream, with the transcript up to and including it."""

    def on_completion(self) -> None:
        """Called after the result was shown. Raises ClientError."""

    def close(self) -> None:
        """Called at the end of the demo, however it ends."""

    def cost_of(self, job_id: str) -> str:
        """Return what a job has used: the model's tokens, and DynamoDB's units."""
        units = self.stack.capacity(job_id)
        usage = self.client.get(job_id).usage
        tokens = f"{usage.input_tokens} tokens in, {usage.output_tokens} out"
        return f"{tokens}, {units['writeUnits']:g} write units, {units['readUnits']:g} read units"


class PipelineDemo(ABC):
    """One example job. `directive` is an instruction to the scripted model, such as "token_ms=50"."""

    pipeline: ClassVar[Pipeline]
    name: ClassVar[str | None] = None
    """What `--pipeline` calls the demo, if it is not the pipeline's name."""

    begins_with_job: ClassVar[bool] = True
    """Whether the job needs nothing that is created before it. `make dev` prints commands for such demos only."""

    path: ClassVar[str] = "/jobs"
    """Path of the operation that creates the job."""

    environment: ClassVar[Mapping[str, str]] = {}
    """Function variables that the demo's stack overrides."""

    extras: ClassVar[type[Extras]] = Extras

    @abstractmethod
    def __init__(self, directive: str | None = None) -> None: ...

    @property
    @abstractmethod
    def summary(self) -> str:
        """The request in one line."""

    @property
    @abstractmethod
    def job_input(self) -> Mapping[str, Any]: ...

    @abstractmethod
    def preview(self, text: str) -> list[Paragraph]:
        """Return the text that was streamed so far as paragraphs to read. Only the last one may change later."""

    @abstractmethod
    def cards(self, result: Mapping[str, Any]) -> Iterable[RenderableType]:
        """Return the result as panels to print."""

    @property
    def body(self) -> Mapping[str, Any]:
        """The JSON to send to `path`."""
        return {"pipeline": self.pipeline.name, "input": self.job_input}

    def prepare(self, client: JobsClient) -> None:  # noqa: B027 - most jobs need nothing
        """Make what the job needs, also with other jobs; `make cost` does not count it. Raises ClientError."""

    def create(self, client: JobsClient) -> Accepted:
        """Create the job, after `prepare`. Raises ClientError."""
        return client.create(self.pipeline.name, self.job_input)


def demos() -> dict[str, type[PipelineDemo]]:
    """Return the demos of all applications by their name: those in `DEMOS` of each module of `apps`."""
    return {demo.name or demo.pipeline.name: demo for module in modules_of(apps) for demo in module.DEMOS}


def guides() -> dict[str, type[PipelineDemo]]:
    """Return the demos that `make dev` prints commands for."""
    return {name: demo for name, demo in demos().items() if demo.begins_with_job}
