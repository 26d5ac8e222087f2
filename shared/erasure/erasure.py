"""The erasure of one owner: its stored state, and its report."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from shared.schema import Schema
from shared.ulid import ALPHABET, new_ulid

ERASURE_ID = re.compile(rf"ers_[{ALPHABET}]{{26}}")
"""Matches a whole id of an erasure."""

KEPT = timedelta(days=30)
"""How long the report of a completed erasure is kept."""


class ErasureStatus(StrEnum):
    """The state of an erasure.

    `erasing`: it removes what it finds. `settling`: nothing is left, and it waits until no request or attempt that
    began before it can still write, to look again. `completed`: it has looked again, and nothing is left. `failed`: a
    step failed after all its retries; to request the erasure again continues it.
    """

    ERASING = "erasing"
    SETTLING = "settling"
    COMPLETED = "completed"
    FAILED = "failed"


class Erasure(Schema):
    """A stored erasure.

    `owner` is set until it is completed: from then on only the pseudonym says whose it was. `settles_at` is when no
    writer can be left that began before it. `finished` are the names of the steps that are done in this round, `found`
    says whether this round has erased anything, and `counts` is how many things each step has erased in all rounds.
    `execution` counts the executions: each continues where the one before ended.
    """

    id: str
    pseudonym: str
    owner: str | None
    status: ErasureStatus = ErasureStatus.ERASING
    settled: bool = False
    settles_at: datetime
    execution: int = 1
    finished: tuple[str, ...] = ()
    found: bool = False
    rounds: int = 1
    counts: dict[str, int] = Field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Return whether no execution works on it."""
        return self.status in {ErasureStatus.COMPLETED, ErasureStatus.FAILED}


def new_erasure_id(milliseconds: int) -> str:
    """Return a new id; `milliseconds` is the Unix time of its creation."""
    return f"ers_{new_ulid(milliseconds)}"


def pseudonym_of(owner: str, erasure_id: str) -> str:
    """Return the pseudonym of the owner in the report, which cannot be computed back to the owner.

    It differs from erasure to erasure, so that two reports do not say that they are of one owner.
    """
    return hashlib.sha256(f"{erasure_id}:{owner}".encode()).hexdigest()
