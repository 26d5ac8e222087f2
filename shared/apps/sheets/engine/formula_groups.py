"""Find the cells of a sheet's part that share a formula, and those that an array formula fills."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from shared.apps.sheets.addresses import Area, Cell, parse_area, parse_cell
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.engine.cell_xml import attributes_of
from shared.apps.sheets.engine.formulas import may_spill

_GROUP = re.compile(rb'<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b([^>]*\bt="(?:shared|array)"[^>]*?)(/?)>')
_DIGITS = re.compile(r"[0-9]+")

At = tuple[int, int]
"""A row and a column."""


@dataclass
class FormulaGroups:
    """The groups of cells with one formula in a sheet.

    `shared` has the number of each shared formula by its first cell, `members` the cells of each number. `arrays` has
    the area that each array formula fills, by its first cell.
    """

    shared: dict[At, bytes] = field(default_factory=dict)
    members: dict[bytes, list[At]] = field(default_factory=dict)
    arrays: dict[At, Area] = field(default_factory=dict)

    @classmethod
    def of(cls, chunks: Iterable[bytes]) -> FormulaGroups:
        """Return the groups of a part whose XML comes in pieces that end with a row."""
        groups = cls()
        for chunk in chunks:
            for cell, formula, empty in _GROUP.findall(chunk):
                groups._add(attributes_of(b" " + cell), attributes_of(b" " + formula), child=bool(empty))
        return groups

    def _add(self, cell: dict[bytes, bytes], formula: dict[bytes, bytes], *, child: bool) -> None:
        if b"r" not in cell:
            return
        found = parse_cell(cell[b"r"].decode())
        at = (found.row, found.column)
        if formula[b"t"] == b"array":
            self.arrays[at] = parse_area(formula.get(b"ref", cell[b"r"]).decode())
            return
        self.members.setdefault(formula.get(b"si", b""), []).append(at)
        if not child:
            self.shared[at] = formula.get(b"si", b"")

    def left_alone(self, written: Container[At]) -> Iterator[At]:
        """Yield the cells of the shared formulas whose first cell gets another content.

        They must be written with formulas of their own.
        """
        for at, number in self.shared.items():
            if at in written:
                yield from self.members[number]

    def touched_arrays(self, written: Container[At]) -> Iterator[tuple[At, Area]]:
        """Yield the array formulas that fill a cell with another content, or may do so now: it borders their areas."""
        for at, area in self.arrays.items():
            wide = Area(area.first, Cell(area.last.row + 1, area.last.column + 1))
            if at not in written and any((cell.row, cell.column) in written for cell in wide.cells()):
                yield at, area


def array_areas(
    groups: FormulaGroups,
    written: Mapping[At, CellContent],
    filled: Callable[[Sequence[Cell]], Sequence[Area] | None],
    content: Callable[[int, int], CellContent],
) -> tuple[dict[At, Area], list[str]]:
    """Return the areas that formulas fill now, if the file does not say so, and what the file will not say either.

    `written` are the cells with other contents than in the file. `filled` and `content` are as in SheetPatch.
    """
    kept = dict(groups.touched_arrays(written))
    new = [
        at for at, cell in written.items() if cell.formula is not None and _may_spill(_DIGITS.sub("1", cell.formula))
    ]
    computed = [Cell(*at) for at in (*kept, *new) if not content(*at).frozen]
    known = filled(computed) if computed else []
    now: Sequence[Area | None] = [None] * len(computed) if known is None else known
    areas: dict[At, Area] = {}
    losses: list[str] = []
    for cell, area in zip(computed, now, strict=True):
        at = (cell.row, cell.column)
        if area is None:
            losses.append(f"array formula in {cell}: whether it fills the same cells as before is not known any more")
        elif area != kept.get(at, Area(cell, cell)):
            areas[at] = area
    for at, area in kept.items():
        if content(*at).frozen and any((cell.row, cell.column) in written for cell in area.cells()):
            areas[at] = Area(area.first, area.first)
            losses.append(f"array formula in {area}: it fills {area.first} only, because another cell was changed")
    return areas, losses


@lru_cache(maxsize=4096)
def _may_spill(shape: str) -> bool:
    """Tell whether a formula may fill other cells. `shape` is the formula with the same digits everywhere."""
    return may_spill(shape)
