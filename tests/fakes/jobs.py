"""The job store port, in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from shared.clock import Clock
from shared.jobs.compute import charged, compute_of
from shared.jobs.ids import ulid_of
from shared.jobs.job import Job
from shared.jobs.store import JobFilter, JobGuard, JobPage, LivePage, PreparedWrites, StaleWrite
from shared.observability import metering
from shared.observability.metering import Count
from tests.fakes.transactions import FakeWrite, write_all


class FakeJobStore:
    """Implements JobStore. It stores jobs as JSON, so that a read never returns the object that was written.

    A read that is not consistent returns the job as it was before its last change, if it had one.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stored: dict[str, str] = {}
        self._before: dict[str, str] = {}
        self._erased: dict[str, str] = {}
        self.renewed: dict[str, int] = {}
        self.erased: set[str] = set()

    def put_new(self, job: Job, *, side_writes: PreparedWrites | None = None) -> None:
        with self._lock:
            with charged(lambda _: 1) as amounts:
                job = job.model_copy(update={"compute": compute_of(amounts)}) if amounts else job
            text = job.model_dump_json()
            existing = self._stored.get(job.id)
            if existing == text:
                return
            if existing is not None:
                raise ValueError(f"another job has the id {job.id}")
            write_all(side_writes)
            self._stored[job.id] = text
            metering.count(Count.WRITE_UNITS)

    def get(self, job_id: str, *, consistent: bool = True) -> Job | None:
        with self._lock:
            found = None if consistent else self._visible(self._before.get(job_id))
            return found or self._shown(job_id)

    def update(
        self, job_id: str, changes: Mapping[str, Any], *, when: JobGuard, side_writes: PreparedWrites | None = None
    ) -> Job:
        with self._lock:
            job = self._shown(job_id)
            if job is None or not when.holds(job):
                raise StaleWrite(job)
            write_all(side_writes)
            return self._changed(job, changes)

    def add_compute(self, job_id: str) -> None:
        with self._lock:
            if job_id in self._stored:
                self._changed(Job.model_validate_json(self._stored[job_id]), {})

    def _changed(self, job: Job, changes: Mapping[str, Any]) -> Job:
        with charged(lambda _: 1) as amounts:
            compute = job.compute + compute_of(amounts) if job.compute is not None and amounts else job.compute
        text = job.model_copy(update={**changes, "compute": compute}).model_dump_json()
        self._before[job.id] = self._stored[job.id]
        self._stored[job.id] = text
        metering.count(Count.WRITE_UNITS)
        return Job.model_validate_json(text)

    def prepare_check(self, job_id: str, *, when: JobGuard) -> PreparedWrites:
        def fits() -> bool:
            job = self._shown(job_id)
            return job is not None and when.holds(job)

        return PreparedWrites((FakeWrite(job_id, self._lock, fits, rank=0),))

    def live(self, *, cursor: str | None, limit: int) -> LivePage:
        with self._lock:
            ids = sorted(each for each in self._stored if cursor is None or each > cursor)
            live: list[Job] = []
            for each in ids:
                job = self._shown(each)
                if job is not None and not job.status.ended:
                    live.append(job)
                if len(live) == limit:
                    return LivePage(live, each)
            return LivePage(live, None)

    def list_owned(self, owner: str, *, where: JobFilter, limit: int, cursor: str | None) -> JobPage:
        with self._lock:
            if cursor is not None and cursor not in self._stored:
                raise ValueError("not a cursor of this store")
            before = (each for each in self._stored if cursor is None or ulid_of(each) < ulid_of(cursor))
            ids = sorted(before, key=ulid_of, reverse=True)
            shown = [job for job in map(self._shown, ids) if job is not None]
            found = [job for job in shown if job.owner == owner and where.matches(job)]
            return JobPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def renew_links(self, job: Job) -> None:
        """Remember the expiry only: `list_owned` looks at every job, so none can be missing under a link."""
        self.renewed[job.id] = job.expires_at

    def restore(self, job: Job) -> bool:
        with self._lock:
            if job.id in self.erased:
                return False
            if self._shown(job.id) is None:
                self._stored[job.id] = job.model_dump_json()
                self._before.pop(job.id, None)
            return True

    def mark_erased(self, owner: str, job_id: str) -> None:
        with self._lock:
            self.erased.add(job_id)
            self._erased[job_id] = owner

    def is_erased(self, job_id: str) -> bool:
        with self._lock:
            return job_id in self.erased

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        with self._lock:
            jobs = (Job.model_validate_json(text) for text in self._stored.values())
            owners = self._erased if gone else {job.id: job.owner for job in jobs}
            found = [job_id for job_id, each in owners.items() if each == owner]
        return iter(sorted(found, key=ulid_of, reverse=True))

    def text_of(self, job_id: str) -> str | None:
        """Return the stored text of a job, expired or not."""
        with self._lock:
            return self._stored.get(job_id)

    def owner_of(self, job_id: str) -> str | None:
        with self._lock:
            text = self._stored.get(job_id)
            return self._erased.get(job_id) if text is None else Job.model_validate_json(text).owner

    def erase(self, job_id: str) -> None:
        with self._lock:
            self._stored.pop(job_id, None)
            self._before.pop(job_id, None)

    def purge(self, job_id: str) -> None:
        with self._lock:
            self._erased.pop(job_id, None)

    def _shown(self, job_id: str) -> Job | None:
        return self._visible(self._stored.get(job_id))

    def _visible(self, text: str | None) -> Job | None:
        if text is None:
            return None
        job = Job.model_validate_json(text)
        return None if job.expired(self._clock()) else job
