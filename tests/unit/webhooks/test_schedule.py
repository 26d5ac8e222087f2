"""When a delivery is attempted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.webhooks.schedule import AFTER_PAUSE, STANDARD, after_pause, asked_wait
from tests.fakes.clock import NOON


def test_eight_attempts_are_spread_over_a_day() -> None:
    nominal = [0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000]
    assert STANDARD.attempts == len(nominal)
    for number, wait in enumerate(nominal, start=1):
        seconds = [STANDARD.wait_before(number, f"dlv_{each}").total_seconds() for each in range(200)]
        assert all(wait * 0.8 <= each <= wait * 1.2 for each in seconds)
        if wait:
            assert min(seconds) < wait * 0.85  # spread over the range
            assert max(seconds) > wait * 1.15


def test_the_jitter_of_a_delivery_is_always_the_same() -> None:
    assert STANDARD.wait_before(4, "dlv_1") == STANDARD.wait_before(4, "dlv_1")
    assert STANDARD.wait_before(4, "dlv_1") != STANDARD.wait_before(4, "dlv_2")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("86401", 86_400),
        ("9" * 400, 86_400),
        ("Sun, 01 Mar 2026 12:10:00 GMT", 600),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Wed, 01 Apr 2026 12:00:00 GMT", 86_400),
        ("Sun, 01 Mar 2026 12:10:00 -0000", 600),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0661\u0662", None),
        ("Sun, 99 Mar 2026 12:10:00 GMT", None),
        ("Sun, 01 Mar 99999999 12:10:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date_up_to_a_day(text: str | None, seconds: float | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert asked_wait(text, NOON) == expected


def test_deliveries_that_waited_for_a_pause_are_spread() -> None:
    times = {after_pause(NOON, f"dlv_{each}") for each in range(100)}
    assert len(times) == 100
    assert all(NOON <= each <= NOON + AFTER_PAUSE for each in times)
