"""What the columns of a table contain: their types, their ranges and samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.apps.sheets.addresses import column_name
from shared.apps.sheets.cells import CellContent, Scalar
from shared.apps.sheets.headers import looks_numeric
from shared.apps.sheets.tools.outcomes import shown, tidy
from shared.apps.sheets.tools.places import has_content

MOST_DISTINCT = 1_000
"""Up to how many different values of a column are counted."""

_MAJORITY = 0.9
_SAMPLES = 3
_LONGEST_SAMPLE = 40


@dataclass(slots=True)
class ColumnProfile:
    """What one column contains. Counts are of cells."""

    name: str
    letters: str
    kinds: dict[str, int] = field(default_factory=dict)
    empty: int = 0
    errors: int = 0
    formulas: int = 0
    frozen: int = 0
    numbers_as_text: int = 0
    formula: str | None = None
    lowest: Scalar = None
    highest: Scalar = None
    values: set[Scalar] = field(default_factory=set)
    samples: list[Scalar] = field(default_factory=list)

    def add(self, cell: CellContent) -> None:
        """Count one cell."""
        if not has_content(cell):
            self.empty += 1
            return
        if cell.formula is not None:
            self.formulas += 1
            self.formula = self.formula or cell.formula
        self.frozen += cell.frozen
        if cell.error:
            self.errors += 1
            return
        kind = _kind_of(cell)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if isinstance(cell.value, str):
            self.numbers_as_text += looks_numeric(cell.value)
        self._add_value(shown(cell), ordered=kind in {"number", "date"})

    @property
    def type(self) -> str:
        """Return the type of nearly all cells, `mixed` if there is none, `empty` without any."""
        total = sum(self.kinds.values())
        if not total:
            return "empty"
        kind, count = max(self.kinds.items(), key=lambda each: each[1])
        return kind if count >= _MAJORITY * total else "mixed"

    def _add_value(self, value: Scalar, *, ordered: bool) -> None:
        if len(self.values) <= MOST_DISTINCT and value not in self.values:
            self.values.add(value)
            if len(self.samples) < _SAMPLES:
                self.samples.append(value[:_LONGEST_SAMPLE] if isinstance(value, str) else value)
        if ordered and (self.lowest is None or type(value) is type(self.lowest) or _both_numbers(value, self.lowest)):
            self.lowest = value if self.lowest is None else min(self.lowest, value)  # type: ignore[type-var]
            self.highest = value if self.highest is None else max(self.highest, value)  # type: ignore[type-var]

    def short(self) -> dict[str, Any]:
        """Return the column in its shortest form: letters, name and type."""
        return {"column": self.letters, "name": self.name, "type": self.type}

    def full(self) -> dict[str, Any]:
        """Return everything about the column that is worth knowing; what is zero is left out."""
        many = len(self.values) > MOST_DISTINCT
        data: dict[str, Any] = {**self.short(), "distinct": f"over {MOST_DISTINCT}" if many else len(self.values)}
        if self.lowest is not None:
            data |= {"min": tidy(self.lowest), "max": tidy(self.highest)}
        data["samples"] = self.samples
        counts = {
            "empty": self.empty,
            "errors": self.errors,
            "formulas": self.formulas,
            "frozen": self.frozen,
            "numbersAsText": self.numbers_as_text,
        }
        data |= {name: count for name, count in counts.items() if count}
        if self.formula is not None:
            data["formula"] = self.formula[:120]
        if self.type == "mixed":
            data["types"] = self.kinds
        return data


def profiles_of(
    names: Sequence[str], first_column: int, rows: Iterable[Sequence[CellContent]]
) -> tuple[ColumnProfile, ...]:
    """Return the profile of each column from its rows of data."""
    profiles = tuple(ColumnProfile(name, column_name(number)) for number, name in enumerate(names, start=first_column))
    for row in rows:
        for profile, cell in zip(profiles, row, strict=False):
            profile.add(cell)
    return profiles


def _kind_of(cell: CellContent) -> str:
    if cell.iso is not None:
        return "date"
    if isinstance(cell.value, bool):
        return "boolean"
    return "text" if isinstance(cell.value, str) else "number"


def _both_numbers(first: Scalar, second: Scalar) -> bool:
    return all(isinstance(each, int | float) and not isinstance(each, bool) for each in (first, second))
