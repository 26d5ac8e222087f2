"""Checkpoints: what a finished stage hands to the next one and to every later attempt."""

from __future__ import annotations

from typing import Any, Protocol

from shared.jobs.job import CheckpointRef, Job
from shared.schema import Schema


class StageOutput(Schema):
    """`output` is the stage's answer; `text` is the stream's text as it stood when the stage ended."""

    output: dict[str, Any]
    text: str


class CheckpointStore(Protocol):
    """Keeps outputs per attempt; which attempt's output counts is decided on the job (`Job.checkpoints`)."""

    def put(self, job: Job, stage: str, fence: str, output: StageOutput) -> None: ...

    def get(self, job_id: str, stage: str, ref: CheckpointRef) -> StageOutput: ...


def latest_checkpoint(job: Job) -> tuple[str, CheckpointRef] | None:
    """The stage that finished last, and where its output is."""
    return max(job.checkpoints.items(), key=lambda item: item[1].fence, default=None)
