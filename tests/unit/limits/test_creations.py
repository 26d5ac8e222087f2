"""The sliding minute of creations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RateLimitExceeded
from shared.limits.creations import CreationLimit
from shared.limits.records import VersionConflict, Versioned
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

    def test_a_creation_that_was_taken_back_does_not_count(self) -> None:
        limit = creations(SettableClock())
        for _ in range(9):
            limit.count_creation("ada")
        limit.take_back("ada", limit.count_creation("ada"))
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
