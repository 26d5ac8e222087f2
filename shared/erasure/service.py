"""Begin erasures, and read them."""

from __future__ import annotations

from datetime import timedelta

from shared.clock import Clock
from shared.erasure.erasure import ERASURE_ID, Erasure, ErasureStatus, new_erasure_id, pseudonym_of
from shared.erasure.store import AlreadyClosed, ErasureExecutions, ErasureStore
from shared.errors import NotFound, StorageThrottled
from shared.observability.log import log


class Erasures:
    """Begin and read erasures. `owner` is the authenticated user, who erases and reads only their own.

    `settle_seconds` is how long a request or an attempt that began before an erasure can write at most.
    """

    def __init__(
        self, *, store: ErasureStore, executions: ErasureExecutions, settle_seconds: float, clock: Clock
    ) -> None:
        self._store = store
        self._executions = executions
        self._settle = timedelta(seconds=settle_seconds)
        self._clock = clock

    def begin(self, owner: str) -> Erasure:
        """Accept no new data of the owner, begin to erase all that is stored, and return the erasure.

        While one runs, return that one. If it has failed, or its execution was stopped, continue it.

        Raises TransientFault if it could not be started: then call this again.
        """
        mark = self._store.mark_of(owner)
        if mark is None:
            return self._new(owner)
        erasure = self._store.get(mark.erasure_id)
        if erasure is None:
            raise StorageThrottled("the erasure has just ended; try again")
        return self._continued(erasure)

    def get(self, owner: str, erasure_id: str) -> Erasure:
        """Return the erasure. Raises NotFound if there is none, it has expired, or it is another owner's."""
        erasure = self._store.get(erasure_id) if ERASURE_ID.fullmatch(erasure_id) else None
        if erasure is None or erasure.pseudonym != pseudonym_of(owner, erasure.id):
            raise NotFound(f"erasure {erasure_id[:64]} was not found or its report has expired")
        return erasure

    def _new(self, owner: str) -> Erasure:
        now = self._clock()
        erasure_id = new_erasure_id(int(now.timestamp() * 1000))
        erasure = Erasure(
            id=erasure_id,
            pseudonym=pseudonym_of(owner, erasure_id),
            owner=owner,
            settles_at=now + self._settle,
            created_at=now,
            updated_at=now,
        )
        try:
            self._store.open(owner, erasure)
        except AlreadyClosed:
            raise StorageThrottled("another request has begun the erasure at this moment; try again") from None
        log.info("erasure begun", erasure_id=erasure.id)
        self._executions.start(erasure)
        return erasure

    def _continued(self, erasure: Erasure) -> Erasure:
        """Start another execution if the last one has ended before the erasure was completed."""
        if self._executions.runs(erasure):
            return erasure
        status = ErasureStatus.SETTLING if erasure.settled else ErasureStatus.ERASING
        again = erasure.model_copy(
            update={"execution": erasure.execution + 1, "status": status, "updated_at": self._clock()}
        )
        self._store.save(again)
        self._executions.start(again)
        log.info("erasure continued", erasure_id=again.id, execution=again.execution)
        return again
