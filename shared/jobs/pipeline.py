"""Pipelines: the kinds of jobs, each with its input, its stages in order and its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import Field

from shared.log.events import CORE_TYPES, ApplicationEvent, type_of
from shared.schema import Schema

if TYPE_CHECKING:
    from shared.jobs.checkpoints import StageOutput
    from shared.jobs.job import Job
    from shared.log.events import Item


class JobInput(Schema):
    """The fields that every pipeline's input has besides its own."""

    custom_model: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="an allowed model, to use instead of the agent's or the default model",
    )
    agent_id: str | None = Field(default=None, min_length=1, max_length=64, description="the id of one of your agents")


LONGEST_SECONDS = 86_400
"""Longest time that a job may run, and that it may be kept afterwards."""

LONGEST_INVOCATION_SECONDS = 900
"""Lambda's longest timeout: how long a function may still run that was invoked just before a time limit."""

STAGE_SECONDS = 310
"""Time limit of a stage's state in the state machine, if the pipeline sets no other."""


@dataclass(frozen=True, slots=True)
class RunRecording:
    """How a pipeline's jobs are recorded as runs, which do not expire (`shared/runs`).

    `title` and `parameters` compute the run's title and its first artefact from a new job. `outputs` computes the
    artefacts of an ended job, as content by role: from its result if it has completed, otherwise from its items.
    """

    title: Callable[[Job], str]
    parameters: Callable[[Job], Mapping[str, Any]]
    outputs: Callable[[Job, Mapping[str, Any] | None, Sequence[Item]], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One kind of job.

    `stages` are the names of its stage functions in order. `run_seconds` is the time limit of its state machine, and
    `stage_seconds` are the time limits of its states, by stage, where they are not STAGE_SECONDS;
    `max_retries` is how often the state machine retries a state. The retentions are seconds after the job ended; None
    means the default of the settings. `refuse_resume` gets a job's input and the outputs of its finished stages by
    stage; it returns the reason why the job cannot resume from them, or None. `recording` is None if the pipeline
    records no runs. `events` are the application's own events, which its stages may append. `parts` are the stages that
    are fan-outs: each runs in parts, which the stage before names and whose results the stage after gets. If
    `repeats_first_stage`, a resumed job runs its first stage again, although it has finished: it waits for a turn.
    `title` gets a job's input, of the type `input_model`, and returns the text by which its owner recognizes the job.
    """

    name: str
    input_model: type[JobInput]
    result_model: type[Schema]
    stages: tuple[str, ...]
    run_seconds: int = 3600
    stage_seconds: Mapping[str, int] = field(default_factory=dict)
    max_retries: int = 3
    retention_seconds: int | None = None
    failed_retention_seconds: int | None = None
    recording: RunRecording | None = None
    refuse_resume: Callable[[JobInput, Mapping[str, StageOutput]], str | None] | None = None
    events: tuple[type[ApplicationEvent], ...] = ()
    parts: frozenset[str] = frozenset()
    repeats_first_stage: bool = False
    title: Callable[[Any], str] | None = None

    def __post_init__(self) -> None:
        for name in ("run_seconds", "retention_seconds", "failed_retention_seconds"):
            seconds = getattr(self, name)
            if seconds is not None and not 1 <= seconds <= LONGEST_SECONDS:
                raise ValueError(f"{self.name}: {name} must be from 1 to {LONGEST_SECONDS}")
        taken = {type_of(event) for event in self.events} & CORE_TYPES
        if taken:
            raise ValueError(f"{self.name}: {', '.join(sorted(taken))} are event types of the core; choose other names")
        for stage in sorted(self.parts):
            self._check_fan_out(stage)
        if self.repeats_first_stage and self.stages[1:2] and self.stages[1] in self.parts:
            raise ValueError(f"{self.name}: {self.stages[0]} names the parts of a fan-out, so it must not be repeated")

    def _check_fan_out(self, stage: str) -> None:
        if stage not in self.stages:
            raise ValueError(f"{self.name}: {stage} of `parts` is no stage of the pipeline")
        before, after = self.stages[: self.index_of(stage)], self.stages[self.index_of(stage) + 1 :]
        if not before or not after or after[0] in self.parts:
            raise ValueError(
                f"{self.name}: {stage} of `parts` must have a stage that is no fan-out before and after it"
            )

    def stage_limit(self, stage: str | None) -> int:
        """Return the time limit in seconds of one attempt at the stage; of the first stage if `stage` is None."""
        return self.stage_seconds.get(stage or self.stages[0], STAGE_SECONDS)

    def index_of(self, stage: str) -> int:
        """Return the index of a stage, from 0."""
        return self.stages.index(stage)

    def is_repeated(self, stage: str) -> bool:
        """Return whether a resumed job runs the stage again that has finished."""
        return self.repeats_first_stage and self.index_of(stage) == 0

    def stage_before(self, stage: str) -> str | None:
        """Return the stage before this one; None for the first."""
        index = self.index_of(stage)
        return self.stages[index - 1] if index else None

    def fan_out_after(self, stage: str) -> str | None:
        """Return the next stage if it is a fan-out; None otherwise."""
        following = self.stages[self.index_of(stage) + 1 :]
        return following[0] if following and following[0] in self.parts else None


class Pipelines(Mapping[str, Pipeline]):
    """Some pipelines by name, in alphabetical order."""

    def __init__(self, *pipelines: Pipeline) -> None:
        self._by_name = {pipeline.name: pipeline for pipeline in sorted(pipelines, key=lambda each: each.name)}

    def __getitem__(self, name: str) -> Pipeline:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)
