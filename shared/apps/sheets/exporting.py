"""Export a version of a workbook: the uploaded package with its changes, a new package, or one sheet as CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol, TypeAlias

from shared.apps.sheets.addresses import Area, Cell, parse_area
from shared.apps.sheets.blocks import BLOCK_COLUMNS, BLOCK_ROWS, block_json
from shared.apps.sheets.cells import EMPTY, CellContent, CellJson, cell_of
from shared.apps.sheets.differences import changed_cells
from shared.apps.sheets.engine.patch import CellPatch, SheetPatch
from shared.apps.sheets.engine_faults import transient_engine
from shared.apps.sheets.loading import sha256_of
from shared.apps.sheets.maps import SheetMap, WorkbookMap, changed_blocks, decode_map
from shared.apps.sheets.ops import HideRows, SetNumberFormat
from shared.apps.sheets.session import BlockRef, FileFormat, Inventory, Session, Source, Version
from shared.apps.sheets.session_store import DataGone, SessionFiles, SessionStore, WorkbookData
from shared.apps.sheets.snapshots import open_snapshot
from shared.apps.sheets.workbook import Engine, SnapshotUnreadable, Workbook, WorkbookRefusal
from shared.errors import UnusableFile

BLOCKS_AT_ONCE = 64
"""How many blocks are read at the same time."""

GUARDED = ("=", "+", "-", "@", "\t", "\r")
"""The first characters of texts that a program which opens CSV would compute."""

PAGE = 100
"""How many versions are read at once."""

MOST_CSV_CELLS = 20_000_000
"""The most cells of a CSV file, empty ones included: a single value in the last cell of a sheet makes 17 thousand
million of them."""

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV_TYPE = "text/csv; charset=utf-8"


Arrays: TypeAlias = Callable[[str, Sequence[Cell]], Sequence[Area] | None]
"""Returns the areas that the formulas in cells of a sheet fill; None if that is not known any more."""


class Patch(Protocol):
    """Writes a copy of a package with changes, and returns what is lost (`engine/patch.py`)."""

    def __call__(self, source: Path, target: Path, sheets: Mapping[str, SheetPatch]) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that was written, and what it does not have that the workbook or its source has."""

    content_type: str
    losses: tuple[str, ...]


