"""The checkpoint store port, in memory."""

from __future__ import annotations

import threading
from datetime import datetime

from shared.jobs.checkpoints import StageOutput
from shared.jobs.job import CheckpointRef, Job


class FakeCheckpointStore:
    """Implements CheckpointStore."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: dict[tuple[str, str, str], str] = {}
        self._expire: dict[tuple[str, str, str], int] = {}

    def put(self, job: Job, stage: str, fence: str, output: StageOutput) -> None:
        with self._lock:
            self._stored[job.id, stage, fence] = output.model_dump_json()
            self._expire[job.id, stage, fence] = job.expires_at

    def delete_expired(self, now: datetime) -> None:
        """Delete the checkpoints whose time is over, as DynamoDB may."""
        with self._lock:
            self._stored = {key: output for key, output in self._stored.items() if self._expire[key] > now.timestamp()}

    def erase(self, job_id: str) -> None:
        with self._lock:
            self._stored = {key: output for key, output in self._stored.items() if key[0] != job_id}

    def get(self, job_id: str, stage: str, ref: CheckpointRef) -> StageOutput:
        with self._lock:
            return StageOutput.model_validate_json(self._stored[job_id, stage, ref.fence])
