"""The payloads that a state machine passes to a function, and the result that the function returns."""

from __future__ import annotations

from pydantic import Field

from shared.schema import Schema


class StageInvocation(Schema):
    """The payload of a stage: the job, its generation, and the retry count of the state (0 for the first attempt)."""

    job_id: str
    generation: int = Field(ge=1)
    retry: int = Field(ge=0)


class PartInvocation(StageInvocation):
    """The payload of one part of a fan-out: that of a stage, and the part's key."""

    part: str


class StageDone(Schema):
    """The result of a stage function. The state machine uses only the `parts` of a FanOutDone."""

    job_id: str
    stage: str
    status: str = "done"


class FanOutDone(StageDone):
    """The result of the stage before a fan-out: the keys of the parts that have no result yet, in order."""

    parts: tuple[str, ...]


class PartDone(StageDone):
    """The result of one part of a fan-out."""

    part: str


class CaughtError(Schema):
    """An error that a `Catch` of the state machine caught: the name, and the cause as text."""

    error: str = Field(alias="Error")
    cause: str = Field(default="", alias="Cause")


class FailureInvocation(Schema):
    """The payload of record_failure."""

    job_id: str
    generation: int = Field(ge=1)
    failure: CaughtError