class Exports:
    """Write versions of workbooks to files. Raises DataGone if data of the version is not stored."""

    def __init__(
        self, *, sessions: SessionStore, data: WorkbookData, files: SessionFiles, engine: Engine, patch: Patch
    ) -> None:
        self._sessions = sessions
        self._data = data
        self._files = files
        self._engine = engine
        self._patch = patch

    def map_of(self, version: Version) -> WorkbookMap:
        """Return the map of the version."""
        return decode_map(self._data.map(version.session_id, version.map))

    def write_xlsx(self, session: Session, version: Version, folder: Path, to: Path) -> Exported:
        """Write the version as XLSX. `folder` is for a copy of the source."""
        head = self.map_of(version)
        base = self._base(session, version)
        if base is None or head.restructured or session.source.format is not FileFormat.XLSX:
            return self._new_package(session, version, to)
        source = folder / "source.xlsx"
        if not self._loaded_file(session.source, source):
            return self._new_package(session, version, to)
        with self._arrays(version) as arrays:
            losses = self._patch(source, to, self._patches(session.id, self.map_of(base), head, arrays))
        return Exported(XLSX_TYPE, losses)

    @contextmanager
    def _arrays(self, version: Version) -> Iterator[Arrays]:
        """Yield what finds the areas that formulas of the version fill: only then its workbook is opened."""
        with ExitStack() as opened:

            @lru_cache(maxsize=1)
            def workbook() -> Workbook:
                found = open_snapshot(self._engine, self._data, version.session_id, version.snapshot)
                return opened.enter_context(closing(found))

            def filled(sheet: str, cells: Sequence[Cell]) -> Sequence[Area] | None:
                try:
                    with transient_engine():
                        return workbook().filled(sheet, cells)
                except (DataGone, SnapshotUnreadable, WorkbookRefusal):  # such as an older version
                    return None

            yield filled

    def _new_package(self, session: Session, version: Version, to: Path) -> Exported:
        with transient_engine():
            workbook = open_snapshot(self._engine, self._data, session.id, version.snapshot)
            try:
                workbook.write_xlsx(to)
            except WorkbookRefusal as refused:
                raise UnusableFile(f"The workbook is too large: {refused.message}. Export it as CSV.") from None
            finally:
                workbook.close()
        return Exported(XLSX_TYPE, tuple(_losses(session.inventory)))

    def _loaded_file(self, source: Source, to: Path) -> bool:
        """Download the source. Return whether it is the file that was loaded: its upload URL may still be valid."""
        try:
            self._files.download(source.key, to)
        except DataGone:
            return False
        return source.sha256 in {None, sha256_of(to)}

    def write_csv(self, session: Session, head: WorkbookMap, sheet: SheetMap, to: Path) -> Exported:
        """Write the values of one sheet of a version as CSV, in UTF-8 with a byte order mark.

        Raises UnusableFile if the sheet is too large for that.
        """
        rule = too_large_for_csv(sheet)
        if rule is not None:
            raise UnusableFile(f"The sheet {sheet.info.name!r} {rule}.")
        with to.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
            writer = csv.writer(file)
            writer.writerows(self._csv_rows(session.id, sheet))
        others = len(head.sheets) - 1
        losses = ["formulas and formats: a CSV file has only values"]
        if others:
            losses.append("1 other sheet" if others == 1 else f"{others} other sheets")
        return Exported(CSV_TYPE, tuple(losses))

    def _base(self, session: Session, version: Version) -> Version | None:
        """Return the version that was loaded from the file which is the session's source; None for an older file."""
        before: int | None = None
        while True:
            page = self._sessions.versions(session.id, limit=PAGE, before=before)
            for each in page:
                if each.kind == "load":
                    return each if each.number <= version.number else None
            if len(page) < PAGE:
                return None
            before = page[-1].number

    def _patches(self, session_id: str, base: WorkbookMap, head: WorkbookMap, arrays: Arrays) -> dict[str, SheetPatch]:
        """Return what differs between the loaded version and this one, by the names of the sheets."""
        blocks: dict[int, list[BlockRef]] = {}
        for block in changed_blocks(base, head):
            blocks.setdefault(block.sheet, []).append(block)
        names = {sheet.info.id: sheet for sheet in head.sheets}
        changed = {
            info.id for info in head.infos if any(op.sheet.casefold() == info.name.casefold() for op in head.layout)
        }
        return {
            names[sheet].info.name: replace(
                self._sheet_patch(session_id, base, head, names[sheet], blocks.get(sheet, [])),
                filled=partial(arrays, names[sheet].info.name),
            )
            for sheet in sorted({*blocks, *changed})
        }

    def _sheet_patch(
        self, session_id: str, base: WorkbookMap, head: WorkbookMap, sheet: SheetMap, blocks: Sequence[BlockRef]
    ) -> SheetPatch:
        cells: dict[int, dict[int, CellPatch]] = {}
        old = next(each for each in base.sheets if each.info.id == sheet.info.id)
        was = {(row, column): digest for row, column, digest in old.blocks}
        for start in range(0, len(blocks), BLOCKS_AT_ONCE):
            part = blocks[start : start + BLOCKS_AT_ONCE]
            digests = {each.digest for each in part} | {was.get((each.row, each.column)) for each in part}
            stored = self._data.blocks(session_id, (digest for digest in digests if digest is not None))
            for block in part:
                before, after = (
                    block_json(stored[digest]) if digest is not None else []
                    for digest in (was.get((block.row, block.column)), block.digest)
                )
                for cell, then, now in changed_cells(block.row, block.column, before, after):
                    found = _cell_patch(cell_of(then), cell_of(now))
                    if found is not None:
                        cells.setdefault(cell.row, {})[cell.column] = found
        name = sheet.info.name.casefold()
        hidden = next((op for op in head.layout if isinstance(op, HideRows) and op.sheet.casefold() == name), None)
        formats = tuple(
            (parse_area(op.range), op.format)
            for op in head.layout
            if isinstance(op, SetNumberFormat) and op.sheet.casefold() == name
        )
        return SheetPatch(
            cells,
            self._reader(session_id, sheet),
            hidden=_is_hidden(hidden) if hidden is not None else None,
            formats=formats,
        )

    def _reader(self, session_id: str, sheet: SheetMap) -> Callable[[int, int], CellContent]:
        digests = {(row, column): digest for row, column, digest in sheet.blocks}

        @lru_cache(maxsize=8)
        def block(row: int, column: int) -> Sequence[Sequence[CellJson]]:
            digest = digests.get((row, column))
            return [] if digest is None else block_json(self._data.block(session_id, digest))

        def content(row: int, column: int) -> CellContent:
            down, right = (row - 1) % BLOCK_ROWS, (column - 1) % BLOCK_COLUMNS
            rows = block(row - down, column - right)
            return cell_of(rows[down][right]) if down < len(rows) and right < len(rows[down]) else EMPTY

        return content

    def _csv_rows(self, session_id: str, sheet: SheetMap) -> Iterator[list[str]]:
        """Yield all rows of the sheet, each as long as the sheet is wide."""
        digests = {(row, column): digest for row, column, digest in sheet.blocks}
        for top in range(1, sheet.info.rows + 1, BLOCK_ROWS):
            columns = [column for column in range(1, sheet.info.columns + 1, BLOCK_COLUMNS) if (top, column) in digests]
            stored = self._data.blocks(session_id, {digests[top, column] for column in columns})
            blocks = {column: block_json(stored[digests[top, column]]) for column in columns}
            for down in range(min(BLOCK_ROWS, sheet.info.rows + 1 - top)):
                row = [""] * sheet.info.columns
                for column, rows in blocks.items():
                    for right, cell in enumerate(rows[down] if down < len(rows) else ()):
                        row[column - 1 + right] = csv_text(cell_of(cell))
                yield row


