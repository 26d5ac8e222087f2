"""What this application stores of a user, for the tests of erasures."""

from __future__ import annotations

from tests.api_user import AT_ONCE, ApiUser, data_of
from tests.apps.suggestions.requests import FIELDS


def store(user: ApiUser, marker: str) -> None:
    """Store a completed job, a failed one, and one that waits for its model, each with the marker in its input."""
    ended = [_job(user, marker, AT_ONCE), _job(user, marker, "status=400")]
    for job_id in ended:
        user.ended(job_id)
    _job(user, marker, "hang_after=0")


def _job(user: ApiUser, marker: str, script: str) -> str:
    context = f"{marker} [[script: {script}]]"
    body = {"pipeline": "suggestion", "input": {**FIELDS, "pageOrComponent": marker, "additionalContext": context}}
    headers = {"Idempotency-Key": f"{marker} {script}"}
    return str(data_of(user.api.post("/jobs", json=body, headers=headers), 202)["jobId"])
