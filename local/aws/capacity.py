"""Counts DynamoDB capacity units per partition and per table, by AWS's documentation for on-demand tables.

Writes cost one unit per started KB of the larger of the item before and after, reads half a unit (eventually
consistent) or one (strongly) per started 4 KB; twice that in transactions.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-mode.html
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Consumed:
    """What one partition, or one table, has cost so far.

    `requests` counts API calls, a batch once for each partition in it. `index_units` is the part of `write_units` that
    each secondary index has cost.
    """

    write_units: float = 0.0
    read_units: float = 0.0
    requests: int = 0
    index_units: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, float]:
        return {"writeUnits": self.write_units, "readUnits": self.read_units, "requests": self.requests}

    def add(self, other: Consumed) -> None:
        self.write_units += other.write_units
        self.read_units += other.read_units
        self.requests += other.requests
        self.index_units.update(other.index_units)


@dataclass(frozen=True, slots=True)
class ItemFootprint:
    """An item as the meter sees it: its size in bytes, and for each index it appears in: key, content, size there."""

    size: int
    indexed: dict[str, tuple[str, str, int]]


ABSENT = ItemFootprint(0, {})


def write_units(before: ItemFootprint, after: ItemFootprint) -> int:
    """Units of one write, the secondary indexes it touches included; at least 1."""
    return _per_kilobyte(max(before.size, after.size)) + sum(index_units(before, after).values())


def index_units(before: ItemFootprint, after: ItemFootprint) -> dict[str, int]:
    """Units of one write in each secondary index that it touches."""
    units = {}
    for index in before.indexed.keys() | after.indexed.keys():
        old, new = before.indexed.get(index), after.indexed.get(index)
        if old == new:
            continue
        if old and new and old[0] == new[0]:
            units[index] = _per_kilobyte(max(old[2], new[2]))
        else:  # moved to another key: the entry is deleted and put anew
            units[index] = sum(_per_kilobyte(entry[2]) for entry in (old, new) if entry)
    return units


def read_units(size: int, *, consistent: bool) -> float:
    """Units of reading `size` bytes; finding nothing costs the same as 4 KB."""
    return max(1, -(-size // 4096)) * (1.0 if consistent else 0.5)


def _per_kilobyte(size: int) -> int:
    return max(1, -(-size // 1024))


class CapacityMeter:
    """Sums per partition key value, and per table. Not thread-safe: DynamoDB's lock is around every call."""

    def __init__(self) -> None:
        self._partitions: dict[str, Consumed] = {}
        self._tables: dict[str, Consumed] = {}

    def charge(self, table: str, partition: str, consumed: Consumed) -> None:
        self.of(partition).add(consumed)
        self._tables.setdefault(table, Consumed()).add(consumed)

    def of(self, partition: str) -> Consumed:
        return self._partitions.setdefault(partition, Consumed())

    def total(self) -> Consumed:
        """All partitions together."""
        total = Consumed()
        for consumed in self._partitions.values():
            total.add(consumed)
        return total

    def tables_as_json(self) -> dict[str, dict[str, Any]]:
        """Table name → what it has cost, and of its write units those of each index."""
        return {
            name: {**consumed.as_json(), "indexUnits": dict(consumed.index_units)}
            for name, consumed in self._tables.items()
        }
