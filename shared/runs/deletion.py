"""What can be done with runs over HTTP: delete, besides reading them."""

from __future__ import annotations

from shared.jobs.cancellation import JobCancellation
from shared.jobs.ids import RUN_ID
from shared.jobs.queries import JobQueries
from shared.observability.log import log
from shared.runs.queries import RunQueries, unknown_run
from shared.runs.store import RunStore


class RunDeletion(RunQueries):
    """The runs of one kind. Every method takes the owner who asks, and touches nobody else's run."""

    def __init__(self, *, kind: str, runs: RunStore, jobs: JobQueries, cancellation: JobCancellation) -> None:
        super().__init__(kind=kind, runs=runs, jobs=jobs)
        self._cancellation = cancellation

    def delete(self, owner: str, run_id: str) -> None:
        """Remove the run for good, and its jobs with it: one that is under way is cancelled.

        A deletion that broke off is gone on with. Raises NotFound, Forbidden.
        """
        run = self._runs.get(run_id) if RUN_ID.fullmatch(run_id) else None
        if run is None:
            raise unknown_run(run_id)
        self._refuse_unless_owned(run, owner)
        # What names the jobs goes last, so that whoever repeats this finds those that are still to be ended.
        self._runs.hide(run_id)
        lineage = self._runs.lineage(run_id)
        for transform in lineage.transforms if lineage else ():
            if transform.job_id is not None:
                self._cancellation.cancel_and_hide(owner, transform.job_id)
        self._runs.remove(run_id)
        log.info("run deleted", run_id=run_id)
