"""Stream slots as leases."""

from __future__ import annotations

import pytest

from shared.errors import StreamLimitExceeded
from shared.limits.stream_slots import StreamSlots
from tests.fakes.clock import SettableClock
from tests.fakes.records import FakeRecordStore


class TestSlots:
    def slots(self, clock: SettableClock, records: FakeRecordStore | None = None) -> StreamSlots:
        return StreamSlots(records or FakeRecordStore(), limit=5, lease_seconds=30, clock=clock)

    def full(self, clock: SettableClock) -> StreamSlots:
        slots = self.slots(clock)
        for number in range(5):
            slots.take("ada", f"tab{number}", f"holder{number}")
            clock.advance(1)
        return slots

    def test_the_sixth_stream_is_refused_until_the_first_lease_expires(self) -> None:
        clock = SettableClock()
        slots = self.full(clock)
        with pytest.raises(StreamLimitExceeded) as refusal:
            slots.take("ada", "tab5", "holder5")
        assert refusal.value.retry_after == 25
        clock.advance(24.9)
        with pytest.raises(StreamLimitExceeded):
            slots.take("ada", "tab5", "holder5")
        clock.advance(0.1)
        slots.take("ada", "tab5", "holder5")

    def test_another_owners_streams_do_not_count(self) -> None:
        self.full(clock := SettableClock()).take("bob", "tab", "holder")
        assert clock

    def test_a_tabs_next_connection_takes_its_slot_and_the_earlier_one_cannot_renew_it(self) -> None:
        slots = self.full(SettableClock())
        slots.take("ada", "tab2", "holder2 again")
        assert not slots.renew("ada", "tab2", "holder2")
        assert slots.renew("ada", "tab2", "holder2 again")

    def test_a_connection_that_lost_its_slot_cannot_release_it(self) -> None:
        slots = self.full(SettableClock())
        slots.take("ada", "tab2", "holder2 again")
        slots.release("ada", "tab2", "holder2")
        with pytest.raises(StreamLimitExceeded):
            slots.take("ada", "tab5", "holder5")

    def test_a_released_slot_is_free_at_once(self) -> None:
        slots = self.full(SettableClock())
        slots.release("ada", "tab2", "holder2")
        slots.take("ada", "tab5", "holder5")

    def test_a_slot_released_with_grace_is_reserved_for_its_tab(self) -> None:
        clock = SettableClock()
        slots = self.full(clock)
        slots.release("ada", "tab2", "holder2", grace_seconds=5)
        with pytest.raises(StreamLimitExceeded) as refusal:
            slots.take("ada", "tab5", "holder5")
        assert refusal.value.retry_after == 5
        slots.take("ada", "tab2", "holder2 again")

    def test_a_reserved_slot_is_free_after_its_grace(self) -> None:
        clock = SettableClock()
        slots = self.full(clock)
        slots.release("ada", "tab2", "holder2", grace_seconds=5)
        clock.advance(5)
        slots.take("ada", "tab5", "holder5")

    def test_releasing_a_slot_that_is_not_held_writes_nothing(self) -> None:
        records = FakeRecordStore()
        slots = self.slots(SettableClock(), records)
        slots.release("ada", "tab", "holder")
        assert records.swaps == 0

    def test_a_renewed_lease_does_not_expire(self) -> None:
        clock = SettableClock()
        slots = self.slots(clock)
        slots.take("ada", "tab", "holder")
        for _ in range(10):
            clock.advance(29)
            assert slots.renew("ada", "tab", "holder")

    def test_an_expired_lease_is_renewed_only_while_a_slot_is_free(self) -> None:
        clock = SettableClock()
        slots = self.slots(clock)
        slots.take("ada", "late", "holder")
        clock.advance(31)
        assert slots.renew("ada", "late", "holder")
        clock.advance(31)
        for number in range(5):
            slots.take("ada", f"tab{number}", "holder")
        assert not slots.renew("ada", "late", "holder")
