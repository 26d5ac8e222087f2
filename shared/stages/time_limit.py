"""End an attempt before Lambda kills its function, and wait as long as a provider tells us to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from shared.clock import seconds_left
from shared.errors import MillraceError, StageTimedOut, StageUnfinished, TransientFault
from shared.observability.log import log

T = TypeVar("T")

MARGIN_SECONDS: Final = 5.0
"""Seconds before the end of the invocation at which an attempt ends, so that it can store its text and its fault."""

LONGEST_WAIT: Final = 120.0
"""Seconds for which an attempt waits at most because a provider tells it to. The state machine's own wait follows."""


async def within_time_limit(work: Awaitable[T], has_progress: Callable[[], bool]) -> T:
    """Return the result of `work`. Cancel it shortly before the invocation would end.

    Raises:
        StageUnfinished: the time is over, and `has_progress` says that another attempt would continue.
        StageTimedOut: the time is over, and another attempt would end in the same way.
    """
    left = seconds_left()
    if left is None:
        return await work
    limit = asyncio.timeout(max(0.0, left - MARGIN_SECONDS))
    try:
        async with limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        if has_progress():
            raise StageUnfinished("the stage reached its time limit; it continues where it was") from None
        raise StageTimedOut(f"the stage did not finish within its time limit of about {round(left)} s") from None


async def wait_as_told(fault: MillraceError) -> None:
    """Wait as long as the provider has told us to, if it has, so that the next attempt does not come too early."""
    told = fault.retry_after if isinstance(fault, TransientFault) else None
    if not told:
        return
    left = seconds_left()
    seconds = min(told, LONGEST_WAIT, told if left is None else max(0.0, left - MARGIN_SECONDS))
    log.info("waiting as the provider says", seconds=round(seconds, 1), told=round(told, 1), code=fault.code)
    await _sleep(seconds)


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)
