"""Read and write what a job has used of AWS, in attributes of its item that updates add to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.jobs.compute import compute_of
from shared.log.usage import ComputeUsage
from shared.observability.metering import Amounts, Count
from shared.storage.attributes import Item, from_attribute, to_attribute

_KNOWN = Count.LOST_INVOCATIONS
"""The attribute that the creation of a job writes. Without it the job is of an earlier version, so not all is known."""

ATTRIBUTES: tuple[str, ...] = tuple(Count)
"""The attributes of a job's item that hold what it has used of AWS."""


def attributes_of_new(amounts: Amounts) -> Item:
    """Return the attributes of a new job; none if nothing is counted."""
    return {what.value: to_attribute(amount) for what, amount in {_KNOWN: 0, **amounts}.items()} if amounts else {}


def addition(amounts: Amounts, values: dict[str, Any]) -> str:
    """Return the clause of an update expression that adds the amounts, and put its values into `values`."""
    values.update({f":{what}": to_attribute(amount) for what, amount in amounts.items()})
    return " ADD " + ", ".join(f"{what} :{what}" for what in amounts) if amounts else ""


def compute_in(item: Mapping[str, Any]) -> ComputeUsage | None:
    """Return what the job of this item has used; None if it is not known."""
    if _KNOWN not in item:
        return None
    return compute_of({what: from_attribute(item[what]) for what in Count if what in item})
