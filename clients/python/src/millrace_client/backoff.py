"""Waits before a request is repeated: exponential backoff with full jitter."""

from __future__ import annotations

import random
from collections.abc import Callable

MAX_WAIT = 30.0
"""In seconds."""


def full_jitter(base: float, faults: int, chance: Callable[[], float] = random.random) -> float:
    """Return a random wait in seconds, between 0 and `base` doubled for each consecutive fault after the first.

    So the clients of a server that restarts do not all return at the same time
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """
    return chance() * min(max(MAX_WAIT, base), base * 2.0 ** max(0, faults - 1))
