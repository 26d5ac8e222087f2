"""Pipelines: what a job can be asked to do, and in which stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from shared.schema import Schema

if TYPE_CHECKING:
    from shared.jobs.checkpoints import StageOutput
    from shared.jobs.job import Job
    from shared.log.events import Item


class JobInput(Schema):
    """What every pipeline's input can name besides its own fields."""

    custom_model: str | None = Field(
        default=None, min_length=1, max_length=128, description="a model of the allow-list, instead of the default one"
    )
    agent_id: str | None = Field(
        default=None, min_length=1, max_length=64, description="a stored agent of the caller's"
    )


LONGEST_SECONDS = 86_400
"""The most that a job may run, and the most that it may be kept: its events and checkpoints are stored for two days."""


@dataclass(frozen=True, slots=True)
class RunRecording:
    """What of a pipeline's jobs is kept for good, as a run of its own (`shared/runs`).

    `title` and `parameters` are made of a new job. `outputs` is asked when a job ends, with its result if it completed
    and with the items it has kept if it did not: it answers contents by role, which become artefacts.
    """

    title: Callable[[Job], str]
    parameters: Callable[[Job], Mapping[str, Any]]
    outputs: Callable[[Job, Mapping[str, Any] | None, Sequence[Item]], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One kind of job.

    `stages` are the names of its stage functions in order, `run_seconds` the state machine's own time limit,
    `max_retries` how often it retries a state after a fault. Retentions (seconds after the end) fall back to the
    settings when None. `refuse_resume` looks at a job's input and at the outputs of its finished stages, and answers
    why they no longer fit what they are about as it is now, or None. `recording` is what of a job
    outlives it, if anything.
    """

    name: str
    input_model: type[JobInput]
    result_model: type[Schema]
    stages: tuple[str, ...]
    run_seconds: int = 3600
    max_retries: int = 3
    retention_seconds: int | None = None
    failed_retention_seconds: int | None = None
    recording: RunRecording | None = None
    refuse_resume: Callable[[JobInput, Mapping[str, StageOutput]], str | None] | None = None

    def __post_init__(self) -> None:
        for name in ("run_seconds", "retention_seconds", "failed_retention_seconds"):
            seconds = getattr(self, name)
            if seconds is not None and not 1 <= seconds <= LONGEST_SECONDS:
                raise ValueError(f"{self.name}: {name} must be from 1 to {LONGEST_SECONDS}")

    def index_of(self, stage: str) -> int:
        return self.stages.index(stage)


class Pipelines(Mapping[str, Pipeline]):
    """All pipelines by name."""

    def __init__(self, *pipelines: Pipeline) -> None:
        self._by_name = {pipeline.name: pipeline for pipeline in sorted(pipelines, key=lambda each: each.name)}

    def __getitem__(self, name: str) -> Pipeline:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)
