"""Requests to the ideation application, over HTTP."""

from __future__ import annotations

import uuid
from typing import Any

from tests.api_user import AT_ONCE, ApiUser, data_of

RUN: dict[str, Any] = {
    "platform": "mobile game",
    "genrePaths": [["Puzzle"], ["Fiction", "Mystery", "Cozy"]],
    "genreProportions": [30, 70],
    "ideaCount": 10,
}
"""The fields of a run of ten ideas: three puzzles and seven cozy mysteries."""


def job_input(script: str = AT_ONCE) -> dict[str, Any]:
    """Return the input of a job for ten ideas whose model behaves as scripted; each input makes another prompt."""
    return {
        "platform": f"mobile game {uuid.uuid4().hex}",
        "genrePaths": [["Fiction", "Mystery"], ["Sport"], ["Music"]],
        "genreProportions": [50, 30, 20],
        "requirements": f"Playable in two minutes. [[script: {script}]]",
    }


def new_job(user: ApiUser, script: str = AT_ONCE, **fields: Any) -> str:
    """Create a job whose model behaves as scripted, by `POST /jobs`, and return its id."""
    body = {"pipeline": "ideation", "input": {**job_input(script), **fields}}
    return str(data_of(user.api.post("/jobs", json=body), 202)["jobId"])


def new_run(user: ApiUser, script: str = AT_ONCE, **fields: Any) -> dict[str, Any]:
    """Create a run whose model behaves as scripted, and return the data of the response."""
    requirements = f"For {uuid.uuid4().hex} [[script: {script}]]"
    return data_of(user.api.post("/ideations", json={**RUN, "requirements": requirements, **fields}), 202)


def get_run(user: ApiUser, run_id: str) -> dict[str, Any]:
    """Return the run as its owner sees it."""
    return data_of(user.api.get(f"/ideations/{run_id}"))


def finished_run(user: ApiUser, script: str = AT_ONCE, **fields: Any) -> dict[str, Any]:
    """Create a run, wait until its job has ended, and return it."""
    created = new_run(user, script, **fields)
    user.ended(created["jobId"])
    return get_run(user, created["runId"])
