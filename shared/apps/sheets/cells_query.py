"""Read the cells of a range, of the newest version or of an older one, from blocks: without the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from shared.apps.sheets.addresses import Area, BadAddress, Cell, parse_area
from shared.apps.sheets.blocks import block_json, block_starts, digest_of
from shared.apps.sheets.cells import CellJson
from shared.apps.sheets.health import SessionHealth
from shared.apps.sheets.maps import SheetMap, decode_map
from shared.apps.sheets.moves import Request, refuse_unless_possible
from shared.apps.sheets.queries import owned_session
from shared.apps.sheets.session import BlockRef, Session
from shared.apps.sheets.session_store import DataGone, SessionStore, WorkbookData
from shared.apps.sheets.workbook import SheetInfo
from shared.errors import FieldIssue, InvalidInput, NotFound

MOST_CELLS_READ = 32_768
"""The most cells of one read: as many as a block has."""

Rows = Sequence[Sequence[CellJson]]


@dataclass(frozen=True, slots=True)
class CellRange:
    """Cells that were found and not read yet: a range of a sheet in a version, and the blocks that have its cells.

    `etag` is the same as long as the sheet's name and size and the cells of these blocks are.
    """

    session: Session
    version: int
    pinned: bool
    sheet: SheetInfo
    area: Area
    blocks: tuple[BlockRef, ...]

    @property
    def etag(self) -> str:
        """Return the ETag of a response with these cells."""
        blocks = [(block.row, block.column, block.digest) for block in self.blocks]
        content = json.dumps([self.sheet.model_dump(), str(self.area), blocks], sort_keys=True)
        return f'"c{digest_of(content.encode())}"'


class CellsQuery:
    """Read cells. `owner` is the authenticated user, who reads only their own sessions."""

    def __init__(self, *, sessions: SessionStore, data: WorkbookData, health: SessionHealth) -> None:
        self._sessions = sessions
        self._data = data
        self._health = health

    def find(self, owner: str, session_id: str, *, sheet: str, cells: str, version: int | None) -> CellRange:
        """Find the cells of a range such as `A1:C9`, in this version or, if it is None, in the newest one.

        This reads the session and the version's map, no block.

        Raises:
            NotFound, Forbidden: as `owned_session`; NotFound also if there is no such version any more.
            InvalidInput: the range is none or has more than MOST_CELLS_READ cells, or there is no such sheet.
            Conflict: the session is not active, or the data of its newest version is gone.
        """
        area = _area(cells)
        session = owned_session(self._sessions, owner, session_id)
        refuse_unless_possible(session, Request.READ)
        number = session.version if version is None else version
        digest = self._map_of(session, number)
        try:
            found = decode_map(self._data.map(session.id, digest))
        except DataGone:
            raise self._gone(session, number) from None
        sheet_map = found.sheet(sheet)
        if sheet_map is None:
            raise _unknown_sheet(sheet, [info.name for info in found.infos])
        blocks = tuple(_blocks(sheet_map, area))
        return CellRange(session, number, version is not None, sheet_map.info, area, blocks)

    def read(self, found: CellRange) -> Rows:
        """Return the cells row by row, without the empty cells at the end of a row and the empty rows at the end.

        Raises:
            NotFound: a part of an older version is not kept any more.
            Conflict: data of the newest version is gone: the session is in the state ERROR now.
        """
        session = found.session
        if found.version == session.version:
            self._health.refuse_unless_valid(session, Request.READ)
        try:
            stored = self._data.blocks(session.id, {block.digest for block in found.blocks if block.digest is not None})
        except DataGone:
            raise self._gone(session, found.version) from None
        blocks = {
            (block.row, block.column): block_json(stored[block.digest])
            for block in found.blocks
            if block.digest is not None
        }
        return _rows(blocks, found.area)

    def _map_of(self, session: Session, number: int) -> str:
        if number == session.version:
            return str(session.map)
        version = self._sessions.version(session.id, number) if 1 <= number < session.version else None
        if version is None:
            raise NotFound(f"version {number} was not found; the newest version is {session.version}")
        return version.map

    def _gone(self, session: Session, number: int) -> Exception:
        if number == session.version:
            return self._health.lost(session)
        return NotFound(
            f"version {number} is not kept any more; the 20 newest versions and every tenth are, "
            f"and the newest version is {session.version}"
        )


def _area(text: str) -> Area:
    try:
        area = parse_area(text)
    except BadAddress as error:
        raise InvalidInput([FieldIssue("range", str(error))]) from None
    if area.size > MOST_CELLS_READ:
        rule = f"must have at most {MOST_CELLS_READ} cells; it has {area.size}: read it in several parts"
        raise InvalidInput([FieldIssue("range", rule)])
    return area


def _unknown_sheet(name: str, names: Sequence[str]) -> InvalidInput:
    """Return the error for a sheet that is not in the workbook; it names the nearest sheets."""
    near = get_close_matches(name[:100], names, n=3, cutoff=0.3) or list(names[:3])
    return InvalidInput([FieldIssue("sheet", f"must be the name of a sheet, such as {', '.join(map(repr, near))}")])


def _blocks(sheet: SheetMap, area: Area) -> Sequence[BlockRef]:
    digests = {(row, column): digest for row, column, digest in sheet.blocks}
    return [
        BlockRef(sheet=sheet.info.id, row=row, column=column, digest=digests.get((row, column)))
        for row, column in block_starts(area)
    ]


def _rows(blocks: Mapping[tuple[int, int], Rows], area: Area) -> Rows:
    """Return the cells of the area, from the rows of the blocks that it has a part of."""
    rows: list[list[CellJson]] = []
    for row in range(area.first.row, area.last.row + 1):
        cells: list[CellJson] = [None] * area.columns
        for top, left in block_starts(Area(Cell(row, area.first.column), Cell(row, area.last.column))):
            block = blocks.get((top, left), ())
            stored = block[row - top] if row - top < len(block) else ()
            skipped = max(area.first.column - left, 0)
            part = stored[skipped : area.last.column - left + 1]
            start = left + skipped - area.first.column
            cells[start : start + len(part)] = part
        while cells and cells[-1] is None:
            cells.pop()
        rows.append(cells)
    while rows and not rows[-1]:
        rows.pop()
    return rows
