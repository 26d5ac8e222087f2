"""How often a watcher looks."""

from __future__ import annotations

import random

import pytest

from shared.jobs.events import Delta, Progress
from shared.jobs.reader import CLOSE_LOOK, LONGEST_WAIT, SHORTEST_WAIT, Frame, Pace
from shared.jobs.writer import COALESCE_SECONDS

TEXT = [Frame(1, Delta(text="x"))]


class Stopwatch:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def watch(arrivals: list[float], until: float) -> tuple[int, list[float]]:
    """The number of looks until then, and how late each delta was seen."""
    time = Stopwatch()
    pace = Pace(time)
    looks, delays, pending = 0, [], list(arrivals)
    while time.now < until:
        looks += 1
        found = [at for at in pending if at <= time.now]
        if found:
            delays += [time.now - at for at in found]
            pending = pending[len(found) :]
        pace.looked(TEXT if found else [], time.now)
        time.now += pace.wait()
    return looks, delays


def test_flowing_deltas_cost_about_two_looks_each_and_are_seen_within_a_close_look() -> None:
    jitter = random.Random(7)
    arrivals = [number * (COALESCE_SECONDS + 0.002) + jitter.uniform(0, 0.004) for number in range(200)]
    looks, delays = watch(arrivals, arrivals[-1] + 0.02)
    assert len(delays) == 200
    assert looks / 200 < 2.8
    assert max(delays[2:]) <= CLOSE_LOOK + 1e-9  # once the rhythm is found


def test_silence_eases_the_pace_to_the_longest_wait() -> None:
    time = Stopwatch()
    pace = Pace(time)
    waits = []
    for _ in range(60):
        waits.append(pace.wait())
        time.now += waits[-1]
    assert waits[0] == SHORTEST_WAIT
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT


def test_after_a_second_of_silence_an_event_is_seen_a_tenth_of_a_second_late_at_most() -> None:
    looks, (delay,) = watch([1.0], 1.3)
    assert delay <= 0.11
    assert looks < 45


def test_a_delta_that_does_not_come_when_due_is_looked_for_closely_only_for_a_while() -> None:
    looks, _ = watch([0.0], 3.0)
    assert looks < 45


def test_progress_behind_a_delta_counts_as_flowing_text() -> None:
    time = Stopwatch()
    pace = Pace(time)
    pace.looked([*TEXT, Frame(2, Progress(progress=5))], 0.0)
    assert pace.wait() == COALESCE_SECONDS - CLOSE_LOOK
    pace.looked([Frame(3, Progress(progress=6))], 0.0)
    assert pace.wait() == SHORTEST_WAIT


def test_a_slow_database_is_not_asked_faster_than_it_answers() -> None:
    time = Stopwatch()
    pace = Pace(time)
    pace.looked(TEXT, 0.0)
    time.now = COALESCE_SECONDS
    pace.looked([], time.now - 0.04)
    assert pace.wait() == pytest.approx(0.04)
