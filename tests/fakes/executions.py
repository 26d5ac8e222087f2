"""The executions port, in memory."""

from __future__ import annotations

import threading

from shared.jobs.executions import ExecutionNotStarted, ExecutionState, execution_name
from shared.jobs.job import Job


class FakeExecutions:
    """Implements Executions. If `refusal` is set, every start fails with this reason."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.started: set[str] = set()
        self.stopped: list[str] = []
        self.states: dict[str, ExecutionState] = {}
        self.refusal: str | None = None

    def arn_of(self, job: Job) -> str:
        return f"arn:aws:states:eu-west-1:1:execution:{job.pipeline}:{execution_name(job)}"

    def state_of(self, job: Job) -> ExecutionState:
        return self.states.get(execution_name(job), ExecutionState.UNKNOWN)

    def start(self, job: Job) -> None:
        with self._lock:
            if self.refusal is not None:
                raise ExecutionNotStarted(self.refusal)
            self.started.add(execution_name(job))
            self.states[execution_name(job)] = ExecutionState.RUNNING

    def stop(self, job: Job) -> None:
        with self._lock:
            self.stopped.append(execution_name(job))