def too_large_for_csv(sheet: SheetMap) -> str | None:
    """Return why the sheet cannot be written as CSV, and what to do; None if it can."""
    last = Cell(max(sheet.info.rows, 1), max(sheet.info.columns, 1))
    if last.row * last.column <= MOST_CSV_CELLS:
        return None
    return (
        f"reaches to {last}, which are {last.row * last.column:,} cells, but a CSV file has at most "
        f"{MOST_CSV_CELLS:,}; export it as XLSX, or clear the cells that are far away"
    )


def csv_text(cell: CellContent) -> str:
    """Return a cell as a field of a CSV file. A text that a spreadsheet program would compute begins with `'` there."""
    match cell.value:
        case None:
            return ""
        case bool():
            return "TRUE" if cell.value else "FALSE"
        case str() as text:
            return f"'{text}" if text.startswith(GUARDED) else text
    return cell.iso or repr(cell.value)


def _cell_patch(before: CellContent, after: CellContent) -> CellPatch | None:
    """Return the patch of a cell; None if only the way it is shown has changed."""
    same = type(before.value) is type(after.value) and before.value == after.value and before.error == after.error
    if before.formula == after.formula and same:
        return None
    return CellPatch(after, computed=after.formula is not None and before.formula == after.formula)


def _is_hidden(hidden: HideRows) -> Callable[[int], bool]:
    return lambda row: any(first <= row <= last for first, last in hidden.rows)


def _losses(inventory: Inventory) -> Iterator[str]:
    """Yield what a new package does not have of the source."""
    for kind, count in sorted(inventory.parts.items()):
        if count:
            yield f"{kind}: {count}"
    if inventory.frozen:
        yield f"frozen formulas: {inventory.frozen}, which are written as their values"
