"""The data about a pipeline that chaos needs; `tests/apps/<app>/chaos.py` defines APPLICATIONS."""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from tests.applications import modules

if TYPE_CHECKING:
    from local.stack import LocalStack
    from tests.chaos.plan import Scenario, Sight
    from tests.chaos.story import JobStory

Subject: TypeAlias = Mapping[str, Any]
"""What the creation of a job has returned, with the fields that `Application.prepare` added to its request."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A change that breaks a promise in a correct story, and a part of the verdict's message about it."""

    how: Callable[[JobStory], None]
    complaint: str


async def no_fields(_stack: LocalStack, _api: httpx.AsyncClient, _page: str) -> dict[str, Any]:
    """Return no further fields of a request."""
    return {}


def no_request(_page: str, _script: str) -> tuple[str, dict[str, Any]]:
    """Raise NotImplementedError: the application has no such request."""
    raise NotImplementedError


async def no_evidence(_stack: LocalStack, _api: httpx.AsyncClient, _story: JobStory) -> dict[str, Any]:
    """Return nothing: what the job shows is enough."""
    return {}


async def no_traces(_stack: LocalStack, _api: httpx.AsyncClient, _story: JobStory) -> list[str]:
    """Return nothing: the job is linked to nothing."""
    return []


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the channel besides the job's: a watcher follows it from before the job to its end.

    `of` returns its name, `stored` its stored events with their numbers.
    """

    of: Callable[[Subject], str]
    stored: Callable[[LocalStack, Subject], list[tuple[int, dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Application:
    """A pipeline whose jobs chaos runs; `share` is its part of all jobs, relative to the other pipelines.

    `fan_outs` are those of its `stages` that run in parts. `has_tools`: the model calls tools in its last stage.
    `repairs_texts`: the model repairs a text that is not valid in the last stage.
    """

    pipeline: str
    share: float
    stages: tuple[str, ...]
    request: Callable[[str, str], tuple[str, dict[str, Any]]]
    """Return the path and the body of a creation, from a unique name and the script of the model."""
    is_whole: Callable[[str], bool]
    """Return whether a text is the whole output of the stage that streams it."""
    violations: Callable[[JobStory], Iterator[str]]
    """Yield the application's own promises that a job breaks; the core's promises are checked for every job."""
    broken: tuple[Broken, ...]
    also_shown: Callable[[Subject], dict[str, str]] = lambda created: {}
    """Return name → path of each operation besides `GET /jobs/{jobId}` that shows the job."""
    fan_outs: frozenset[str] = frozenset()
    has_tools: bool = False
    repairs_texts: bool = False
    request_in_turn: Callable[[str, str], tuple[str, dict[str, Any]]] = field(default=no_request)
    """As `request`, for a job whose attempts run one after the other: in a fan-out it has one part."""
    prepare: Callable[[LocalStack, httpx.AsyncClient, str], Awaitable[dict[str, Any]]] = no_fields
    """Create what the job needs, and return the fields that this adds to its request; called with its unique name."""
    evidence: Callable[[LocalStack, httpx.AsyncClient, JobStory], Awaitable[dict[str, Any]]] = no_evidence
    """Return what else `violations` needs to know about an ended job; it becomes `JobStory.found`."""
    afterwards: Callable[[LocalStack, httpx.AsyncClient, JobStory], Awaitable[list[str]]] = no_traces
    """Delete what the job is linked to, after everything is read, and return the promises that this has broken."""
    topic: Topic | None = None
    operations: Mapping[str, Callable[[Subject], tuple[str, str, dict[str, Any]]]] = field(default_factory=dict)
    """Operations of `Operate` by name: each returns method, path and body. Each call may return another body."""
    closing: Callable[[Subject], str] | None = None
    """Return the path to which a POST closes what the job is linked to: that cancels the job."""
    progress: tuple[Sight, int] | None = None
    """For a pipeline without a model: the event that shows its progress, and how many of them each job has."""
    scenarios: Mapping[str, Scenario] = field(default_factory=dict)
    """Further scenarios, for jobs of this pipeline."""
    required: tuple[str, ...] = ()
    """What a run must have injected, besides what it must inject into jobs of any pipeline."""
    counted: Callable[[JobStory], Mapping[str, int]] = lambda story: {}
    """Return what the report counts of a job, by name."""
    measured: Callable[[JobStory], Mapping[str, float]] = lambda story: {}
    """Return times in seconds that the report shows, by name."""
    missing: str | None = None
    """What has to be installed before its jobs can run, and how; None if nothing. CI runs them in any case."""


@functools.cache
def applications() -> dict[str, Application]:
    """Return every application whose jobs can run here, by the name of its pipeline."""
    in_ci = os.environ.get("CI") == "true"
    return {each.pipeline: each for each in _all() if each.missing is None or in_ci}


def left_out() -> list[str]:
    """Return which applications take no part, and what is missing for each of them."""
    return [f"{each.pipeline}: {each.missing}" for each in _all() if each.pipeline not in applications()]


def _all() -> list[Application]:
    return [each for module in modules("chaos") for each in module.APPLICATIONS]


@functools.cache
def states() -> frozenset[str]:
    """Return the functions that are states of a state machine."""
    stages = {stage for each in applications().values() for stage in each.stages}
    return frozenset(stages | {"complete_job", "record_failure"})
