"""What a cell contains, as tools, blocks and the API see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Scalar: TypeAlias = str | float | int | bool | None
"""The value of a cell. An integral number is an int; the value of an error is its name, such as `#REF!`."""

CellJson: TypeAlias = Scalar | dict[str, Any]
"""A cell in JSON: its value alone, or an object if there is more to say (`cell_json`)."""


@dataclass(frozen=True, slots=True)
class CellContent:
    """A cell: its value and, where they differ from it, how it is shown and computed.

    `text` is what a person sees, if it is not the plain value. `formula` begins with `=`. `iso` is the value of a cell
    with a date or time format, such as `2026-03-31` or `2026-03-31T14:30:00`. A frozen cell keeps the value that the
    file had, because the engine cannot compute its formula.
    """

    value: Scalar = None
    text: str | None = None
    formula: str | None = None
    iso: str | None = None
    error: bool = False
    frozen: bool = False


EMPTY = CellContent()


def cell_json(cell: CellContent) -> CellJson:
    """Return the cell in JSON: the value, or an object with `value` and those of the other fields that are set."""
    fields: dict[str, Any] = {}
    for name in ("text", "formula", "iso"):
        found = getattr(cell, name)
        if found is not None:
            fields[name] = found
    for name in ("error", "frozen"):
        if getattr(cell, name):
            fields[name] = True
    return {"value": cell.value, **fields} if fields else cell.value


def cell_of(content: CellJson) -> CellContent:
    """Return the cell that `cell_json` has written."""
    return CellContent(**content) if isinstance(content, dict) else CellContent(content)
