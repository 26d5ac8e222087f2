"""Erase what the archive and the usage ledger keep of an owner."""

from __future__ import annotations

from datetime import datetime

from shared.archive.store import ArchiveStore, OwnerKeys
from shared.clock import Clock
from shared.erasure.owner_data import ErasedStep, erase_each
from shared.jobs.erasure import JobErasure


class OwnerArchive:
    """Implements OwnerData for archived jobs. It also erases what is left of jobs whose item has expired."""

    name = "archive"
    holds = "archived jobs with their input and result"
    places = ("ArtefactBucket archive/",)

    def __init__(self, archive: ArchiveStore, erasure: JobErasure, *, clock: Clock) -> None:
        self._archive = archive
        self._erasure = erasure
        self._clock = clock

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:  # noqa: ARG002 - as jobs
        """Erase archived jobs, and then the places under links that no record names."""

        def erase(job_id: str) -> None:
            self._erasure.erase(owner, job_id)

        step = erase_each(self._archive.every_id(owner), erase, clock=self._clock, until=until)
        if not step.done:
            return step
        return ErasedStep(step.count, done=True, purged=self._archive.erase_places(owner))


class OwnerLedgerKey:
    """Implements OwnerData for the key of the owner's pseudonym. Without it, no reader can tell the owner of a line."""

    name = "ledgerKey"
    holds = "the key of your pseudonym in the usage ledger"
    places = ("DurableTable USER# LEDGER",)

    def __init__(self, keys: OwnerKeys) -> None:
        self._keys = keys

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:  # noqa: ARG002 - it is one item
        """Delete the key."""
        return ErasedStep(int(self._keys.erase(owner)), done=True)
