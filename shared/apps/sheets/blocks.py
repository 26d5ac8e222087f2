"""Blocks of cells, named by a digest of their contents: two blocks with the same cells are stored once."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.cells import EMPTY, CellContent, CellJson, cell_json, cell_of

BLOCK_ROWS = 512
"""Rows of a block."""

BLOCK_COLUMNS = 64
"""Columns of a block."""

DIGEST_LENGTH = 24
"""Characters of a digest, which are hexadecimal: 96 bits."""


def block_starts(area: Area) -> Iterator[tuple[int, int]]:
    """Yield the positions (row, column) of the first cells of the blocks that have a part of the area, row by row."""
    for row in range(_start(area.first.row, BLOCK_ROWS), area.last.row + 1, BLOCK_ROWS):
        for column in range(_start(area.first.column, BLOCK_COLUMNS), area.last.column + 1, BLOCK_COLUMNS):
            yield row, column


def block_area(row: int, column: int) -> Area:
    """Return the area of the block that begins at this cell."""
    return Area(Cell(row, column), Cell(row + BLOCK_ROWS - 1, column + BLOCK_COLUMNS - 1))


def encode_block(rows: Sequence[Sequence[CellContent]]) -> tuple[str, bytes] | None:
    """Return the digest and the stored bytes of a block; None if all its cells are empty.

    The bytes are gzip of a JSON array of rows (`cell_json`), without empty cells at the end of rows and empty rows at
    the end of the block. They are the same for the same cells.
    """
    return encode_rows([[cell_json(cell) for cell in row] for row in rows])


def encode_rows(rows: Sequence[list[CellJson]]) -> tuple[str, bytes] | None:
    """Do the same as `encode_block` for cells that are JSON already (`cell_json`)."""
    text = _rows_text(rows)
    return None if text is None else (digest_of(text), gzip.compress(text, compresslevel=1, mtime=0))


def block_text(rows: Sequence[Sequence[CellContent]]) -> bytes | None:
    """Return the JSON of a block, which its digest is computed from; None if all its cells are empty."""
    return _rows_text([[cell_json(cell) for cell in row] for row in rows])


def _rows_text(rows: Sequence[list[CellJson]]) -> bytes | None:
    written = [_without_end(row) for row in rows]
    while written and not written[-1]:
        written.pop()
    return json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode() if written else None


def digest_of(text: bytes) -> str:
    """Return the digest that names a block or a map."""
    return hashlib.sha256(text).hexdigest()[:DIGEST_LENGTH]


def decode_block(stored: bytes) -> list[list[CellContent]]:
    """Return the rows of a block, as short as they were stored."""
    return [[cell_of(cell) for cell in row] for row in block_json(stored)]


def block_json(stored: bytes) -> list[list[CellJson]]:
    """Return the rows of a block in JSON, as short as they were stored."""
    rows: list[list[CellJson]] = json.loads(gzip.decompress(stored))
    return rows


def cell_in(block: Sequence[Sequence[CellContent]], row: int, column: int) -> CellContent:
    """Return a cell of a decoded block; row and column are counted from 0 within the block."""
    return block[row][column] if row < len(block) and column < len(block[row]) else EMPTY


def _start(number: int, size: int) -> int:
    return (number - 1) // size * size + 1


def _without_end(row: list[CellJson]) -> list[CellJson]:
    while row and row[-1] is None:
        row.pop()
    return row
