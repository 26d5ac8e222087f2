"""Limit the concurrent streams of each user: one lease per tab."""

from __future__ import annotations

import math
from collections.abc import Callable

from pydantic import Field, TypeAdapter

from shared.clock import Clock
from shared.errors import StreamLimitExceeded
from shared.limits.records import RecordStore, update_record
from shared.schema import Schema


class Lease(Schema):
    """One slot: connection `holder` holds it until `until` (Unix seconds)."""

    holder: str
    until: float


class Leases(Schema):
    """The slots of one user, by tab."""

    by_tab: dict[str, Lease] = Field(default_factory=dict)


LEASES = TypeAdapter(Leases)
"""Reads and writes Leases as JSON."""


class StreamSlots:
    """Allow at most `limit` concurrent streams per user.

    A slot belongs to a tab. The tab's next connection takes the slot over, and the earlier connection sees that at its
    next renewal. If a function dies, nothing renews its slot, and the slot is free after `lease_seconds`.
    """

    def __init__(self, records: RecordStore, *, limit: int, lease_seconds: float, clock: Clock) -> None:
        self._records = records
        self._limit = limit
        self.lease_seconds = lease_seconds
        self._clock = clock

    def take(self, owner: str, tab: str, holder: str) -> None:
        """Take the tab's slot for connection `holder`.

        Raises StreamLimitExceeded, with the seconds until the next lease ends, if other tabs hold all slots.
        """

        def decide(stored: Leases, now: float) -> Leases:
            live = {key: lease for key, lease in stored.by_tab.items() if lease.until > now}
            if tab not in live and len(live) >= self._limit:
                free_in = math.ceil(min(lease.until for lease in live.values()) - now)
                message = f"you may have at most {self._limit} streams open; close one, or try again in {free_in} s"
                raise StreamLimitExceeded(message, retry_after=free_in)
            return Leases(by_tab={**live, tab: Lease(holder=holder, until=now + self.lease_seconds)})

        self._swap(owner, decide)

    def renew(self, owner: str, tab: str, holder: str) -> bool:
        """Extend the lease by `lease_seconds` and return True.

        Return False if the tab's next connection holds the slot, or if the lease has ended and no slot is free.
        """
        renewed = True

        def decide(stored: Leases, now: float) -> Leases:
            nonlocal renewed
            live = {key: lease for key, lease in stored.by_tab.items() if lease.until > now}
            renewed = live[tab].holder == holder if tab in live else len(live) < self._limit
            if not renewed:
                return stored
            return Leases(by_tab={**live, tab: Lease(holder=holder, until=now + self.lease_seconds)})

        self._swap(owner, decide)
        return renewed

    def release(self, owner: str, tab: str, holder: str, *, grace_seconds: float = 0) -> None:
        """Free the slot if `holder` still holds it; for `grace_seconds` more, only the same tab can take it."""

        def decide(stored: Leases, now: float) -> Leases:
            lease = stored.by_tab.get(tab)
            if lease is None or lease.holder != holder:
                return stored
            by_tab = {key: each for key, each in stored.by_tab.items() if key != tab}
            if grace_seconds:
                by_tab[tab] = Lease(holder=holder, until=now + grace_seconds)
            return Leases(by_tab=by_tab)

        self._swap(owner, decide)

    def _swap(self, owner: str, decide: Callable[[Leases, float], Leases]) -> None:
        update_record(self._records, owner, "streams", LEASES, decide, self._clock, kept=self.lease_seconds)
