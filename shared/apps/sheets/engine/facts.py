"""What is known of a sheet besides what the engine computes: its id, formats, and formulas as they were written."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from shared.apps.sheets.addresses import MOST_COLUMNS, Area, Cell
from shared.apps.sheets.blocks import BLOCK_COLUMNS, BLOCK_ROWS
from shared.apps.sheets.engine.formulas import Shift

Kept = TypeVar("Kept")

Run = tuple[int, int, str]
"""A first row, a last row, and what they have in common."""


def position(row: int, column: int) -> int:
    """Return one number for a cell: it is used as a key, and orders cells row by row."""
    return row * MOST_COLUMNS + column - 1


def row_of(place: int) -> int:
    """Return the row of a position."""
    return place // MOST_COLUMNS


def column_of(place: int) -> int:
    """Return the column of a position."""
    return place % MOST_COLUMNS + 1


def cell_at(place: int) -> Cell:
    """Return the cell of a position."""
    return Cell(row_of(place), column_of(place))


def block_of(place: int) -> tuple[int, int]:
    """Return the first cell of the block that a position is in."""
    row, column = row_of(place), column_of(place)
    return (row - 1) // BLOCK_ROWS * BLOCK_ROWS + 1, (column - 1) // BLOCK_COLUMNS * BLOCK_COLUMNS + 1


@dataclass(frozen=True, slots=True)
class Stored:
    """An encoded block: its digest, and its last row and column that are not empty, counted in the sheet."""

    digest: str
    last_row: int
    last_column: int


@dataclass
class SheetFacts:
    """The facts of one sheet.

    `formulas` are the positions that the engine computes. `frozen` has the formulas whose values the file gave.
    `written` has formulas as they were written where the engine has them with bounded references. `formats` has the
    number formats other than General, by column. `hidden` are pairs of first and last row. `blocks` are those that are
    not empty, as they were encoded last; those in `dirty` have changed since. `protected` is SheetInfo's.
    """

    id: int
    name: str
    hidden_sheet: bool = False
    formulas: set[int] = field(default_factory=set)
    frozen: dict[int, str] = field(default_factory=dict)
    written: dict[int, str] = field(default_factory=dict)
    formats: dict[int, list[Run]] = field(default_factory=dict)
    hidden: list[tuple[int, int]] = field(default_factory=list)
    blocks: dict[tuple[int, int], Stored] = field(default_factory=dict)
    dirty: set[tuple[int, int]] = field(default_factory=set)
    protected: bool = False

    @property
    def last_row(self) -> int:
        return max((block.last_row for block in self.blocks.values()), default=0)

    @property
    def last_column(self) -> int:
        return max((block.last_column for block in self.blocks.values()), default=0)

    def copy(self) -> SheetFacts:
        """Return facts that can be changed without changing these."""
        return SheetFacts(
            self.id,
            self.name,
            self.hidden_sheet,
            set(self.formulas),
            dict(self.frozen),
            dict(self.written),
            {column: list(runs) for column, runs in self.formats.items()},
            list(self.hidden),
            dict(self.blocks),
            set(self.dirty),
            self.protected,
        )

    def forget(self, place: int) -> None:
        """Forget the formula of a cell that gets something else."""
        self.formulas.discard(place)
        self.frozen.pop(place, None)
        self.written.pop(place, None)

    def touch_formulas(self) -> None:
        """Mark the blocks that have a formula: its text may have changed."""
        self.dirty.update(map(block_of, self.formulas))
        self.dirty.update(map(block_of, self.frozen))

    def format_at(self, row: int, column: int) -> str | None:
        """Return the number format of a cell; None if it is General."""
        runs = self.formats.get(column)
        if not runs:
            return None
        index = bisect_left(runs, row, key=lambda run: run[1])
        return runs[index][2] if index < len(runs) and runs[index][0] <= row else None

    def set_format(self, column: int, first: int, last: int, code: str | None) -> None:
        """Give rows of a column a number format; None for General."""
        runs = list(_without(self.formats.get(column, []), first, last))
        if code is not None:
            runs.append((first, last, code))
        if runs:
            self.formats[column] = joined(sorted(runs))
        else:
            self.formats.pop(column, None)

    def shift(self, shift: Shift) -> None:
        """Move the facts as inserting or deleting rows or columns moves cells, and mark the blocks that change."""
        place = mover(shift)
        self.formulas = {moved for old in self.formulas if (moved := place(old)) is not None}
        self.frozen = moved_keys(self.frozen, place)
        self.written = moved_keys(self.written, place)
        if shift.rows:
            formats = {column: list(_shifted_runs(runs, shift)) for column, runs in self.formats.items()}
            self.formats = {column: runs for column, runs in formats.items() if runs}
            self.hidden = [
                (first, last) for first, last, _ in _shifted_runs([(*pair, "") for pair in self.hidden], shift)
            ]
        else:
            moved_formats = ((shift.number(column), runs) for column, runs in self.formats.items())
            self.formats = {column: runs for column, runs in moved_formats if column is not None}
        size = BLOCK_ROWS if shift.rows else BLOCK_COLUMNS
        for row, column in {*self.blocks, *self.dirty}:
            start = row if shift.rows else column
            if start + size > shift.at:
                self.dirty.add((row, column))
                for moved in (start + shift.count, start + size - 1 + shift.count):
                    target = position(max(moved, 1), column) if shift.rows else position(row, max(moved, 1))
                    self.dirty.add(block_of(target))


def mover(shift: Shift) -> Callable[[int], int | None]:
    """Return the function from a position before the shift to that after it; None if the cell is gone."""

    def place(old: int) -> int | None:
        row, column = row_of(old), column_of(old)
        moved = shift.number(row if shift.rows else column)
        if moved is None:
            return None
        return position(moved, column) if shift.rows else position(row, moved)

    return place


def moved_keys(values: dict[int, Kept], place: Callable[[int], int | None]) -> dict[int, Kept]:
    """Return the values at their new positions, without those that are gone."""
    return {moved: value for old, value in values.items() if (moved := place(old)) is not None}


def joined(runs: Iterable[Run]) -> list[Run]:
    """Return sorted runs with neighbours of the same content made one."""
    result: list[Run] = []
    for first, last, content in runs:
        if result and result[-1][2] == content and result[-1][1] + 1 >= first:
            result[-1] = (result[-1][0], max(last, result[-1][1]), content)
        else:
            result.append((first, last, content))
    return result


def columns_of(places: Iterable[int]) -> list[tuple[int, int, int]]:
    """Return positions as runs in columns: column, first row, last row."""
    runs: list[tuple[int, int, int]] = []
    for column, row in sorted((column_of(place), row_of(place)) for place in places):
        if runs and runs[-1][0] == column and runs[-1][2] + 1 == row:
            runs[-1] = (column, runs[-1][1], row)
        else:
            runs.append((column, row, row))
    return runs


def places_of(runs: Iterable[Iterable[int]]) -> set[int]:
    """Return the positions of `columns_of`."""
    places: set[int] = set()
    for column, first, last in runs:
        places.update(range(position(first, column), position(last, column) + 1, MOST_COLUMNS))
    return places


def areas_of(places: Iterable[int]) -> list[tuple[Area, int]]:
    """Return rectangles that have exactly these positions, each with its number of cells."""
    open_areas: dict[tuple[int, int], int] = {}
    areas: list[Area] = []
    for column, first, last in columns_of(places):
        number = open_areas.get((first, last))
        if number is not None and areas[number].last.column + 1 == column:
            areas[number] = Area(areas[number].first, Cell(last, column))
        else:
            open_areas[first, last] = len(areas)
            areas.append(Area(Cell(first, column), Cell(last, column)))
    return [(area, area.size) for area in areas]


def facts_json(facts: SheetFacts) -> dict[str, Any]:
    """Return the facts in JSON."""
    return {
        "id": facts.id,
        "name": facts.name,
        "hiddenSheet": facts.hidden_sheet,
        "formulas": columns_of(facts.formulas),
        "frozen": list(facts.frozen.items()),
        "written": list(facts.written.items()),
        "formats": list(facts.formats.items()),
        "hidden": facts.hidden,
        "blocks": [(*start, block.digest, block.last_row, block.last_column) for start, block in facts.blocks.items()],
        "dirty": sorted(facts.dirty),
        "protected": facts.protected,
    }


def facts_of(content: dict[str, Any]) -> SheetFacts:
    """Return the facts that `facts_json` has written."""
    return SheetFacts(
        content["id"],
        content["name"],
        content["hiddenSheet"],
        places_of(content["formulas"]),
        dict(content["frozen"]),
        dict(content["written"]),
        {column: [tuple(run) for run in runs] for column, runs in content["formats"]},
        [tuple(pair) for pair in content["hidden"]],
        {(row, column): Stored(*stored) for row, column, *stored in content["blocks"]},
        {(row, column) for row, column in content["dirty"]},
        content.get("protected", False),  # snapshots of before do not have it
    )


def _without(runs: Iterable[Run], first: int, last: int) -> Iterator[Run]:
    for start, end, content in runs:
        if start < first:
            yield start, min(end, first - 1), content
        if end > last:
            yield max(start, last + 1), end, content


def _shifted_runs(runs: Iterable[Run], shift: Shift) -> Iterator[Run]:
    for first, last, content in runs:
        if shift.count > 0:
            start = shift.number(first)
            end = shift.number(last) if last >= shift.at else last
            if start is not None:
                yield start, end or last, content
            continue
        removed_end = shift.at - shift.count - 1
        start = first if first < shift.at else max(first + shift.count, shift.at)
        end = last if last < shift.at else max(last + shift.count, shift.at - 1)
        if not (first >= shift.at and last <= removed_end) and end >= start:
            yield start, end, content
