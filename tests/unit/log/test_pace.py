"""How often a watcher looks."""

from __future__ import annotations

import random
import statistics

import pytest

from shared.log.events import Delta, Progress
from shared.log.pace import LONGEST_WAIT, REPEAT_POLL_SECONDS, SHORTEST_WAIT, Pace
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
    arrivals: list[float], until: float, *, written: list[float] | None = None, since: float = 0.0
) -> tuple[int, list[float]]:
    """The number of looks since then until then, and how late each delta was seen; `written`: when it was appended."""
    time = Stopwatch(since)
    pace = Pace(time)
    written = written or arrivals
    looks = 0
    delays: list[float] = []
    while time.now < until:
        looks += 1
        found = [at for at in arrivals[len(delays) :] if at <= time.now]
        delays += [time.now - at for at in found]
        pace.record_poll(TEXT if found else [], time.now, CLOCKS_APART + written[len(delays) - 1])
        time.now += pace.next_wait()
    return looks, delays


def beat(count: int, seed: int) -> list[float]:
    """When a writer appends: one coalescing interval apart, and a little."""
    jitter = random.Random(seed)
    return [0.2 + number * (COALESCE_SECONDS + 0.001) + jitter.uniform(0, 0.002) for number in range(count)]


def test_flowing_deltas_cost_one_and_a_half_looks_each_and_are_seen_within_a_close_look() -> None:
    arrivals = beat(200, seed=7)
    looks, delays = watch(arrivals, arrivals[-1] + 0.02)
    assert len(delays) == 200
    assert looks / 200 < 1.7
    assert max(delays[4:]) <= REPEAT_POLL_SECONDS + 1e-9  # once the rhythm is found
    assert statistics.mean(delays[4:]) < 0.004


@pytest.mark.parametrize("first", range(0, 25, 3))
def test_the_rhythm_is_found_within_a_few_deltas(first: int) -> None:
    arrivals = [at + first / 1000 for at in beat(10, seed=first)]
    _, delays = watch(arrivals, arrivals[-1] + 0.02)
    assert len(delays) == 10
    assert statistics.mean(delays[1:]) < 0.007


@pytest.mark.parametrize("phase", range(0, 100, 7))
def test_who_joins_in_the_middle_is_in_step_with_the_next_delta(phase: int) -> None:
    arrivals = beat(20, seed=phase)
    looks, delays = watch(arrivals, arrivals[-1] + 0.02, since=arrivals[5] + phase / 1000)
    assert len(delays) == 20
    assert max(delays[7:]) <= 2 * REPEAT_POLL_SECONDS
    assert looks < 45


def test_a_delta_that_was_late_does_not_delay_those_behind_it() -> None:
    written = beat(40, seed=3)
    late = [at + (0.08 if number % 10 == 5 else 0.004) for number, at in enumerate(written)]
    _, delays = watch(late, late[-1] + 0.02, written=written)
    assert len(delays) == 40
    behind = [delays[number] for number in range(10, 40) if number % 10 == 6]
    assert max(behind) <= 2 * REPEAT_POLL_SECONDS


@pytest.mark.parametrize("seconds", [-2.0, -0.3, 0.3, 2.0])
def test_a_successor_with_another_clock_is_soon_in_step(seconds: float) -> None:
    arrivals = beat(60, seed=5)
    written = [at + (seconds if number >= 20 else 0) for number, at in enumerate(arrivals)]
    looks, delays = watch(arrivals, arrivals[-1] + 0.02, written=written)
    assert len(delays) == 60
    assert max(delays[30:]) <= 2 * REPEAT_POLL_SECONDS
    assert looks / 60 < 4


def test_silence_eases_the_pace_to_the_longest_wait() -> None:
    time = Stopwatch()
    pace = Pace(time)
    waits = []
    for _ in range(60):
        waits.append(pace.next_wait())
        time.now += waits[-1]
    assert waits[0] == SHORTEST_WAIT
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


def test_after_a_second_of_silence_an_event_is_seen_a_tenth_of_a_second_late_at_most() -> None:
    looks, (delay,) = watch([1.0], 1.3)
    assert delay <= 0.11
    assert looks < 60


def test_a_delta_that_does_not_come_when_due_is_looked_for_closely_only_for_a_while() -> None:
    looks, _ = watch([0.0], 3.0)
    assert looks < 60


def test_progress_behind_a_delta_counts_as_flowing_text() -> None:
    time = Stopwatch()
    pace = Pace(time)
    pace.record_poll([*TEXT, Frame(2, Progress(progress=5))], 0.0)
    assert pace.next_wait() == REPEAT_POLL_SECONDS  # we have only just come: the next may be due at any time
    pace.record_poll([Frame(3, Progress(progress=6))], 0.0)
    assert pace.next_wait() == SHORTEST_WAIT


def test_a_slow_database_is_not_asked_faster_than_it_answers() -> None:
    time = Stopwatch()
    pace = Pace(time)
    pace.record_poll(TEXT, 0.0)
    time.now = COALESCE_SECONDS
    pace.record_poll([], time.now - 0.04)
    assert pace.next_wait() == pytest.approx(0.04)
