"""The workbook as tools and publishing see it, computed by an engine in a separate process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.cells import CellContent, Scalar
from shared.apps.sheets.ops import Op
from shared.schema import Schema


class SheetErrorCode(StrEnum):
    """Why a tool call or a change was refused, besides the codes of the tool loop itself."""

    UNKNOWN_SHEET = "UNKNOWN_SHEET"
    BAD_RANGE = "BAD_RANGE"
    RANGE_TOO_LARGE = "RANGE_TOO_LARGE"
    UNKNOWN_COLUMN = "UNKNOWN_COLUMN"
    WOULD_OVERWRITE = "WOULD_OVERWRITE"
    BAD_VALUE = "BAD_VALUE"
    FORMULA_UNREADABLE = "FORMULA_UNREADABLE"
    FORMULA_UNSUPPORTED = "FORMULA_UNSUPPORTED"
    FORMULA_REFUSED = "FORMULA_REFUSED"
    CIRCULAR = "CIRCULAR"
    FROZEN = "FROZEN"
    CALCULATION_TOO_SLOW = "CALCULATION_TOO_SLOW"
    CALCULATION_TOO_LARGE = "CALCULATION_TOO_LARGE"
    SQL_ERROR = "SQL_ERROR"
    SQL_REFUSED = "SQL_REFUSED"
    NOTHING_FOUND = "NOTHING_FOUND"
    CONFLICT = "CONFLICT"


class WorkbookRefusal(Exception):
    """The workbook cannot do what was asked. It is as it was; `hint` says what to do instead."""

    def __init__(self, code: SheetErrorCode, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class SheetInfo(Schema):
    """One sheet: `id` stays when the sheet is renamed; `rows` and `columns` are the last ones with content.

    A sheet is `protected` if the file asks programs to let people change its unlocked cells only.
    """

    id: int
    name: str
    rows: int
    columns: int
    hidden: bool = False
    protected: bool = False


@dataclass(frozen=True, slots=True)
class DefinedName:
    """A name for a formula, mostly a range; `sheet` is the one where it is known, None if that is the workbook."""

    name: str
    formula: str
    sheet: str | None = None


class ChangedRange(Schema):
    """A range in which `cells` cells have changed, by the change itself or because they were computed again."""

    sheet: str
    range: str
    cells: int


@dataclass(frozen=True, slots=True)
class CellAt:
    """A cell and its place."""

    sheet: str
    cell: Cell
    content: CellContent


@dataclass(frozen=True, slots=True)
class Applied:
    """What changes did, after the workbook was computed again.

    `written` is the number of cells that the changes wrote themselves, `recalculated` that of other cells with a new
    value. `preview` are up to 12 changed cells. `errors_introduced` are up to 20 cells that are an error now and were
    none before; `errors` is how many there are.
    """

    changed: tuple[ChangedRange, ...]
    written: int
    recalculated: int
    preview: tuple[CellAt, ...] = ()
    errors_introduced: tuple[CellAt, ...] = ()
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """The rows that a query found; `truncated` if there are more."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Scalar, ...], ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class BlockScan:
    """The blocks of a workbook: the digest of each by sheet id and position, and those that the caller does not have.

    A position is (row, column) of the block's first cell. `new` has the encoded blocks by digest.
    """

    digests: Mapping[int, Mapping[tuple[int, int], str]]
    new: Mapping[str, bytes] = field(repr=False)


class Workbook(Protocol):
    """One workbook in the engine's process. Every method blocks; none is called from two threads at once.

    Each call has a deadline. A call that is late or needs too much memory ends the process: then the call raises
    WorkbookRefusal (CALCULATION_TOO_SLOW or CALCULATION_TOO_LARGE), and every later call raises EngineGone. If another
    process kills it, the call raises EngineGone too: the same call of a new process may succeed.
    """

    @property
    def sheets(self) -> Sequence[SheetInfo]:
        """Return the sheets in the workbook's order."""

    @property
    def names(self) -> Sequence[DefinedName]:
        """Return the defined names, the first 500 of them."""

    def read(self, sheet: str, area: Area) -> Sequence[Sequence[CellContent]]:
        """Return the cells of the area row by row. Raises WorkbookRefusal (UNKNOWN_SHEET)."""

    def apply(self, ops: Sequence[Op]) -> Applied:
        """Apply the changes in order and compute the workbook again.

        Raises WorkbookRefusal: no change is applied then, unless the process ended.
        """

    def query(self, sql: str, *, limit: int) -> Table:
        """Run a SELECT over the sheets: a table per sheet by its name, with `_row` as the sheet's row number.

        The columns are named after the header row, or by letters if there is none. Raises WorkbookRefusal (SQL_ERROR,
        SQL_REFUSED, CALCULATION_TOO_SLOW).
        """

    def scan(self, known: frozenset[str]) -> BlockScan:
        """Return the digests of all blocks, and the encoded blocks whose digests are not in `known`."""

    def snapshot(self) -> bytes:
        """Return everything that `Engine.open` needs to have this workbook again: the engine's own format, opaque."""

    def filled(self, sheet: str, cells: Sequence[Cell]) -> Sequence[Area]:
        """Return for each cell the area that its formula fills: the cell alone if the formula is no array."""

    def write_xlsx(self, file: Path) -> None:
        """Write the workbook to an XLSX file: cells, formulas and formats, and nothing else that the source had."""

    def close(self) -> None:
        """End the process. It can be called again."""


class EngineGone(Exception):
    """The engine's process has ended: open the workbook again. `killed_by` names the signal that has killed it."""

    def __init__(self, message: str = "", *, killed_by: str | None = None) -> None:
        super().__init__(message)
        self.killed_by = killed_by


class SnapshotUnreadable(Exception):
    """Another version of the engine wrote the snapshot, or it is damaged. The session has to be recovered."""


class UnsupportedFile(Exception):
    """The file cannot be loaded, and another attempt would not help. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What loading found: for the session's inventory, and to tell the person what an export would lose.

    `mode` is `computed`, or `values` if the engine could not load the file and has only its values. `judged` is the
    number of formula cells whose value in the file was compared with the engine's, `mismatches` how many differ, and
    `frozen` how many keep the file's value because the engine cannot compute them. `differences` names up to 100.
    `notes` are sentences for people.
    """

    mode: str
    engine: str
    judged: int = 0
    mismatches: int = 0
    frozen: int = 0
    differences: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


class Engine(Protocol):
    """Start workbooks, each in a separate process."""

    @property
    def version(self) -> str:
        """Return the name and version of the engine, a part of every snapshot's key."""

    def open(self, snapshot: bytes) -> Workbook:
        """Return the workbook of a snapshot. Raises SnapshotUnreadable."""

    def load(self, file: Path, format: str) -> tuple[Workbook, LoadReport]:  # noqa: A002 - the API's word
        """Load a file that was inspected; `format` is `xlsx` or `csv`. Raises UnsupportedFile."""
