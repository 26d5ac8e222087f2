"""The ports that keep erasures, and run them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.erasure.erasure import Erasure


@dataclass(frozen=True, slots=True)
class ClosingMark:
    """Says that the owner's data are being erased: by which erasure, and until when no new data are accepted, at least.

    The mark is removed when the erasure is completed.
    """

    erasure_id: str
    until: datetime


class AlreadyClosed(Exception):
    """Another erasure of this owner is stored."""


class ErasureStore(Protocol):
    """Keep erasures. All reads are strongly consistent. Raises the storage faults of `shared/errors.py`."""

    def mark_of(self, owner: str) -> ClosingMark | None:
        """Return the owner's mark; None if the owner's data are not being erased."""

    def open(self, owner: str, erasure: Erasure) -> None:
        """Store a new erasure together with the owner's mark. Raises AlreadyClosed if the owner has a mark."""

    def get(self, erasure_id: str) -> Erasure | None:
        """Return the erasure; None if there is none, or if it has expired."""

    def save(self, erasure: Erasure) -> None:
        """Store another state of the erasure."""

    def close(self, owner: str, erasure: Erasure, *, expires_at: int) -> None:
        """Store a completed erasure, to expire at `expires_at` (Unix seconds), and remove the owner's mark."""


class ErasureExecutions(Protocol):
    """Run the state machine that repeats the steps of an erasure."""

    def start(self, erasure: Erasure) -> None:
        """Start the erasure's execution, unless it was started before. Raises TransientFault if that fails."""

    def runs(self, erasure: Erasure) -> bool:
        """Return whether the erasure's execution was started and has not ended."""
