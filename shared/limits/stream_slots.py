"""Limit the concurrent connections of each user, such as streams: one lease per connection."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field, TypeAdapter

from shared.clock import Clock
from shared.errors import StreamLimitExceeded
from shared.limits.records import RecordStore, update_record
from shared.schema import Schema

LEAVING_SECONDS = 1.0
"""Longest time between the renewal that finds a connection superseded and the release of its slot."""


@dataclass(frozen=True, slots=True)
class SlotHolder:
    """A connection that wants a slot: its `id`, its tab, and the seconds after which it ends by itself."""

    id: str
    tab: str
    lasts: float


class Lease(Schema):
    """The slot of one connection; times are in Unix seconds.

    `until`: the lease ends then unless it is renewed. `ends_at`: the connection ends then by itself.
    `superseded`: the tab has opened another connection, so this one leaves at its next renewal.
    `left`: the connection has ended; its slot is reserved for the tab's next connection.
    """

    tab: str
    until: float
    ends_at: float
    superseded: bool = False
    left: bool = False


class Leases(Schema):
    """The slots of one user, by connection."""

    by_connection: dict[str, Lease] = Field(default_factory=dict)


LEASES = TypeAdapter(Leases)
"""Reads and writes Leases as JSON."""


class StreamSlots:
    """Allow at most `limit` open connections per user.

    If a tab opens another connection, its earlier ones see that at their next renewal and leave. Each of them has its
    slot until it has left, so one tab cannot open any number. If a function dies, nothing renews its slot, and the slot
    is free after `lease_seconds`.
    """

    def __init__(
        self,
        records: RecordStore,
        *,
        limit: int,
        lease_seconds: float,
        clock: Clock,
        record: str = "connections",
        what: str = "streams",
    ) -> None:
        """Keep the slots in the record of this name; `what` names in messages what a user has too many of."""
        self._records = records
        self._record = record
        self._what = what
        self._limit = limit
        self.lease_seconds = lease_seconds
        self._clock = clock

    @property
    def renewal_seconds(self) -> float:
        """Return how many seconds after its last renewal a connection renews its slot."""
        return self.lease_seconds / 3

    def take(self, owner: str, holder: SlotHolder) -> None:
        """Take a slot for a new connection, and tell the earlier connections of its tab to leave.

        Raises StreamLimitExceeded if all slots are taken, with the seconds until one of them can be free: the first
        superseded connection has left, the first connection has reached its end, or the first lease has ended. The
        earlier connections of the tab leave then, too, so that the tab can try again.
        """
        refused_for: float | None = None

        def decide(stored: Leases, now: float) -> Leases:
            nonlocal refused_for
            # If the response to an earlier try was lost, the connection's own lease is stored already.
            live = {
                key: _superseded(lease) if lease.tab == holder.tab else lease
                for key, lease in _live(stored, now).items()
                if key != holder.id and not (lease.left and lease.tab == holder.tab)
            }
            if len(live) >= self._limit:
                refused_for = min(self._free_at(lease, now) for lease in live.values()) - now
                return Leases(by_connection=live) if live != stored.by_connection else stored
            refused_for = None
            lease = Lease(tab=holder.tab, until=now + self.lease_seconds, ends_at=now + holder.lasts)
            return Leases(by_connection={**live, holder.id: lease})

        self._swap(owner, decide)
        if refused_for is not None:
            raise self._refusal(refused_for)

    def check_free(self, owner: str) -> None:
        """Raise StreamLimitExceeded, as `take` does, if all slots are taken. Take none."""
        now = self._clock().timestamp()
        live = _live(LEASES.validate_json(self._records.load(owner, self._record).text), now)
        if len(live) >= self._limit:
            raise self._refusal(min(self._free_at(lease, now) for lease in live.values()) - now)

    def _refusal(self, free_in: float) -> StreamLimitExceeded:
        seconds = max(1, math.ceil(free_in))
        message = f"you may have at most {self._limit} {self._what} open; close one, or try again in {seconds} s"
        return StreamLimitExceeded(message, retry_after=seconds)

    def holders(self, owner: str) -> Sequence[str]:
        """Return the ids of the connections that are noted for the user, also of those whose lease has ended."""
        return tuple(LEASES.validate_json(self._records.load(owner, self._record).text).by_connection)

    def renew(self, owner: str, holder: SlotHolder) -> bool:
        """Extend the lease by `lease_seconds` and return True.

        Return False if the connection must leave: its tab has opened another one, or its lease has ended and no slot is
        free.
        """
        renewed = True

        def decide(stored: Leases, now: float) -> Leases:
            nonlocal renewed
            live = _live(stored, now)
            lease = live.get(holder.id)
            if lease is None:
                succeeded = any(other.tab == holder.tab for other in live.values())
                renewed = not succeeded and len(live) < self._limit
                lease = Lease(tab=holder.tab, until=now, ends_at=now + holder.lasts)
            else:
                renewed = not lease.superseded
            if not renewed:
                return stored
            extended = lease.model_copy(update={"until": now + self.lease_seconds})
            return Leases(by_connection={**live, holder.id: extended})

        self._swap(owner, decide)
        return renewed

    def release(self, owner: str, holder: SlotHolder, *, grace_seconds: float = 0) -> None:
        """Free the connection's slot; for `grace_seconds` more, only the same tab can take it."""

        def decide(stored: Leases, now: float) -> Leases:
            lease = stored.by_connection.get(holder.id)
            if lease is None:
                return stored
            others = {key: each for key, each in stored.by_connection.items() if key != holder.id}
            if grace_seconds and not lease.superseded:
                others[holder.id] = lease.model_copy(update={"until": now + grace_seconds, "left": True})
            return Leases(by_connection=others)

        self._swap(owner, decide)

    def _free_at(self, lease: Lease, now: float) -> float:
        """Return when the slot can be free: the earliest time that follows from what is stored."""
        if lease.left:
            return lease.until
        renews_at = lease.until - self.lease_seconds + self.renewal_seconds
        leaves_at = renews_at + LEAVING_SECONDS if lease.superseded else lease.ends_at
        # If that time has passed, the connection's function has died or cannot reach the database.
        return leaves_at if leaves_at > now else lease.until

    def _swap(self, owner: str, decide: Callable[[Leases, float], Leases]) -> None:
        update_record(self._records, owner, self._record, LEASES, decide, self._clock, kept=self.lease_seconds)


def _live(stored: Leases, now: float) -> Mapping[str, Lease]:
    return {key: lease for key, lease in stored.by_connection.items() if lease.until > now}


def _superseded(lease: Lease) -> Lease:
    return lease if lease.superseded else lease.model_copy(update={"superseded": True})
