"""What of a brainstorming job is kept for good: its parameters, and the ideas however far it got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.apps.ideation.models import path_name
from shared.jobs.job import Job
from shared.jobs.pipeline import RunRecording
from shared.log.events import Item

IDEAS = "ideas"
RANKING = "ranking"
GROUPS = "groups"
LONGEST_TITLE = 200


def title_of(job: Job) -> str:
    """`mobile game: Puzzle, Fiction > Mystery`."""
    title = f"{job.input['platform']}: {', '.join(map(path_name, job.input['genrePaths']))}"
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"


def parameters_of(job: Job) -> Mapping[str, Any]:
    """The job's input; asked for when the job was made, unless the client says when."""
    return {"requestedAt": job.created_at.isoformat(), **job.input}


def outputs_of(_: Job, result: Mapping[str, Any] | None, items: Sequence[Item]) -> Mapping[str, Mapping[str, Any]]:
    """A role for the ideas, and one for what was made of them."""
    if result is None:
        return {IDEAS: {IDEAS: [item.data for item in items]}} if items else {}
    made = {role: {role: result[role]} for role in (RANKING, GROUPS) if result.get(role) is not None}
    return {IDEAS: {IDEAS: result[IDEAS]}, **made}


RECORDING = RunRecording(title=title_of, parameters=parameters_of, outputs=outputs_of)
