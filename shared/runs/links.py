"""Let jobs be linked to runs: the run must be stored and belong to the job's owner."""

from __future__ import annotations

from shared.jobs.ids import RUN_ID
from shared.jobs.job import Job
from shared.jobs.store import PreparedWrites
from shared.runs.store import RunStore


class LinkedRuns:
    """Implements LinkedEntities for the runs of every kind."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs

    def condition(self, job: Job, entity_id: str) -> PreparedWrites | None:
        """Prepare the condition that the run is not deleted. Return None if it is not the owner's, or was deleted."""
        run = self._runs.get(entity_id) if RUN_ID.fullmatch(entity_id) else None
        if run is None or run.deleting or run.owner != job.owner:
            return None
        return self._runs.prepare_presence(run.id)
