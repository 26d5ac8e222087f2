"""The limit on concurrent streams per user, held as leases by tab."""

from __future__ import annotations

import math
from collections.abc import Callable

from pydantic import Field, TypeAdapter

from shared.clock import Clock
from shared.errors import StreamLimitExceeded
from shared.limits.records import RecordStore, update_record
from shared.schema import Schema


class Lease(Schema):
    """A stream's slot: held by connection `holder` of a tab until `until` (Unix seconds)."""

    holder: str
    until: float


class Leases(Schema):
    """A user's stream slots by tab id."""

    by_tab: dict[str, Lease] = Field(default_factory=dict)


LEASES = TypeAdapter(Leases)


class StreamSlots:
    """At most `limit` concurrent streams per user.

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
        update_record(self._records, owner, "streams", LEASES, decide, self._clock, kept=self.lease_seconds)
