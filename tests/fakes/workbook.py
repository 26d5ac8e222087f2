"""The engine port, in memory and in this process: it keeps values and computes nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.apps.sheets.addresses import Area, Cell, parse_area, parse_cell
from shared.apps.sheets.blocks import block_area, block_starts, encode_block
from shared.apps.sheets.cells import EMPTY, CellContent, cell_json, cell_of
from shared.apps.sheets.ops import ClearRange, ManageSheet, Op, WriteCells, WriteValues
from shared.apps.sheets.workbook import (
    Applied,
    BlockScan,
    ChangedRange,
    DefinedName,
    EngineGone,
    LoadReport,
    SheetErrorCode,
    SheetInfo,
    SnapshotUnreadable,
    Table,
    Workbook,
    WorkbookRefusal,
)

Cells = dict[Cell, CellContent]


class FakeWorkbook:
    """Implements Workbook for the changes that write and clear values, and those that add and delete sheets.

    A formula is kept as the text of its cell's formula; its value is the text after `=`.
    """

    def __init__(self, names: Sequence[str], cells: dict[int, Cells]) -> None:
        self._names = dict(enumerate(names, start=1))
        self._cells = defaultdict[int, Cells](dict, cells)
        self.closed = False

    @property
    def sheets(self) -> Sequence[SheetInfo]:
        return [self._info(sheet, name) for sheet, name in self._names.items() if name]

    @property
    def names(self) -> Sequence[DefinedName]:
        return ()

    def read(self, sheet: str, area: Area) -> Sequence[Sequence[CellContent]]:
        first, last = area.first, area.last
        rows = [[EMPTY] * (last.column - first.column + 1) for _ in range(first.row, last.row + 1)]
        for at, content in self._cells[self._id(sheet)].items():  # few of a block's 32,768 cells have a content
            if at in area:
                rows[at.row - first.row][at.column - first.column] = content
        return rows

    def apply(self, ops: Sequence[Op]) -> Applied:
        if self.closed:
            raise EngineGone
        changed = [each for op in ops for each in self._apply(op)]
        return Applied(tuple(changed), sum(each.cells for each in changed), 0)

    def query(self, sql: str, *, limit: int) -> Table:
        raise NotImplementedError

    def scan(self, known: frozenset[str]) -> BlockScan:
        digests: dict[int, dict[tuple[int, int], str]] = {}
        new: dict[str, bytes] = {}
        for info in self.sheets:
            for digest, at, content in self._blocks(info):
                digests.setdefault(info.id, {})[at] = digest
                if digest not in known:
                    new[digest] = content
        return BlockScan(digests, new)

    def filled(self, sheet: str, cells: Sequence[Cell]) -> Sequence[Area]:
        return [Area(cell, cell) for cell in cells]

    def snapshot(self) -> bytes:
        cells = {
            sheet: {str(at): cell_json(cell) for at, cell in found.items()} for sheet, found in self._cells.items()
        }
        return json.dumps([list(self._names.values()), cells], sort_keys=True).encode()

    def write_xlsx(self, file: Path) -> None:
        file.write_bytes(self.snapshot())

    def close(self) -> None:
        self.closed = True

    def _apply(self, op: Op) -> Iterator[ChangedRange]:
        match op:
            case WriteCells():
                cells = self._cells[self._id(op.sheet)]
                for write in op.cells:
                    value = write.formula.removeprefix("=") if write.formula else write.value
                    _put(cells, parse_cell(write.at), CellContent(value, formula=write.formula))
                    yield ChangedRange(sheet=op.sheet, range=write.at, cells=1)
            case WriteValues():
                cells = self._cells[self._id(op.sheet)]
                start = parse_cell(op.start)
                for down, row in enumerate(op.values):
                    for right, value in enumerate(row):
                        at = Cell(start.row + down, start.column + right)
                        _put(cells, at, CellContent(value))
                        yield ChangedRange(sheet=op.sheet, range=str(at), cells=1)
            case ClearRange():
                area = parse_area(op.range)
                for at in [at for at in self._cells[self._id(op.sheet)] if at in area]:
                    del self._cells[self._id(op.sheet)][at]
                    yield ChangedRange(sheet=op.sheet, range=str(at), cells=1)
            case ManageSheet(action="add"):
                self._names[len(self._names) + 1] = op.new_name or op.sheet
            case ManageSheet(action="delete"):
                sheet = self._id(op.sheet)
                self._names[sheet] = ""
                self._cells.pop(sheet, None)
            case _:
                raise NotImplementedError(op.op)

    def _blocks(self, info: SheetInfo) -> Iterator[tuple[str, tuple[int, int], bytes]]:
        if not info.rows:
            return
        cells = sorted(self._cells[info.id].items(), key=lambda item: (item[0].row, item[0].column))
        for row, column in block_starts(Area(Cell(1, 1), Cell(info.rows, info.columns))):
            area = block_area(row, column)
            # A block is the same with and without the empty cells behind the last one of a row.
            rows: list[list[CellContent]] = [[] for _ in range(area.rows)]
            for at, content in cells:
                if at in area:
                    before = rows[at.row - row]
                    before += [EMPTY] * (at.column - column - len(before))
                    before.append(content)
            encoded = encode_block(rows)
            if encoded is not None:
                yield encoded[0], (row, column), encoded[1]

    def _info(self, sheet: int, name: str) -> SheetInfo:
        cells = self._cells[sheet]
        rows = max((cell.row for cell in cells), default=0)
        return SheetInfo(id=sheet, name=name, rows=rows, columns=max((cell.column for cell in cells), default=0))

    def _id(self, name: str) -> int:
        for sheet, found in self._names.items():
            if found and found.casefold() == name.casefold():
                return sheet
        raise WorkbookRefusal(SheetErrorCode.UNKNOWN_SHEET, f"there is no sheet {name}")


class FakeEngine:
    """Implements Engine. `load` makes a sheet `Sheet1` from lines of values with commas between them."""

    version = "fake-1"

    def __init__(self) -> None:
        self.opened: list[FakeWorkbook] = []

    def open(self, snapshot: bytes) -> Workbook:
        try:
            names, cells = json.loads(snapshot)
        except ValueError as error:
            raise SnapshotUnreadable from error
        found = {int(sheet): {parse_cell(at): cell_of(cell) for at, cell in of.items()} for sheet, of in cells.items()}
        return self._opened(FakeWorkbook(names, found))

    def load(self, file: Path, format: str) -> tuple[Workbook, LoadReport]:  # noqa: A002 - the port's name
        rows = [line.split(",") for line in file.read_text().splitlines()]
        return self.workbook(rows), LoadReport(mode="values", engine=self.version)

    def workbook(self, rows: Sequence[Sequence[str]] = ()) -> FakeWorkbook:
        """Return a workbook with the sheet `Sheet1`."""
        cells: Cells = {}
        for down, row in enumerate(rows, start=1):
            for right, text in enumerate(row, start=1):
                _put(cells, Cell(down, right), CellContent(text or None))
        return self._opened(FakeWorkbook(["Sheet1"], {1: cells}))

    def _opened(self, workbook: FakeWorkbook) -> FakeWorkbook:
        self.opened.append(workbook)
        return workbook


def _put(cells: Cells, at: Cell, content: CellContent) -> None:
    if content == EMPTY:
        cells.pop(at, None)
    else:
        cells[at] = content
