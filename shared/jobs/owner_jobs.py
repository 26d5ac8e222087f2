"""Erase the jobs of an owner."""

from __future__ import annotations

from datetime import datetime

from shared.clock import Clock
from shared.erasure.owner_data import ErasedStep, erase_then_purge
from shared.jobs.erasure import JobErasure
from shared.jobs.store import JobStore


class OwnerJobs:
    """Implements OwnerData for jobs, also for expired ones that are still stored."""

    name = "jobs"
    holds = "jobs with their input, events, outputs and links"
    places = ("JobsTable JOB#", "JobsTable LINK#", "ArtefactBucket jobs/")

    def __init__(self, jobs: JobStore, erasure: JobErasure, *, clock: Clock) -> None:
        self._jobs = jobs
        self._erasure = erasure
        self._clock = clock

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:
        """Cancel and erase jobs; purge them when no attempt is left."""
        return erase_then_purge(
            self._jobs.ids_of(owner),
            lambda each: self._erasure.erase(owner, each),
            erased=lambda: self._jobs.ids_of(owner, gone=True),
            purge=self._erasure.purge,
            clock=self._clock,
            until=until,
            settled=settled,
        )
