"""What the state machine passes to a function, and what the function returns to it."""

from __future__ import annotations

from pydantic import Field

from shared.schema import Schema


class StageInvocation(Schema):
    """What the state machine hands to a stage function."""

    job_id: str
    generation: int = Field(ge=1)
    retry: int = Field(ge=0)


class StageDone(Schema):
    """What a stage function answers; the state machine does not look inside."""

    job_id: str
    stage: str
    status: str = "done"


class CaughtError(Schema):
    """What a `Catch` of the state machine puts into the state: an error's name, and its cause as text."""

    error: str = Field(alias="Error")
    cause: str = Field(default="", alias="Cause")


class FailureInvocation(Schema):
    """What the state machine hands to record_failure."""

    job_id: str
    generation: int = Field(ge=1)
    failure: CaughtError
