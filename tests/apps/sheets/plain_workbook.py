"""A workbook of Python lists, for tests of the tools: it reads and queries, and computes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.cells import EMPTY, CellContent
from shared.apps.sheets.ops import Op
from shared.apps.sheets.tools.places import sheet_named
from shared.apps.sheets.tools.tables import table_of
from shared.apps.sheets.workbook import (
    Applied,
    BlockScan,
    DefinedName,
    SheetErrorCode,
    SheetInfo,
    Table,
    WorkbookRefusal,
)


def date(iso: str, serial: int = 45_000) -> CellContent:
    return CellContent(serial, iso=iso)


def formula(text: str, value: Any = 0) -> CellContent:
    return CellContent(value, formula=text)


class PlainWorkbook:
    """Sheets by name, each a list of rows; a value that is no CellContent is a cell with this value."""

    def __init__(
        self,
        sheets: Mapping[str, Sequence[Sequence[Any]]],
        *,
        names: Sequence[DefinedName] = (),
        protected: Container[str] = (),
    ) -> None:
        self.names = names
        self._protected = protected
        self._rows = {
            name: [[each if isinstance(each, CellContent) else CellContent(each) for each in row] for row in rows]
            for name, rows in sheets.items()
        }
        self.reads = 0

    @property
    def sheets(self) -> Sequence[SheetInfo]:
        return [
            SheetInfo(
                id=number,
                name=name,
                rows=len(rows),
                columns=max(map(len, rows), default=0),
                protected=name in self._protected,
            )
            for number, (name, rows) in enumerate(self._rows.items(), start=1)
        ]

    def read(self, sheet: str, area: Area) -> Sequence[Sequence[CellContent]]:
        self.reads += 1
        rows = self._rows[sheet]
        return [
            [self._cell(rows, row, column) for column in range(area.first.column, area.last.column + 1)]
            for row in range(area.first.row, area.last.row + 1)
        ]

    def filled(self, sheet: str, cells: Sequence[Cell]) -> Sequence[Area]:
        raise NotImplementedError

    def query(self, sql: str, *, limit: int) -> Table:
        """Run the query in SQLite. The engine's own rules for queries have their own tests."""
        with sqlite3.connect(":memory:") as connection:
            for sheet in (each for each in self.sheets if each.rows):
                self._fill(connection, sheet)
            try:
                cursor = connection.execute(sql)
            except sqlite3.Error as error:
                raise WorkbookRefusal(SheetErrorCode.SQL_ERROR, str(error)) from error
            rows = cursor.fetchmany(limit + 1)
            columns = tuple(each[0] for each in cursor.description)
        return Table(columns, tuple(rows[:limit]), truncated=len(rows) > limit)

    def apply(self, ops: Sequence[Op]) -> Applied:
        raise NotImplementedError

    def scan(self, known: frozenset[str]) -> BlockScan:
        raise NotImplementedError

    def snapshot(self) -> bytes:
        raise NotImplementedError

    def write_xlsx(self, file: Path) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def _fill(self, connection: sqlite3.Connection, sheet: SheetInfo) -> None:
        table = table_of(self, sheet_named(self, sheet.name))
        columns = ", ".join(f'"{name}"' for name in table.names)
        connection.execute(f'create table "{sheet.name}" (_row, {columns})')
        for number, row in table.rows(self):
            values = (number, *(cell.iso or cell.value for cell in row))
            connection.execute(f'insert into "{sheet.name}" values ({",".join("?" * len(values))})', values)

    @staticmethod
    def _cell(rows: Sequence[Sequence[CellContent]], row: int, column: int) -> CellContent:
        return rows[row - 1][column - 1] if row <= len(rows) and column <= len(rows[row - 1]) else EMPTY
