"""Counts DynamoDB capacity units for each partition and each table, as AWS bills on-demand tables.

A write costs one unit per started kB of the larger of the item before and after it. A read costs one unit (strongly
consistent) or half a unit (eventually consistent) per started 4 kB. A transaction costs twice as much.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-mode.html
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Consumed:
    """The capacity that one partition or one table has consumed so far.

    `requests` counts API calls, and a batch once for each partition in it. `index_units` is the share of each secondary
    index in `write_units`.
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
    """The size of an item in bytes, and for each index that contains it: key, content and size in the index."""

    size: int
    indexed: dict[str, tuple[Any, Any, int]]


ABSENT = ItemFootprint(0, {})


def write_units(before: ItemFootprint, after: ItemFootprint) -> int:
    """Return the units of one write, including the secondary indexes that it changes; at least 1."""
    return _per_kilobyte(max(before.size, after.size)) + sum(index_units(before, after).values())


def index_units(before: ItemFootprint, after: ItemFootprint) -> dict[str, int]:
    """Return the units of one write in each secondary index that it changes."""
    units = {}
    for index in before.indexed.keys() | after.indexed.keys():
        old, new = before.indexed.get(index), after.indexed.get(index)
        if old == new:
            continue
        if old and new and old[0] == new[0]:
            units[index] = _per_kilobyte(max(old[2], new[2]))
        else:  # another key: the entry is deleted and a new one is put
            units[index] = sum(_per_kilobyte(entry[2]) for entry in (old, new) if entry)
    return units


def read_units(size: int, *, consistent: bool) -> float:
    """Return the units of reading `size` bytes. Reading an absent item costs as much as 4 kB."""
    return max(1, -(-size // 4096)) * (1.0 if consistent else 0.5)


def _per_kilobyte(size: int) -> int:
    return max(1, -(-size // 1024))


class CapacityMeter:
    """Sums for each partition key and each table. Not thread-safe: the caller holds DynamoDB's lock."""

    def __init__(self) -> None:
        self._partitions: dict[str, Consumed] = {}
        self._tables: dict[str, Consumed] = {}

    def charge(self, table: str, partition: str, consumed: Consumed) -> None:
        self.of(partition).add(consumed)
        self._tables.setdefault(table, Consumed()).add(consumed)

    def of(self, partition: str) -> Consumed:
        return self._partitions.setdefault(partition, Consumed())

    def total(self) -> Consumed:
        """Return the sum over all partitions."""
        total = Consumed()
        for consumed in self._partitions.values():
            total.add(consumed)
        return total

    def tables_as_json(self) -> dict[str, dict[str, Any]]:
        """Return what each table has consumed, with the write units of each index."""
        return {
            name: {**consumed.as_json(), "indexUnits": dict(consumed.index_units)}
            for name, consumed in self._tables.items()
        }
