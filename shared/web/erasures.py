"""Define the wire models of erasures, and convert erasures to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query

from shared.erasure.copies import Copy, copies_outside
from shared.erasure.erasure import Erasure, ErasureStatus
from shared.erasure.owner_data import OwnerData
from shared.runtime.settings import ErasureSettings
from shared.schema import Schema

ErasureId = Annotated[
    str, Path(alias="erasureId", description="the erasure's id, from the response that began it", max_length=64)
]

Confirmation = Annotated[
    Literal["erase"],
    Query(description="must be `erase`, so that no request erases everything by mistake, such as one without a job id"),
]


class ErasureStep(Schema):
    """One kind of data: what it is, how many things of it were erased, and whether nothing of it is left.

    Something that is stored while it is erased makes another round, and `done` is false again. If a step was killed and
    repeated, it may have erased more than it has counted.
    """

    name: str
    holds: str
    erased: int
    done: bool


class ErasureDetail(Schema):
    """The report of an erasure.

    `settlesAt` is when no request that began before the erasure can still write. The erasure looks again then, and is
    not completed before. `copies` are those that it cannot reach, with how long each lasts.
    """

    erasure_id: str
    status: ErasureStatus
    steps: tuple[ErasureStep, ...]
    rounds: int
    copies: tuple[Copy, ...]
    created_at: datetime
    settles_at: datetime
    completed_at: datetime | None


def detail(erasure: Erasure, data: Sequence[OwnerData]) -> ErasureDetail:
    """Return the wire model of an erasure. `data` are the kinds of data that there are."""
    settings = ErasureSettings.read()
    all_done = erasure.status in {ErasureStatus.SETTLING, ErasureStatus.COMPLETED}
    steps = tuple(
        ErasureStep(
            name=each.name,
            holds=each.holds,
            erased=erasure.counts.get(each.name, 0),
            done=all_done or each.name in erasure.finished,
        )
        for each in data
    )
    return ErasureDetail(
        erasure_id=erasure.id,
        status=erasure.status,
        steps=steps,
        rounds=erasure.rounds,
        copies=copies_outside(log_days=settings.log_retention_days, reports_errors=bool(settings.sentry_dsn)),
        created_at=erasure.created_at,
        settles_at=erasure.settles_at,
        completed_at=erasure.completed_at,
    )
