"""The checkpoint store port, in memory."""

from __future__ import annotations

import threading

from shared.jobs.checkpoints import StageOutput
from shared.jobs.job import CheckpointRef, Job


class FakeCheckpointStore:
    """Implements CheckpointStore."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: dict[tuple[str, str, str], str] = {}

    def put(self, job: Job, stage: str, fence: str, output: StageOutput) -> None:
        with self._lock:
            self._stored[job.id, stage, fence] = output.model_dump_json()

    def forget(self, job_id: str) -> None:
        """Delete the job's checkpoints, as their expiry does."""
        with self._lock:
            self._stored = {key: output for key, output in self._stored.items() if key[0] != job_id}

    def get(self, job_id: str, stage: str, ref: CheckpointRef) -> StageOutput:
        with self._lock:
            return StageOutput.model_validate_json(self._stored[job_id, stage, ref.fence])
