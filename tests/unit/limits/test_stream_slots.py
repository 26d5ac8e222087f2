"""Stream slots: one lease per open connection."""

from __future__ import annotations

import pytest

from shared.errors import StreamLimitExceeded
from shared.limits.stream_slots import SlotHolder, StreamSlots
from tests.fakes.clock import SettableClock
from tests.fakes.records import FakeRecordStore

WINDOW = 60


def holder(tab: str, number: int = 1) -> SlotHolder:
    return SlotHolder(f"{tab}/{number}", tab, lasts=WINDOW)


class TestSlots:
    def slots(self, clock: SettableClock, records: FakeRecordStore | None = None) -> StreamSlots:
        return StreamSlots(records or FakeRecordStore(), limit=5, lease_seconds=30, clock=clock)

    def full(self, clock: SettableClock) -> StreamSlots:
        slots = self.slots(clock)
        for number in range(5):
            slots.take("ada", holder(f"tab{number}"))
            clock.advance(1)
        return slots

    def refused(self, slots: StreamSlots, who: SlotHolder) -> int:
        with pytest.raises(StreamLimitExceeded) as refusal:
            slots.take("ada", who)
        assert refusal.value.retry_after is not None
        return refusal.value.retry_after

    def test_another_owners_streams_do_not_count(self) -> None:
        self.full(SettableClock()).take("bob", holder("tab"))

    def test_a_tab_has_no_more_connections_than_several_tabs(self) -> None:
        slots = self.slots(SettableClock())
        for number in range(5):
            slots.take("ada", holder("tab", number))
        for number in range(5, 100):
            self.refused(slots, holder("tab", number))

    def test_a_tabs_next_connection_takes_over_and_the_earlier_one_must_leave(self) -> None:
        slots = self.slots(SettableClock())
        slots.take("ada", holder("tab"))
        slots.take("ada", holder("tab", 2))
        assert not slots.renew("ada", holder("tab"))
        assert slots.renew("ada", holder("tab", 2))

    def test_a_superseded_connection_has_its_slot_until_it_has_left(self) -> None:
        slots = self.slots(SettableClock())
        for number in range(4):
            slots.take("ada", holder(f"tab{number}"))
        slots.take("ada", holder("tab0", 2))
        self.refused(slots, holder("tab4"))
        assert not slots.renew("ada", holder("tab0"))
        slots.release("ada", holder("tab0"), grace_seconds=5)
        slots.take("ada", holder("tab4"))

    def test_a_tab_that_is_refused_opens_when_its_earlier_connection_has_left(self) -> None:
        clock = SettableClock()
        slots = self.full(clock)
        retry_after = self.refused(slots, holder("tab2", 2))
        clock.advance(slots.renewal_seconds - 3)  # since its lease began, 3 s ago, tab2's connection renews
        assert not slots.renew("ada", holder("tab2"))
        slots.release("ada", holder("tab2"))
        clock.advance(retry_after - (slots.renewal_seconds - 3))
        slots.take("ada", holder("tab2", 2))

    def test_a_superseded_connection_whose_function_died_has_its_slot_until_its_lease_ends(self) -> None:
        clock = SettableClock()
        slots = self.full(clock)
        clock.advance(self.refused(slots, holder("tab2", 2)))
        clock.advance(self.refused(slots, holder("tab2", 2)))
        slots.take("ada", holder("tab2", 2))

    def test_the_sixth_stream_is_refused_until_the_first_connection_ends(self) -> None:
        clock = SettableClock()
        slots = self.full(clock)
        left = self.refused(slots, holder("tab5"))
        assert left == WINDOW - 5
        while left > 1:
            step = min(left - 1, 9)
            clock.advance(step)
            for number in range(5):
                assert slots.renew("ada", holder(f"tab{number}"))
            left -= step
            assert self.refused(slots, holder("tab5")) == left
        clock.advance(1)
        slots.release("ada", holder("tab0"))
        slots.take("ada", holder("tab5"))

    def test_a_slot_is_free_when_a_lease_ends_although_nothing_released_it(self) -> None:
        clock = SettableClock()
        slots = self.full(clock)
        clock.advance(24.9)
        self.refused(slots, holder("tab5"))
        clock.advance(0.1)
        slots.take("ada", holder("tab5"))

    def test_a_released_slot_is_free_at_once(self) -> None:
        slots = self.full(SettableClock())
        slots.release("ada", holder("tab2"))
        slots.take("ada", holder("tab5"))

    def test_a_slot_released_with_grace_is_reserved_for_its_tab(self) -> None:
        slots = self.full(SettableClock())
        slots.release("ada", holder("tab2"), grace_seconds=5)
        assert self.refused(slots, holder("tab5")) == 5
        slots.take("ada", holder("tab2", 2))

    def test_a_reserved_slot_is_free_after_its_grace(self) -> None:
        clock = SettableClock()
        slots = self.full(clock)
        slots.release("ada", holder("tab2"), grace_seconds=5)
        clock.advance(5)
        slots.take("ada", holder("tab5"))

    def test_releasing_a_slot_that_is_not_held_writes_nothing(self) -> None:
        records = FakeRecordStore()
        self.slots(SettableClock(), records).release("ada", holder("tab"))
        assert records.swaps == 0

    def test_a_refusal_writes_nothing(self) -> None:
        clock, records = SettableClock(), FakeRecordStore()
        slots = self.slots(clock, records)
        for number in range(5):
            slots.take("ada", holder(f"tab{number}"))
        self.refused(slots, holder("tab5"))
        assert records.swaps == 5

    def test_a_renewed_lease_does_not_expire(self) -> None:
        clock = SettableClock()
        slots = self.slots(clock)
        slots.take("ada", holder("tab"))
        for _ in range(10):
            clock.advance(29)
            assert slots.renew("ada", holder("tab"))

    def test_an_expired_lease_is_renewed_only_while_a_slot_is_free(self) -> None:
        clock = SettableClock()
        slots = self.slots(clock)
        slots.take("ada", holder("late"))
        clock.advance(31)
        assert slots.renew("ada", holder("late"))
        clock.advance(31)
        for number in range(5):
            slots.take("ada", holder(f"tab{number}"))
        assert not slots.renew("ada", holder("late"))

    def test_an_expired_lease_is_not_renewed_after_the_tab_has_another_connection(self) -> None:
        clock = SettableClock()
        slots = self.slots(clock)
        slots.take("ada", holder("tab"))
        clock.advance(31)
        slots.take("ada", holder("tab", 2))
        assert not slots.renew("ada", holder("tab"))
