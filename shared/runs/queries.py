"""What can be read of runs over HTTP: one, many, where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import ErrorCode, FieldIssue, Forbidden, InvalidInput, NotFound
from shared.jobs.ids import RUN_ID
from shared.jobs.job import Fault
from shared.jobs.queries import JobQueries, JobView
from shared.runs.run import Lineage, Run, Transform, TransformStatus
from shared.runs.store import RunPage, RunStore

LOST = Fault(code=ErrorCode.WORKER_LOST, message="the job was lost before it came to an end", retryable=True)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with all that is kept of it, and its job while that is under way."""

    lineage: Lineage
    transform: Transform | None
    job: JobView | None

    @property
    def run(self) -> Run:
        return self.lineage.run


class RunQueries:
    """Reads the runs of one kind. Every method takes the owner who asks, and shows nobody somebody else's run."""

    def __init__(self, *, kind: str, runs: RunStore, jobs: JobQueries) -> None:
        self._kind = kind
        self._runs = runs
        self._jobs = jobs

    def view(self, owner: str, run_id: str) -> RunView:
        """The run as it is now. Raises NotFound, Forbidden."""
        while True:
            lineage = self.lineage(owner, run_id)
            transform = lineage.latest_transform
            if transform is None or transform.status is not TransformStatus.RUNNING:
                return RunView(lineage, transform, None)
            job = self._live_job(owner, transform)
            if job is not None:
                now = transform.model_copy(update={"retry_count": job.job.retry_count})
                return RunView(lineage, now, job)
            if self._runs.get(run_id) == lineage.run:
                return _lost(lineage, transform)
            # It has ended between our two looks.

    def lineage(self, owner: str, run_id: str) -> Lineage:
        """Everything the run was made of and has led to. Raises NotFound, Forbidden."""
        lineage = self._runs.lineage(run_id) if RUN_ID.fullmatch(run_id) else None
        if lineage is None or lineage.run.deleting:
            raise unknown_run(run_id)
        self._refuse_unless_owned(lineage.run, owner)
        return lineage

    def list_runs(self, owner: str, *, status: TransformStatus | None, limit: int, cursor: str | None) -> RunPage:
        """Newest first. Raises InvalidInput for a cursor that is not ours."""
        try:
            return self._runs.list_owned(owner, kind=self._kind, status=status, limit=limit, cursor=cursor)
        except ValueError:
            raise InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")]) from None

    def _refuse_unless_owned(self, run: Run, owner: str) -> None:
        """Raises NotFound for a run of another kind, Forbidden for somebody else's."""
        if run.kind != self._kind:
            raise unknown_run(run.id)
        if run.owner != owner:
            raise Forbidden("this run belongs to somebody else")

    def _live_job(self, owner: str, transform: Transform) -> JobView | None:
        try:
            view = self._jobs.view(owner, str(transform.job_id))
        except (NotFound, Forbidden):
            return None
        return None if view.job.status.ended else view


def _lost(lineage: Lineage, transform: Transform) -> RunView:
    """Nobody is left who could end it."""
    run = lineage.run.model_copy(update={"status": TransformStatus.FAILED})
    failed = transform.model_copy(update={"status": TransformStatus.FAILED, "failure": LOST})
    return RunView(Lineage(run, lineage.transforms, lineage.artefacts), failed, None)


def unknown_run(run_id: str) -> NotFound:
    return NotFound(f"there is no run {run_id[:64]}")
