"""Call one function from many threads at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from tests.patience import PATIENCE

T = TypeVar("T")
CALLERS = 20


def at_once(act: Callable[[int], T]) -> list[T]:
    """Call `act(0)` to `act(19)` in threads that start together, and return their results in this order."""
    together = Barrier(CALLERS)

    def caller(number: int) -> T:
        together.wait(timeout=PATIENCE)
        return act(number)

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(caller, range(CALLERS)))
