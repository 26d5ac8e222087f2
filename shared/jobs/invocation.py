"""The payloads that a state machine passes to a function, and the result that the function returns."""

from __future__ import annotations

from pydantic import Field

from shared.schema import Schema


class StageInvocation(Schema):
    """The payload of a stage: the job, its generation, and the retry count of the state (0 for the first attempt)."""

    job_id: str
    generation: int = Field(ge=1)
    retry: int = Field(ge=0)


class StageDone(Schema):
    """The result of a stage function. The state machine does not use its content."""

    job_id: str
    stage: str
    status: str = "done"


class CaughtError(Schema):
    """An error that a `Catch` of the state machine caught: the name, and the cause as text."""

    error: str = Field(alias="Error")
    cause: str = Field(default="", alias="Cause")


class FailureInvocation(Schema):
    """The payload of record_failure."""

    job_id: str
    generation: int = Field(ge=1)
    failure: CaughtError
