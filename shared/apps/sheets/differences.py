"""Find which cells differ between two versions of a workbook, from their maps and blocks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.blocks import block_area, block_json
from shared.apps.sheets.cells import CellJson
from shared.apps.sheets.maps import WorkbookMap, changed_blocks
from shared.apps.sheets.session import BlockRef
from shared.apps.sheets.session_store import WorkbookData
from shared.apps.sheets.workbook import ChangedRange, SheetInfo

MOST_COMPARED = 8
"""The most differing blocks whose cells are compared; if there are more, all their cells count as changed."""


class Differences:
    """What differs between two versions: `blocks` that changed, `ranges` for people, and the changed `cells`.

    `cells` are by the id of their sheet and their address; None if too many blocks differ to compare them.
    """

    def __init__(self, data: WorkbookData, session_id: str, before: WorkbookMap, after: WorkbookMap) -> None:
        self.blocks = changed_blocks(before, after)
        self._infos = {info.id: info for info in after.infos}
        self.cells: dict[int, dict[str, CellJson]] | None = None
        if len(self.blocks) > MOST_COMPARED:
            self.ranges = tuple(self._whole_ranges())
            return
        compared = list(_compared(data, session_id, before, self.blocks))
        self.ranges = tuple(self._exact_ranges(compared))
        self.cells = {}
        for block, cells in compared:
            if block.sheet in self._infos:
                found = self.cells.setdefault(block.sheet, {})
                found.update((str(cell), content) for cell, content in cells.items())

    def _exact_ranges(self, compared: Iterable[tuple[BlockRef, Mapping[Cell, CellJson]]]) -> Iterator[ChangedRange]:
        """Yield for each block the smallest range that has all its changed cells."""
        for block, cells in compared:
            info = self._infos.get(block.sheet)
            if info is not None and cells:
                yield ChangedRange(sheet=info.name, range=str(_around(cells)), cells=len(cells))

    def _whole_ranges(self) -> Iterator[ChangedRange]:
        """Yield for each sheet the smallest range that has all its changed blocks."""
        for sheet, info in self._infos.items():
            corners = [cell for block in self.blocks if block.sheet == sheet for cell in _corners(block, info)]
            if corners:
                area = _around(corners)
                yield ChangedRange(sheet=info.name, range=str(area), cells=area.size)


def _compared(
    data: WorkbookData, session_id: str, before: WorkbookMap, blocks: Sequence[BlockRef]
) -> Iterator[tuple[BlockRef, Mapping[Cell, CellJson]]]:
    """Yield the blocks with the cells that differ, as they are now."""
    old = {(sheet.info.id, row, column): digest for sheet in before.sheets for row, column, digest in sheet.blocks}
    digests = {each.digest for each in blocks} | {old.get((each.sheet, each.row, each.column)) for each in blocks}
    stored = data.blocks(session_id, (digest for digest in digests if digest is not None))
    rows = {digest: block_json(content) for digest, content in stored.items()}
    for block in blocks:
        was = old.get((block.sheet, block.row, block.column))
        found = changed_cells(block.row, block.column, rows.get(was or "", []), rows.get(block.digest or "", []))
        yield block, {cell: now for cell, _, now in found}


def changed_cells(
    row: int, column: int, before: Sequence[Sequence[CellJson]], after: Sequence[Sequence[CellJson]]
) -> Iterator[tuple[Cell, CellJson, CellJson]]:
    """Yield the cells of the block at this position that differ, with what they were and what they are."""
    for down, (old, new) in enumerate(zip_longest(before, after, fillvalue=())):
        if json.dumps(old) == json.dumps(new):  # as JSON, because Python says that 1 == True
            continue
        for right, (was, now) in enumerate(zip_longest(old, new)):
            if json.dumps(was) != json.dumps(now):
                yield Cell(row + down, column + right), was, now


def _corners(block: BlockRef, info: SheetInfo) -> tuple[Cell, Cell]:
    """Return the first and the last cell of the block, as far as the sheet has content."""
    area = block_area(block.row, block.column)
    last = Cell(min(area.last.row, max(info.rows, block.row)), min(area.last.column, max(info.columns, block.column)))
    return area.first, last


def _around(cells: Iterable[Cell]) -> Area:
    found = list(cells)
    rows, columns = [cell.row for cell in found], [cell.column for cell in found]
    return Area(Cell(min(rows), min(columns)), Cell(max(rows), max(columns)))
