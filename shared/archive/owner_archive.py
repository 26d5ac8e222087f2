"""Erase the archived jobs of an owner, and the key that leads from the usage ledger to them."""

from __future__ import annotations

from datetime import datetime

from shared.archive.store import ArchiveStore, OwnerKeys
from shared.clock import Clock
from shared.erasure.owner_data import ErasedStep, erase_each


class OwnerArchive:
    """Implements OwnerData for archived jobs. What was archived during the erasure, its last steps find."""

    name = "archive"
    holds = "archived jobs, with their input and output"
    places = ("ArtefactBucket archive/",)

    def __init__(self, archive: ArchiveStore, *, clock: Clock) -> None:
        self._archive = archive
        self._clock = clock

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:  # noqa: ARG002 - none is left
        """Delete records, and at last the places under links that have none."""

        def erase(job_id: str) -> None:
            self._archive.erase(owner, job_id)

        step = erase_each(self._archive.every_id(owner), erase, clock=self._clock, until=until)
        if not step.done:
            return step
        return ErasedStep(step.count + self._archive.erase_places(owner), done=True)


class OwnerLedgerKey:
    """Implements OwnerData for the key of an owner's name in the usage ledger. Without it, no line is theirs."""

    name = "ledgerKey"
    holds = "the key that leads from the usage ledger to its owner"
    places = ("DurableTable USER# LEDGER", "ArtefactBucket usage/")

    def __init__(self, owner_keys: OwnerKeys) -> None:
        self._owner_keys = owner_keys

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:  # noqa: ARG002 - it is one key
        """Delete the key."""
        return ErasedStep(int(self._owner_keys.erase(owner)), done=True)
