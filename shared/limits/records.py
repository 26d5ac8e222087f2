"""Small records per user, changed by compare-and-swap on their version.

A limit is a pure function over one record. It is correct under any concurrency, and a refusal writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import TypeAdapter

from shared.clock import Clock
from shared.schema import Schema

R = TypeVar("R", bound=Schema)


class VersionConflict(Exception):
    """Somebody else stored the record first."""


@dataclass(frozen=True, slots=True)
class Versioned:
    """A stored record as JSON text; version 0 means there is none."""

    version: int
    text: str


class RecordStore(Protocol):
    """Small records with a version, one per user and purpose."""

    def load(self, owner: str, name: str) -> Versioned: ...

    def swap(self, owner: str, name: str, record: Versioned, *, expires_at: int) -> None:
        """Store `record` as the next version.

        Raises VersionConflict if the stored version is not `record.version`.
        """


def update_record(
    records: RecordStore,
    owner: str,
    name: str,
    adapter: TypeAdapter[R],
    decide: Callable[[R, float], R],
    clock: Clock,
    *,
    kept: float,
) -> None:
    """Load, decide, store; again whenever somebody else stored first (so somebody always gets on)."""
    while True:
        found = records.load(owner, name)
        now = clock().timestamp()
        stored = adapter.validate_json(found.text)
        decided = decide(stored, now)
        if decided is stored:
            return
        text = decided.model_dump_json()
        try:
            records.swap(owner, name, Versioned(found.version, text), expires_at=int(now + kept) + 1)
        except VersionConflict:
            continue
        return
