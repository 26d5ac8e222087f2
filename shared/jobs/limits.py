"""Limits per user: job creations in a sliding minute, and concurrent streams as leases.

Both are decided by pure functions over one small stored record, and stored by compare-and-swap on its version: correct
under any concurrency, and no write where the answer is no.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import Field, TypeAdapter

from shared.clock import Clock
from shared.errors import RateLimitExceeded, StreamLimitExceeded
from shared.schema import Schema

WINDOW_SECONDS = 60.0
R = TypeVar("R", bound=Schema)


class VersionLost(Exception):
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
        """Store `record` as the successor of its version; raise VersionLost when that version is not the stored one."""


class Creations(Schema):
    """When a user's latest creations were, in Unix seconds, oldest first."""

    times: tuple[float, ...] = ()


class Lease(Schema):
    """A stream's slot: held by connection `holder` of a tab until `until` (Unix seconds)."""

    holder: str
    until: float


class Leases(Schema):
    """A user's stream slots by tab id."""

    by_tab: dict[str, Lease] = Field(default_factory=dict)


CREATIONS = TypeAdapter(Creations)
LEASES = TypeAdapter(Leases)


class CreationLimit:
    """At most `limit` job creations per user in any 60 seconds (row C8)."""

    def __init__(self, records: RecordStore, *, limit: int, clock: Clock) -> None:
        self._records = records
        self._limit = limit
        self._clock = clock

    def take(self, owner: str) -> None:
        """Count one creation now, or raise RateLimitExceeded with the seconds until one leaves the window."""

        def decide(stored: Creations, now: float) -> Creations:
            recent = tuple(time for time in stored.times if time > now - WINDOW_SECONDS)
            if len(recent) >= self._limit:
                free_in = recent[len(recent) - self._limit] + WINDOW_SECONDS - now
                raise RateLimitExceeded(
                    f"at most {self._limit} jobs may be created per minute", retry_after=math.ceil(free_in)
                )
            return Creations(times=(*recent, now))

        _swap_until_stored(self._records, owner, "creations", CREATIONS, decide, self._clock, kept=WINDOW_SECONDS)


class StreamSlots:
    """At most `limit` concurrent streams per user (row C7).

    A slot belongs to a tab: the tab's next connection takes it over, and the connection that lost it finds out when it
    renews. A slot nobody renews (its function died) is free `lease_seconds` later.
    """

    def __init__(self, records: RecordStore, *, limit: int, lease_seconds: float, clock: Clock) -> None:
        self._records = records
        self._limit = limit
        self.lease_seconds = lease_seconds
        self._clock = clock

    def take(self, owner: str, tab: str, holder: str) -> None:
        """Take the tab's slot, or raise StreamLimitExceeded with the seconds until the first lease runs out."""

        def decide(stored: Leases, now: float) -> Leases:
            live = {key: lease for key, lease in stored.by_tab.items() if lease.until > now}
            if tab not in live and len(live) >= self._limit:
                free_in = min(lease.until for lease in live.values()) - now
                raise StreamLimitExceeded(
                    f"at most {self._limit} streams may be open at once", retry_after=math.ceil(free_in)
                )
            return Leases(by_tab={**live, tab: Lease(holder=holder, until=now + self.lease_seconds)})

        self._swap(owner, decide)

    def renew(self, owner: str, tab: str, holder: str) -> bool:
        """Extend the lease; False when it is lost: to the tab's next connection, or it ran out."""
        kept = True

        def decide(stored: Leases, now: float) -> Leases:
            nonlocal kept
            live = {key: lease for key, lease in stored.by_tab.items() if lease.until > now}
            kept = live[tab].holder == holder if tab in live else len(live) < self._limit
            if not kept:
                return stored
            return Leases(by_tab={**live, tab: Lease(holder=holder, until=now + self.lease_seconds)})

        self._swap(owner, decide)
        return kept

    def release(self, owner: str, tab: str, holder: str, *, grace_seconds: float = 0) -> None:
        """Give the slot back, after `grace_seconds` in which only the tab itself can take it again."""

        def decide(stored: Leases, now: float) -> Leases:
            lease = stored.by_tab.get(tab)
            if lease is None or lease.holder != holder:
                return stored
            others = {key: each for key, each in stored.by_tab.items() if key != tab}
            if grace_seconds:
                others[tab] = Lease(holder=holder, until=now + grace_seconds)
            return Leases(by_tab=others)

        self._swap(owner, decide)

    def _swap(self, owner: str, decide: Callable[[Leases, float], Leases]) -> None:
        _swap_until_stored(self._records, owner, "streams", LEASES, decide, self._clock, kept=self.lease_seconds)


def _swap_until_stored(
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
        except VersionLost:
            continue
        return
