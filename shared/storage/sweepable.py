"""Find what a sweep has to look at: items that name their kind and the time when it has to, in one index."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice

from shared.storage.items import query_items

INDEX = "Sweepable"
"""The index of the items with `sweep` and `sweepAt`."""


def sweep_mark(kind: str, at: datetime) -> Mapping[str, str]:
    """Return the attributes with which an item is due at this time, as one of its kind."""
    return {"sweep": kind, "sweepAt": sweep_time(at)}


def sweep_time(at: datetime) -> str:
    """Return the time as a text that sorts by time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def due_ids(table: str, kind: str, now: datetime, *, most: int) -> list[str]:
    """Return the ids of up to `most` items of this kind that are due, those first that are due for longest.

    The id is what follows `#` in an item's partition key. The index may be some milliseconds behind the table.
    """
    due = {":sweep": kind, ":now": sweep_time(now)}
    found = query_items(table, "sweep = :sweep AND sweepAt <= :now", due, IndexName=INDEX, Limit=most)
    return [item["PK"]["S"].partition("#")[2] for item in islice(found, most)]
