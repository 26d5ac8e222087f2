"""The ports of erasures, in memory."""

from __future__ import annotations

import threading
from datetime import datetime

from shared.clock import Clock
from shared.erasure.erasure import Erasure
from shared.erasure.owner_data import ErasedStep
from shared.erasure.store import AlreadyClosed, ClosingMark
from tests.fakes.records import FakeIdempotencyKeys, FakeRecordStore


class FakeErasureStore:
    """Implements ErasureStore. It stores erasures as JSON, so that a read never returns the object that was written."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._marks: dict[str, ClosingMark] = {}
        self._stored: dict[str, str] = {}
        self._expire: dict[str, int] = {}

    def mark_of(self, owner: str) -> ClosingMark | None:
        with self._lock:
            return self._marks.get(owner)

    def open(self, owner: str, erasure: Erasure) -> None:
        with self._lock:
            mark = self._marks.get(owner)
            if mark is not None and mark.erasure_id != erasure.id:
                raise AlreadyClosed
            self._marks[owner] = ClosingMark(erasure.id, erasure.settles_at)
            self._stored[erasure.id] = erasure.model_dump_json()

    def get(self, erasure_id: str) -> Erasure | None:
        with self._lock:
            text = self._stored.get(erasure_id)
            expires_at = self._expire.get(erasure_id)
            if text is None or (expires_at is not None and expires_at <= self._clock().timestamp()):
                return None
            return Erasure.model_validate_json(text)

    def save(self, erasure: Erasure) -> None:
        with self._lock:
            self._stored[erasure.id] = erasure.model_dump_json()

    def close(self, owner: str, erasure: Erasure, *, expires_at: int) -> None:
        with self._lock:
            self._marks.pop(owner, None)
            self._stored[erasure.id] = erasure.model_dump_json()
            self._expire[erasure.id] = expires_at


class FakeErasureExecutions:
    """Implements ErasureExecutions; `started` are the ids and numbers of the executions, `running` those that run."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int]] = []
        self.running: set[tuple[str, int]] = set()

    def start(self, erasure: Erasure) -> None:
        if (erasure.id, erasure.execution) not in self.started:
            self.started.append((erasure.id, erasure.execution))
            self.running.add((erasure.id, erasure.execution))

    def runs(self, erasure: Erasure) -> bool:
        return (erasure.id, erasure.execution) in self.running


class FakeOwnerItems:
    """Implements OwnerData for the records and the idempotency keys in memory."""

    name = "limits"
    holds = "limits and idempotency keys"
    places = ()

    def __init__(self, records: FakeRecordStore, keys: FakeIdempotencyKeys) -> None:
        self._stores = (records, keys)

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:
        return ErasedStep(sum(store.forget(owner) for store in self._stores), done=True)
