"""The ports for the limits' records and idempotency keys, in memory."""

from __future__ import annotations

import threading

from shared.clock import Clock
from shared.jobs.idempotency import KeyClaim
from shared.jobs.store import PreparedWrites
from shared.limits.records import VersionConflict, Versioned
from tests.fakes.transactions import FakeWrite


class FakeRecordStore:
    """Implements RecordStore; `swaps` counts the writes.

    A read that is not consistent returns the record as it was before the last write.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: dict[tuple[str, str], Versioned] = {}
        self._before: dict[tuple[str, str], Versioned] = {}
        self.swaps = 0

    def load(self, owner: str, name: str, *, consistent: bool = True) -> Versioned:
        with self._lock:
            return (self._stored if consistent else self._before).get((owner, name), Versioned(0, "{}"))

    def swap(self, owner: str, name: str, record: Versioned, *, expires_at: int) -> None:
        with self._lock:
            existing = self._stored.get((owner, name), Versioned(0, "{}"))
            if existing.version != record.version:
                raise VersionConflict
            self._before[owner, name] = existing
            self._stored[owner, name] = Versioned(record.version + 1, record.text)
            self.swaps += 1

    def of(self, owner: str) -> dict[str, Versioned]:
        """Return the owner's records by name."""
        with self._lock:
            return {name: record for (each, name), record in self._stored.items() if each == owner}

    def forget(self, owner: str) -> int:
        """Remove the owner's records, and return how many there were."""
        with self._lock:
            mine = [key for key in self._stored if key[0] == owner]
            for key in mine:
                del self._stored[key]
                self._before.pop(key, None)
            return len(mine)


class FakeIdempotencyKeys:
    """Implements IdempotencyKeys."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stored: dict[tuple[str, str], tuple[KeyClaim, int]] = {}

    def find(self, owner: str, key: str) -> KeyClaim | None:
        with self._lock:
            return self._held_by(owner, key)

    def claiming(self, owner: str, key: str, claim: KeyClaim, *, expires_at: int) -> PreparedWrites:
        def is_free() -> bool:
            return self._held_by(owner, key) is None

        def write() -> None:
            self._stored[owner, key] = claim, expires_at

        return PreparedWrites((FakeWrite(f"key {owner} {key}", self._lock, is_free, write),))

    def _held_by(self, owner: str, key: str) -> KeyClaim | None:
        found = self._stored.get((owner, key))
        return found[0] if found and found[1] > self._clock().timestamp() else None

    def release(self, owner: str, key: str, claim: KeyClaim) -> None:
        with self._lock:
            existing = self._stored.get((owner, key))
            if existing is not None and existing[0].job_id == claim.job_id:
                del self._stored[owner, key]

    def forget(self, owner: str) -> int:
        """Remove the owner's keys, and return how many there were."""
        with self._lock:
            mine = [each for each in self._stored if each[0] == owner]
            for each in mine:
                del self._stored[each]
            return len(mine)
