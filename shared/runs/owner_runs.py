"""Erase the runs of an owner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import chain

from shared.clock import Clock
from shared.erasure.owner_data import ErasedStep, erase_then_purge
from shared.runs.store import RunStore


class OwnerRuns:
    """Implements OwnerData for runs of every kind. `delete` deletes a run of this owner, and can be repeated."""

    name = "runs"
    holds = "runs with their parameters, transforms and artefacts"
    places = ("DurableTable RUN#", "ArtefactBucket runs/")

    def __init__(self, runs: RunStore, delete: Callable[[str, str], None], *, clock: Clock) -> None:
        self._runs = runs
        self._delete = delete
        self._clock = clock

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:
        """Delete runs, first those whose deletion has broken off; purge them when no writer is left."""
        hidden = (each for each in self._runs.ids_of(owner, gone=True) if self._runs.get(each) is not None)
        return erase_then_purge(
            chain(hidden, self._runs.ids_of(owner)),
            lambda each: self._delete(owner, each),
            erased=lambda: self._runs.ids_of(owner, gone=True),
            purge=self._runs.purge,
            clock=self._clock,
            until=until,
            settled=settled,
        )
