"""Runs on the wire, whatever they are runs of."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from shared.schema import Schema

RunId = Annotated[str, Path(alias="runId", description="the id that creating the run answered", max_length=64)]


class RunDeleted(Schema):
    """The run is deleted, with everything it was made of and has led to."""

    run_id: str
