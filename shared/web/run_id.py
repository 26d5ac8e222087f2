"""Define a run's id as the API reads it from a path, and as it returns the id of a deleted run."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from shared.schema import Schema

RunId = Annotated[
    str, Path(alias="runId", description="the run's id, from the response that created it", max_length=64)
]


class RunDeleted(Schema):
    """The id of the run that was deleted, with all its transforms and artefacts."""

    run_id: str
