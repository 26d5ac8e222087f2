"""Choose what a run keeps of a brainstorming job: its parameters, and its ideas even if the job did not complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.apps.ideation.models import IdeationInput
from shared.jobs.job import Job
from shared.jobs.pipeline import RunRecording
from shared.log.events import Item

IDEAS = "ideas"
"""The role of the ideas among a run's artefacts."""

RANKING = "ranking"
"""The role of the ranking."""

GROUPS = "groups"
"""The role of the groups."""

SEPARATOR = " › "
"""Between the genres of a path in a title, which only people read. Prompts have `path_name`."""

LONGEST_TITLE = 200
"""Characters of a run's title; a longer one is cut."""


def title_of(job: Job) -> str:
    """Return the title of a job's run, such as `mobile game: Puzzle, Fiction › Mystery`."""
    title = _title(job.input["platform"], job.input["genrePaths"])
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"


def title_of_input(asked: IdeationInput) -> str:
    """Return the title of a job with this input; it begins as that of its run."""
    return _title(asked.platform, asked.genre_paths)


def _title(platform: str, genre_paths: Sequence[Sequence[str]]) -> str:
    return f"{platform}: {', '.join(SEPARATOR.join(path) for path in genre_paths)}"


def parameters_of(job: Job) -> Mapping[str, Any]:
    """Return the job's input. If it has no `requestedAt`, the time at which the job was created is used."""
    return {"requestedAt": job.created_at.isoformat(), **job.input}


def outputs_of(_: Job, result: Mapping[str, Any] | None, items: Sequence[Item]) -> Mapping[str, Mapping[str, Any]]:
    """Return the run's artefacts by role: the ideas so far, and the ranking or the groups of a completed job."""
    if result is None:
        return {IDEAS: {IDEAS: [item.data for item in items]}} if items else {}
    made = {role: {role: result[role]} for role in (RANKING, GROUPS) if result.get(role) is not None}
    return {IDEAS: {IDEAS: result[IDEAS]}, **made}


RECORDING = RunRecording(title=title_of, parameters=parameters_of, outputs=outputs_of)
"""What a run keeps of an `ideation` job."""
