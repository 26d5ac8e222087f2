"""A meter gives each number that it has counted to one write, and counts ahead what follows the last write."""

from __future__ import annotations

import asyncio

import pytest

from shared.observability import metering
from shared.observability.metering import Amounts, Count, Meter


class Seconds:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def a_meter(seconds: Seconds, **options: int) -> Meter:
    return Meter(clock=seconds, **{"megabytes": 512, **options})


class TestMeter:
    def test_the_first_write_takes_the_invocation_and_each_later_one_what_is_new(self, seconds: Seconds) -> None:
        meter = a_meter(seconds, transitions=1)
        meter.count_request(Count.READ_UNITS, 0.5, 0)
        seconds.now = 0.1
        assert meter.take(write_units=2) == {
            Count.INVOCATIONS: 1,
            Count.TRANSITIONS: 1,
            Count.READ_UNITS: 0.5,
            Count.WRITE_UNITS: 2,
            Count.LAMBDA_MS: 100,
            Count.LAMBDA_MB_MS: 51_200,
        }
        meter.count_request(Count.WRITE_UNITS, 2, 0)  # the write itself, as DynamoDB reports it
        seconds.now = 0.15
        later: Amounts = {Count.WRITE_UNITS: 1, Count.LAMBDA_MS: 50, Count.LAMBDA_MB_MS: 25_600}
        assert meter.take(write_units=1) == later

    def test_a_write_that_was_counted_with_too_few_units_is_corrected_by_the_next(self, seconds: Seconds) -> None:
        meter = a_meter(seconds)
        meter.take(write_units=1)
        meter.count_request(Count.WRITE_UNITS, 3, 0)
        assert meter.take(write_units=1)[Count.WRITE_UNITS] == 2 + 1

    def test_what_a_failed_write_has_taken_is_taken_again(self, seconds: Seconds) -> None:
        meter = a_meter(seconds)
        meter.count(Count.TOOL_CALLS, 4)
        taken = meter.take(write_units=1)
        meter.give_back(taken)
        assert meter.take(write_units=1) == taken

    def test_announced_requests_count_once_and_last_as_long_as_the_request_before(self, seconds: Seconds) -> None:
        meter = a_meter(seconds)
        meter.count_request(Count.READ_UNITS, 1, 0.010)
        meter.expect(requests=2, write_units=1)
        taken = meter.take(write_units=1)
        assert (taken[Count.WRITE_UNITS], taken[Count.LAMBDA_MS]) == (2, 30)
        meter.count_request(Count.WRITE_UNITS, 2, 0.005)
        assert meter.take(write_units=1) == {Count.WRITE_UNITS: 1}

    def test_a_connection_counts_as_a_watcher_and_not_as_an_invocation_of_the_job(self, seconds: Seconds) -> None:
        meter = a_meter(seconds)
        meter.watches = True
        seconds.now = 2
        assert meter.take(write_units=1) == {
            Count.WRITE_UNITS: 1,
            Count.WATCHER_MS: 2000,
            Count.WATCHER_MB_MS: 2000 * 512,
        }


class TestContext:
    def test_threads_and_tasks_count_in_the_meter_of_their_context(self, seconds: Seconds) -> None:
        async def two() -> None:
            await asyncio.gather(
                asyncio.to_thread(metering.count, Count.TOOL_CALLS), asyncio.to_thread(metering.count, Count.TOOL_CALLS)
            )

        with metering.metered(a_meter(seconds)) as meter:
            asyncio.run(two())
        metering.count(Count.TOOL_CALLS)
        assert meter.take(write_units=0)[Count.TOOL_CALLS] == 2

    def test_nothing_is_counted_outside(self) -> None:
        metering.count(Count.TOOL_CALLS)
        metering.expect(requests=1)
        assert metering.current() is None
