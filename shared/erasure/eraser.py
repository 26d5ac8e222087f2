"""Erase what is stored of an owner, in steps of bounded time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.clock import Clock
from shared.erasure.erasure import KEPT, Erasure, ErasureStatus
from shared.erasure.owner_data import OwnerData
from shared.erasure.store import ErasureStore
from shared.errors import InternalFault
from shared.observability.log import log
from shared.schema import Schema

STEP_SECONDS = 60.0
"""After this time one invocation begins nothing further. It is far below the function's timeout."""


class EraserStep(Schema):
    """The result of one invocation: whether the erasure is completed, and how long to wait before the next one."""

    done: bool
    wait_seconds: int = 0


class OwnerEraser:
    """Erase owners' data, kind by kind, in rounds.

    A request that was in progress when the erasure began may store something of a kind that was erased before. So the
    rounds are repeated until one finds nothing. Then wait until no such request or attempt can be left, and repeat them
    once more until one finds nothing.
    """

    def __init__(self, *, store: ErasureStore, data: Callable[[], Sequence[OwnerData]], clock: Clock) -> None:
        self._store = store
        self._data = data
        self._clock = clock

    def run(self, erasure_id: str) -> EraserStep:
        """Erase for about STEP_SECONDS, and return whether everything is erased. It can be repeated at any time.

        Raises the storage faults of `shared/errors.py`.
        """
        erasure = self._read(erasure_id)
        owner = erasure.owner
        if owner is None:
            return EraserStep(done=True)
        until, data = self._clock() + timedelta(seconds=STEP_SECONDS), self._data()
        while (now := self._clock()) < until:
            left = [each for each in data if each.name not in erasure.finished]
            if erasure.status is ErasureStatus.SETTLING and not erasure.settled:
                if now < erasure.settles_at:
                    return EraserStep(done=False, wait_seconds=math.ceil((erasure.settles_at - now).total_seconds()))
                erasure = self._saved(erasure, settled=True)
            elif left:
                erasure = self._step(erasure, owner, left[0], until)
            elif erasure.found:
                erasure = self._saved(erasure, finished=(), found=False, rounds=erasure.rounds + 1)
            elif not erasure.settled:
                erasure = self._saved(erasure, finished=(), status=ErasureStatus.SETTLING)
            else:
                self._complete(erasure, owner)
                return EraserStep(done=True)
        return EraserStep(done=False)

    def fail(self, erasure_id: str) -> None:
        """Note that a step has failed after all its retries, so that the owner learns of it."""
        erasure = self._read(erasure_id)
        if erasure.status is not ErasureStatus.COMPLETED:
            self._saved(erasure, status=ErasureStatus.FAILED)
            log.warning("erasure failed", erasure_id=erasure_id)

    def _step(self, erasure: Erasure, owner: str, data: OwnerData, until: datetime) -> Erasure:
        step = data.erase_some(owner, until=until, settled=erasure.settled)
        counts = {**erasure.counts, data.name: erasure.counts.get(data.name, 0) + step.count}
        finished = (*erasure.finished, data.name) if step.done else erasure.finished
        found = erasure.found or step.count + step.purged > 0
        return self._saved(erasure, counts=counts, finished=finished, found=found)

    def _complete(self, erasure: Erasure, owner: str) -> None:
        now = self._clock()
        ended = {"status": ErasureStatus.COMPLETED, "owner": None, "updated_at": now, "completed_at": now}
        self._store.close(owner, erasure.model_copy(update=ended), expires_at=int((now + KEPT).timestamp()))
        log.info("erasure completed", erasure_id=erasure.id, rounds=erasure.rounds, counts=erasure.counts)

    def _saved(self, erasure: Erasure, **changes: Any) -> Erasure:
        changed = erasure.model_copy(update={**changes, "updated_at": self._clock()})
        self._store.save(changed)
        return changed

    def _read(self, erasure_id: str) -> Erasure:
        erasure = self._store.get(erasure_id)
        if erasure is None:
            raise InternalFault(f"erasure {erasure_id} is not stored")
        return erasure
