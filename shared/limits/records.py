"""Update small records per user by compare-and-swap on their version.

A limit is a pure function of one record. So it is correct under any concurrency, and a refusal writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import TypeAdapter

from shared.clock import Clock
from shared.errors import MillraceError
from shared.schema import Schema

R = TypeVar("R", bound=Schema)


class VersionConflict(Exception):
    """Another writer has stored the record first."""


@dataclass(frozen=True, slots=True)
class Versioned:
    """A record as JSON text, with its version; version 0 means that no record is stored."""

    version: int
    text: str


class RecordStore(Protocol):
    """Store small records with a version, one per owner and name."""

    def load(self, owner: str, name: str, *, consistent: bool = True) -> Versioned:
        """Return the stored record; if there is none, version 0 and an empty JSON object.

        Without `consistent`, at half the price, it can be an earlier version.
        """

    def swap(self, owner: str, name: str, record: Versioned, *, expires_at: int) -> None:
        """Store `record.text` as version `record.version + 1`, to expire at `expires_at` (Unix seconds).

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
    """Load the record, call `decide(record, now)` and store what it returns, to expire `kept` seconds from now.

    Store nothing if `decide` returns the record unchanged or raises a MillraceError, which this raises. If another
    writer has stored the record first, start again; one of the writers always succeeds.

    The first read is not consistent: storing under its version proves that it was current. What stores nothing, such as
    a refusal, is decided again after a consistent one.
    """
    consistent = False
    while True:
        loaded = records.load(owner, name, consistent=consistent)
        now = clock().timestamp()
        stored = adapter.validate_json(loaded.text)
        try:
            decided = decide(stored, now)
        except MillraceError:
            if consistent:
                raise
            decided = stored
        if decided is stored:
            if consistent:
                return
            consistent = True
            continue
        text = decided.model_dump_json()
        try:
            records.swap(owner, name, Versioned(loaded.version, text), expires_at=int(now + kept) + 1)
        except VersionConflict:
            consistent = True
            continue
        return
