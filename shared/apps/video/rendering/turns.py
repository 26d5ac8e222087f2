"""Turns: of an owner's renders the oldest AT_ONCE run, and the others wait in the order in which they were asked for.

A render takes a slot in the transaction that creates or resumes its job, and frees it in the transaction that ends the
job. So the slots are always those of the live renders, and no lease has to be renewed. A slot also has an end, in case
its job is gone without one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import Field

from shared.errors import Conflict
from shared.jobs.job import Job
from shared.jobs.pipeline import LONGEST_INVOCATION_SECONDS
from shared.jobs.store import PreparedWrites
from shared.schema import Schema

AT_ONCE: Final = 2
"""How many renders of one owner run at once."""

SLOTS: Final = 10
"""How many renders of one owner may run or wait."""

RUN_SECONDS: Final = 7200
"""The longest time of a render, from its creation or resumption on, its waiting included."""


class Turn(Schema):
    """A slot that a render has taken. `since` gives the order, and at `until` the slot is free, whatever happened."""

    slot: int = Field(ge=0, lt=SLOTS)
    job_id: str
    since: datetime
    until: datetime


class RenderTurns(Protocol):
    """Keep the slots of each owner. Raises the storage faults of `shared/errors.py`."""

    def taken(self, owner: str) -> Sequence[Turn]:
        """Return the slots that are taken, strongly consistent, also those whose time is over."""

    def prepare_taking(self, owner: str, turn: Turn) -> PreparedWrites:
        """Prepare that the slot is taken. Its condition: the slot is free, or its time was over at `turn.since`."""

    def prepare_freeing(self, owner: str, turn: Turn) -> PreparedWrites:
        """Prepare that the slot is free. Its condition: this turn's job has it."""


def position(turns: Sequence[Turn], job_id: str, now: datetime) -> int | None:
    """Return how many turns have to end before the job has its own: 0 if it has one, None if it has no slot."""
    waiting = sorted((each for each in turns if each.until > now), key=lambda turn: (turn.since, turn.job_id))
    ids = [each.job_id for each in waiting]
    return max(0, ids.index(job_id) + 1 - AT_ONCE) if job_id in ids else None


def next_turn(turns: Sequence[Turn], job: Job) -> Turn:
    """Return the turn that a new or resumed job takes: in any free slot, so that requests at once rarely collide.

    Raises Conflict if all slots are taken.
    """
    since = job.updated_at
    busy = {each.slot for each in turns if each.until > since}
    free = [slot for slot in range(SLOTS) if slot not in busy]
    if not free:
        raise Conflict(
            f"you have {SLOTS} renders that have not ended, which is the most: {AT_ONCE} run and the others wait. "
            "Cancel one, or wait until one has ended"
        )
    until = since + timedelta(seconds=RUN_SECONDS + LONGEST_INVOCATION_SECONDS)
    return Turn(slot=secrets.choice(free), job_id=job.id, since=since, until=until)
