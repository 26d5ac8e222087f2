"""Delete runs together with what is stored for their jobs."""

from __future__ import annotations

from shared.jobs.erasure import JobErasure
from shared.jobs.ids import RUN_ID
from shared.jobs.job import LinkKind
from shared.jobs.queries import JobQueries
from shared.observability.log import log
from shared.runs.queries import RunQueries, unknown_run
from shared.runs.store import RunStore


class RunDeletion(RunQueries):
    """Read and delete the runs of one kind. `owner` is the authenticated user, who can use only their own runs."""

    def __init__(self, *, kind: str, runs: RunStore, jobs: JobQueries, erasure: JobErasure) -> None:
        super().__init__(kind=kind, runs=runs, jobs=jobs)
        self._erasure = erasure

    def delete(self, owner: str, run_id: str) -> None:
        """Delete the run permanently, with its jobs and all others that are linked to it. Cancel its live job.

        Their inputs, events, outputs and archived records are deleted too.

        If a deletion failed halfway, call this again: it completes the deletion.

        Raises:
            NotFound: the run does not exist or has another kind.
            Forbidden: the run has another owner.
        """
        run = self._runs.get(run_id) if RUN_ID.fullmatch(run_id) else None
        if run is None:
            raise unknown_run(run_id)
        self._refuse_unless_owned(run, owner)
        # Remove the lineage last: it names the jobs, so a repeated deletion still finds the jobs to erase.
        self._runs.hide(run_id)
        for job_id in self._runs.job_ids(run_id):
            self._erasure.erase(owner, job_id)
        self._erasure.erase_linked(owner, LinkKind.RUN, run_id)
        self._runs.remove(run_id)
        log.info("run deleted", run_id=run_id)
