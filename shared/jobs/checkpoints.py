"""Checkpoints: the output of each finished stage, for the next stage and for later attempts."""

from __future__ import annotations

from typing import Any, Protocol

from shared.jobs.job import CheckpointRef, Job
from shared.log.fence import Fence
from shared.schema import Schema


class StageOutput(Schema):
    """What a stage returned (`output`), and the text of the job's log when the stage finished."""

    output: dict[str, Any]
    text: str


class CheckpointStore(Protocol):
    """Store the output of every attempt. `Job.checkpoints` says which attempt's output is valid."""

    def put(self, job: Job, stage: str, fence: str, output: StageOutput) -> None:
        """Store the output of the attempt with this fence, at least until the job expires."""

    def get(self, job_id: str, stage: str, ref: CheckpointRef) -> StageOutput:
        """Return the output that `ref` names. Raises KeyError if it is not stored."""

    def erase(self, job_id: str) -> None:
        """Delete all outputs of the job. It can be repeated if it fails."""


def latest_checkpoint(job: Job) -> tuple[str, CheckpointRef] | None:
    """Return the last stage that has finished and the reference to its output; None if no stage has finished.

    It is the last of the pipeline's stages, not of time: a resumed job may run its first stage again.
    """
    return max(job.checkpoints.items(), key=lambda item: Fence.parse(item[1].fence).stage, default=None)
