"""Read runs for their owner: one with its live job, one with its lineage, or a page of them."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import ErrorCode, FieldIssue, Forbidden, InvalidInput, NotFound
from shared.jobs.ids import RUN_ID
from shared.jobs.job import Fault
from shared.jobs.queries import JobQueries, JobView
from shared.runs.run import Lineage, Run, Transform, TransformStatus
from shared.runs.store import RunPage, RunStore

LOST = Fault(code=ErrorCode.WORKER_LOST, message="the job expired before it ended", retryable=True)
"""The failure of a transform whose job no longer exists but never ended."""


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its lineage, its latest transform, and its job while the job is live."""

    lineage: Lineage
    transform: Transform | None
    job: JobView | None

    @property
    def run(self) -> Run:
        """Return the run itself."""
        return self.lineage.run


class RunQueries:
    """Read the runs of one kind. `owner` is the authenticated user, who sees only their own runs."""

    def __init__(self, *, kind: str, runs: RunStore, jobs: JobQueries) -> None:
        self._kind = kind
        self._runs = runs
        self._jobs = jobs

    def view(self, owner: str, run_id: str) -> RunView:
        """Return the run with its live job, read until both agree. Raises NotFound and Forbidden, as `lineage` does."""
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
            # The job has ended between the two reads: read both again.

    def lineage(self, owner: str, run_id: str) -> Lineage:
        """Return the run with all of its transforms and artefacts.

        Raises:
            NotFound: the run does not exist, is being deleted or has another kind.
            Forbidden: the run has another owner.
        """
        lineage = self._runs.lineage(run_id) if RUN_ID.fullmatch(run_id) else None
        if lineage is None or lineage.run.deleting:
            raise unknown_run(run_id)
        self._refuse_unless_owned(lineage.run, owner)
        return lineage

    def list_runs(self, owner: str, *, status: TransformStatus | None, limit: int, cursor: str | None) -> RunPage:
        """Return a page of the owner's runs, newest first. Raises InvalidInput for an invalid cursor."""
        try:
            return self._runs.list_owned(owner, kind=self._kind, status=status, limit=limit, cursor=cursor)
        except ValueError:
            raise InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")]) from None

    def _refuse_unless_owned(self, run: Run, owner: str) -> None:
        """Raise NotFound for a run of another kind, and Forbidden for a run of another owner."""
        if run.kind != self._kind:
            raise unknown_run(run.id)
        if run.owner != owner:
            raise Forbidden("this run belongs to another user")

    def _live_job(self, owner: str, transform: Transform) -> JobView | None:
        try:
            view = self._jobs.view(owner, str(transform.job_id))
        except (NotFound, Forbidden):
            return None
        return None if view.job.status.ended else view


def _lost(lineage: Lineage, transform: Transform) -> RunView:
    """Return the run as failed: its job no longer exists, so nothing will end the transform."""
    run = lineage.run.model_copy(update={"status": TransformStatus.FAILED})
    failed = transform.model_copy(update={"status": TransformStatus.FAILED, "failure": LOST})
    return RunView(Lineage(run, lineage.transforms, lineage.artefacts), failed, None)


def unknown_run(run_id: str) -> NotFound:
    """Return the error for a run that does not exist; it shows at most 64 characters of the client's id."""
    return NotFound(f"run {run_id[:64]} was not found or was deleted")
