"""Refuse new data of an owner whose data are being erased."""

from __future__ import annotations

import math

from shared.clock import Clock
from shared.erasure.store import ErasureStore
from shared.errors import DataBeingErased

LEAST_SECONDS = 60
"""What `Retry-After` says if the erasure lasts longer than it was to last."""


class ErasureGate:
    """Refuse writes of owners whose data are being erased."""

    def __init__(self, erasures: ErasureStore, *, clock: Clock) -> None:
        self._erasures = erasures
        self._clock = clock

    def check(self, owner: str) -> None:
        """Raise DataBeingErased if the owner's data are being erased."""
        mark = self._erasures.mark_of(owner)
        if mark is None:
            return
        seconds = max(LEAST_SECONDS, math.ceil((mark.until - self._clock()).total_seconds()))
        raise DataBeingErased(
            f"your data are being erased ({mark.erasure_id}), so nothing new can be stored; try again in {seconds} s",
            retry_after=seconds,
        )
