"""The limit of creations in a sliding window, and stream slots with leases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RateLimitExceeded, StreamLimitExceeded
from shared.limits.creations import CreationLimit
from shared.limits.records import VersionConflict, Versioned
from shared.limits.stream_slots import StreamSlots
from tests.fakes.clock import SettableClock
from tests.fakes.records import FakeRecordStore


def creations(clock: SettableClock, records: FakeRecordStore | None = None) -> CreationLimit:
    return CreationLimit(records or FakeRecordStore(), limit=10, clock=clock)


class TestCreations:
    @given(st.lists(st.integers(0, 20_000), min_size=1, max_size=80))
    def test_exactly_ten_creations_are_allowed_in_any_sixty_seconds(self, pauses_ms: list[int]) -> None:
        clock = SettableClock()
        limit = creations(clock)
        admitted: list[float] = []
        for pause in pauses_ms:
            clock.advance(pause / 1000)
            now = clock().timestamp()
            allowed = sum(time > now - 60 for time in admitted) < 10
            try:
                limit.count_creation("ada")
            except RateLimitExceeded:
                assert not allowed
            else:
                assert allowed
                admitted.append(now)

    @given(st.lists(st.integers(0, 9_000), min_size=10, max_size=10), st.integers(0, 5_000))
    def test_a_creation_succeeds_after_the_retry_after_time(self, pauses_ms: list[int], wait_ms: int) -> None:
        clock = SettableClock()
        limit = creations(clock)
        taken = []
        for pause in pauses_ms:
            clock.advance(pause / 1000)
            limit.count_creation("ada")
            taken.append(clock().timestamp())
        clock.advance(wait_ms / 1000)
        free_in = taken[0] + 60 - clock().timestamp()
        if free_in <= 0:
            return
        with pytest.raises(RateLimitExceeded) as refusal:
            limit.count_creation("ada")
        assert free_in <= refusal.value.retry_after < free_in + 1.001
        clock.advance(refusal.value.retry_after)
        limit.count_creation("ada")

    def test_the_eleventh_creation_within_a_minute_is_refused_without_a_write(self) -> None:
        clock, records = SettableClock(), FakeRecordStore()
        limit = creations(clock, records)
        for _ in range(10):
            limit.count_creation("ada")
        with pytest.raises(RateLimitExceeded) as refusal:
            limit.count_creation("ada")
        assert refusal.value.retry_after == 60
        assert records.swaps == 10

    def test_another_owners_creations_do_not_count(self) -> None:
        limit = creations(SettableClock())
        for _ in range(10):
            limit.count_creation("ada")
        limit.count_creation("bob")

    def test_a_creation_leaves_the_window_after_exactly_sixty_seconds(self) -> None:
        clock = SettableClock()
        limit = creations(clock)
        for _ in range(10):
            limit.count_creation("ada")
        clock.advance(59.999)
        with pytest.raises(RateLimitExceeded) as refusal:
            limit.count_creation("ada")
        assert refusal.value.retry_after == 1
        clock.advance(0.001)
        limit.count_creation("ada")

    def test_a_concurrent_creation_is_counted(self) -> None:
        clock = SettableClock()

        class Contended(FakeRecordStore):
            rivals = 9

            def swap(self, owner: str, name: str, record: Versioned, *, expires_at: int) -> None:
                if self.rivals:
                    self.rivals -= 1
                    super().swap(owner, name, record, expires_at=expires_at)
                    raise VersionConflict
                super().swap(owner, name, record, expires_at=expires_at)

        limit = creations(clock, Contended())
        limit.count_creation("ada")  # nine rivals, then this one
        with pytest.raises(RateLimitExceeded):
            limit.count_creation("ada")


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
