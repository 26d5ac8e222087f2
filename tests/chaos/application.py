"""What chaos has to know of an application: `tests/apps/<app>/chaos.py` says it as APPLICATION."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.applications import modules

if TYPE_CHECKING:
    from tests.chaos.story import JobStory


@dataclass(frozen=True, slots=True)
class Broken:
    """A way to break a story that holds, and a part of what the verdict has to say about it."""

    how: Callable[[JobStory], None]
    complaint: str


@dataclass(frozen=True, slots=True)
class Application:
    """A pipeline whose jobs go through chaos; `share` is its part of all jobs, relative to the others'."""

    pipeline: str
    share: float
    stages: tuple[str, ...]
    request: Callable[[str, str], tuple[str, dict[str, Any]]]
    """Make the path and the body of a creation from a unique name and the script of the model."""
    is_whole: Callable[[str], bool]
    """Whether a text is all that the stage that streams it writes."""
    violations: Callable[[JobStory], Iterator[str]]
    """What does not hold of a job, beyond the promises that the core makes for every job."""
    broken: tuple[Broken, ...]
    also_shown: Callable[[Mapping[str, Any]], dict[str, str]] = lambda created: {}
    """Name → path of what shows the job besides `GET /jobs/{jobId}`, from the data of its creation."""


@functools.cache
def applications() -> dict[str, Application]:
    """Return every application by the name of its pipeline."""
    return {module.APPLICATION.pipeline: module.APPLICATION for module in modules("chaos")}


@functools.cache
def states() -> frozenset[str]:
    """Return the functions that are states of a state machine."""
    stages = {stage for each in applications().values() for stage in each.stages}
    return frozenset(stages | {"complete_job", "record_failure"})
