"""How often the reader polls the log."""

from __future__ import annotations

import random
import statistics

import pytest

from shared.log.events import Delta, Progress
from shared.log.pace import FIRST_WAIT, LONGEST_WAIT, REPEAT_POLL_SECONDS, SHORTEST_WAIT, Pace
from shared.log.reader import Frame
from shared.log.writer import COALESCE_SECONDS

TEXT = [Frame(1, Delta(text="x"))]
CLOCKS_APART = 1_800_000_000.0
"""Seconds between the writer's clock and the reader's."""


class Stopwatch:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def watch(
    arrivals: list[float],
    until: float,
    *,
    written: list[float] | None = None,
    since: float = 0.0,
    behind: float = CLOCKS_APART,
) -> tuple[int, list[float]]:
    """Return the number of polls from `since` to `until` and each delta's delay.

    `written` has the times of the appends; `behind`: by how many seconds the reader's clock is behind the writer's.
    """
    time = Stopwatch(since)
    pace = Pace(time, clock=lambda: CLOCKS_APART + time.now - behind)
    written = written or arrivals
    polls = 0
    delays: list[float] = []
    while time.now < until:
        polls += 1
        found = [at for at in arrivals[len(delays) :] if at <= time.now]
        delays += [time.now - at for at in found]
        pace.record_poll(TEXT if found else [], time.now, CLOCKS_APART + written[len(delays) - 1])
        time.now += pace.next_wait()
    return polls, delays


def delayed(seed: int) -> tuple[list[float], list[float]]:
    """Return the times of appends, and those from which a poll finds them."""
    jitter = random.Random(seed)
    written = append_times(40, seed)
    return written, [at + 0.005 + jitter.uniform(0, 0.002) for at in written]


def append_times(count: int, seed: int) -> list[float]:
    """Return the times of a writer's appends: one coalescing interval apart, with a little jitter."""
    jitter = random.Random(seed)
    return [0.2 + number * (COALESCE_SECONDS + 0.001) + jitter.uniform(0, 0.002) for number in range(count)]


def test_a_steady_flow_costs_about_one_and_a_quarter_polls_per_delta_and_little_delay() -> None:
    arrivals = append_times(200, seed=7)
    polls, delays = watch(arrivals, arrivals[-1] + 0.02)
    assert len(delays) == 200
    assert polls / 200 < 1.4
    assert max(delays[4:]) <= REPEAT_POLL_SECONDS + 1e-9  # once the reader knows the interval
    assert statistics.mean(delays[4:]) < 0.004


@pytest.mark.parametrize("first", range(0, 25, 3))
def test_the_reader_finds_the_interval_within_a_few_deltas(first: int) -> None:
    arrivals = [at + first / 1000 for at in append_times(10, seed=first)]
    _, delays = watch(arrivals, arrivals[-1] + 0.02)
    assert len(delays) == 10
    assert statistics.mean(delays[1:]) < 0.007


def test_a_reader_whose_clock_is_the_writers_needs_fewer_polls_to_find_the_interval() -> None:
    def first_five(behind: float) -> tuple[int, float]:
        found = [watch(visible, visible[4], written=at, behind=behind) for at, visible in map(delayed, range(30))]
        return sum(polls for polls, _ in found), statistics.mean(delay for _, delays in found for delay in delays[1:])

    (same, delay), (other, _) = first_five(0.0), first_five(2.0)
    assert same < other - 30  # more than one poll for each reader
    assert delay < REPEAT_POLL_SECONDS


@pytest.mark.parametrize("behind", [-0.02, -0.01, -0.004, 0.004, 0.01, 0.02])
def test_clocks_that_differ_by_milliseconds_do_not_delay_the_deltas_for_long(behind: float) -> None:
    written, visible = delayed(seed=11)
    polls, delays = watch(visible, visible[-1] + 0.02, written=written, behind=behind)
    assert len(delays) == 40
    assert statistics.mean(delays[20:]) < 0.007
    assert polls / 40 < 1.8


@pytest.mark.parametrize("phase", range(0, 100, 7))
def test_a_late_reader_is_synchronised_at_the_next_delta(phase: int) -> None:
    arrivals = append_times(20, seed=phase)
    polls, delays = watch(arrivals, arrivals[-1] + 0.02, since=arrivals[5] + phase / 1000)
    assert len(delays) == 20
    assert max(delays[7:]) <= 2 * REPEAT_POLL_SECONDS
    assert polls < 45


def test_a_late_delta_does_not_delay_the_next_ones() -> None:
    written = append_times(40, seed=3)
    late = [at + (0.08 if number % 10 == 5 else 0.004) for number, at in enumerate(written)]
    _, delays = watch(late, late[-1] + 0.02, written=written)
    assert len(delays) == 40
    next_delays = [delays[number] for number in range(10, 40) if number % 10 == 6]
    assert max(next_delays) <= 2 * REPEAT_POLL_SECONDS


@pytest.mark.parametrize("seconds", [-2.0, -0.3, 0.3, 2.0])
def test_the_reader_adapts_to_a_new_attempt_with_another_clock(seconds: float) -> None:
    arrivals = append_times(60, seed=5)
    written = [at + (seconds if number >= 20 else 0) for number, at in enumerate(arrivals)]
    polls, delays = watch(arrivals, arrivals[-1] + 0.02, written=written)
    assert len(delays) == 60
    assert max(delays[30:]) <= 2 * REPEAT_POLL_SECONDS
    assert polls / 60 < 4


def test_the_waits_grow_to_the_longest_wait_during_silence() -> None:
    time = Stopwatch()
    pace = Pace(time)
    waits = []
    for _ in range(60):
        waits.append(pace.next_wait())
        time.now += waits[-1]
    assert waits[0] == SHORTEST_WAIT
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


def test_the_second_poll_of_a_log_without_events_waits_twice_as_long() -> None:
    time = Stopwatch()
    pace = Pace(time)
    waits = []
    for _ in range(3):
        pace.record_poll([], time.now)
        waits.append(pace.next_wait())
        time.now += waits[-1]
    assert waits == [FIRST_WAIT, SHORTEST_WAIT, SHORTEST_WAIT]


def test_a_first_poll_that_finds_an_event_is_followed_as_every_other() -> None:
    time = Stopwatch()
    pace = Pace(time)
    pace.record_poll([Frame(1, Progress(progress=5))], time.now)
    assert pace.next_wait() == SHORTEST_WAIT


def test_an_event_after_a_second_of_silence_is_at_most_a_tenth_of_a_second_late() -> None:
    polls, (delay,) = watch([1.0], 1.3)
    assert delay <= 0.11
    assert polls < 60


def test_frequent_polls_for_an_overdue_delta_end_after_a_while() -> None:
    polls, _ = watch([0.0], 3.0)
    assert polls < 60


def test_progress_after_a_delta_counts_as_flowing_text() -> None:
    time = Stopwatch()
    pace = Pace(time)
    pace.record_poll([*TEXT, Frame(2, Progress(progress=5))], 0.0)
    assert pace.next_wait() == REPEAT_POLL_SECONDS  # the reader has just started: the next delta may come at any time
    pace.record_poll([Frame(3, Progress(progress=6))], 0.0)
    assert pace.next_wait() == SHORTEST_WAIT


def test_the_wait_is_at_least_as_long_as_a_slow_databases_response_takes() -> None:
    time = Stopwatch()
    pace = Pace(time)
    pace.record_poll(TEXT, 0.0)
    time.now = COALESCE_SECONDS
    pace.record_poll([], time.now - 0.04)
    assert pace.next_wait() == pytest.approx(0.04)
