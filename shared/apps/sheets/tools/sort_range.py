"""The tool `sort_range`: the rows of a range in another order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.cells import CellContent, Scalar
from shared.apps.sheets.ops import ReorderRows
from shared.apps.sheets.tools.aggregate import sort_key
from shared.apps.sheets.tools.outcomes import Plan, SheetEffect, change, counted, tool_function
from shared.apps.sheets.tools.places import area_named, check_size, has_content, rows_in, sheet_named, used_area
from shared.apps.sheets.tools.references import references_in
from shared.apps.sheets.tools.tables import MOST_SCANNED_CELLS, Table, without_header
from shared.apps.sheets.workbook import SheetErrorCode, SheetInfo, Workbook, WorkbookRefusal
from shared.schema import Schema
from shared.tools.tool import Tool

MOST_CELLS = 200_000
_MOST_ROWS = 20_000


class SortKey(Schema):
    """A column to sort by."""

    column: str = Field(max_length=200, description="name in the header row, or letters")
    descending: bool = False


class SortArguments(Schema):
    sheet: str = Field(max_length=200)
    range: str = Field(max_length=64, description="all columns of the table, so that its rows stay together")
    by: tuple[SortKey, ...] = Field(min_length=1, max_length=5)
    has_header: bool = Field(description="whether the first row of the range names the columns and stays where it is")


@tool_function
def sort_range(workbook: Workbook, arguments: SortArguments) -> Plan:
    """Sort the rows: numbers before texts, empty cells last, equal rows as they were."""
    sheet = sheet_named(workbook, arguments.sheet)
    area = _with_content(sheet, area_named(sheet, arguments.range))
    check_size(area, MOST_CELLS, "sort a part of the table")
    table = without_header(workbook, sheet, area, has_header=arguments.has_header)
    check_size(Area(Cell(1, 1), Cell(table.data.rows, 1)), _MOST_ROWS, "sort at most 20,000 rows")
    rows = list(rows_in(workbook, sheet.name, table.data))
    order = _order(rows, [(table.column(key.column) - table.first_column, key) for key in arguments.by])
    by = ", ".join(f"{key.column}{' descending' if key.descending else ''}" for key in arguments.by)
    if order == sorted(order):
        raise WorkbookRefusal(SheetErrorCode.NOTHING_FOUND, f"{sheet.name}!{table.data} is sorted by {by} already")
    _check_formulas(workbook, table, rows)
    op = ReorderRows(sheet=sheet.name, range=str(table.data), order=tuple(order))
    return change(f"Sort {counted(len(rows), 'row')} of {sheet.name}!{table.data} by {by}", op)


def _with_content(sheet: SheetInfo, area: Area) -> Area:
    last = Cell(min(area.last.row, sheet.rows), min(area.last.column, max(sheet.columns, area.first.column)))
    if last.row <= area.first.row:
        raise WorkbookRefusal(
            SheetErrorCode.BAD_RANGE,
            f"{sheet.name}!{area} has fewer than two rows with content",
            hint="name a range with the rows to sort",
        )
    return Area(area.first, last)


def _order(rows: Sequence[Sequence[CellContent]], keys: Sequence[tuple[int, SortKey]]) -> list[int]:
    """Return the indexes of the rows in their new order: the last key sorts first, because sorting is stable."""
    order = list(range(len(rows)))
    for at, key in reversed(keys):
        values = [_value(row[at]) for row in rows]
        filled = [index for index in order if values[index] not in {None, ""}]
        empty = [index for index in order if values[index] in {None, ""}]
        filled.sort(key=lambda index, values=values: sort_key(values[index]), reverse=key.descending)  # type: ignore[misc]
        order = [*filled, *empty]
    return order


def _value(cell: CellContent) -> Scalar:
    return cell.value if has_content(cell) else None


def _check_formulas(workbook: Workbook, table: Table, rows: Sequence[Sequence[CellContent]]) -> None:
    """Refuse to sort if a formula would then refer to other values: in the sorted rows, or outside of them."""
    area, sheet = table.data, table.sheet
    for down, row in enumerate(rows):
        for across, cell in enumerate(row):
            at = Cell(area.first.row + down, area.first.column + across)
            if cell.frozen:
                raise WorkbookRefusal(
                    SheetErrorCode.FROZEN, f"{sheet.name}!{at} keeps the value that the file had and cannot move"
                )
            own_row = Area(Cell(at.row, 1), Cell(at.row, area.last.column))
            if cell.formula is not None and _refers_to_single_rows(cell.formula, sheet.name, sheet.name, area, own_row):
                raise _refusal(sheet.name, at, cell.formula, "refers to another row of the range")
    for name, at, formula in _formulas_outside(workbook, table):
        if _refers_to_single_rows(formula, name, sheet.name, area, None):
            raise _refusal(name, at, formula, "points to single rows of the range")


def _formulas_outside(workbook: Workbook, table: Table) -> Iterator[tuple[str, Cell, str]]:
    left = MOST_SCANNED_CELLS
    for sheet in workbook.sheets:
        if not sheet.rows or (left := left - sheet.rows * sheet.columns) < 0:
            continue
        for number, row in enumerate(rows_in(workbook, sheet.name, used_area(sheet)), start=1):
            for column, cell in enumerate(row, start=1):
                at = Cell(number, column)
                if cell.formula is not None and not (sheet.id == table.sheet.id and at in table.data):
                    yield sheet.name, at, cell.formula


def _refers_to_single_rows(formula: str, own_sheet: str, sorted_sheet: str, area: Area, own_row: Area | None) -> bool:
    """Return whether a formula refers to some rows of the sorted area, but neither to its own row nor to all rows."""
    for reference in references_in(formula):
        if (reference.sheet or own_sheet).casefold() != sorted_sheet.casefold():
            continue
        first, last = reference.area.first, reference.area.last
        apart = last.row < area.first.row or first.row > area.last.row
        beside = last.column < area.first.column or first.column > area.last.column
        whole = first.row <= area.first.row and last.row >= area.last.row
        is_own_row = own_row is not None and first.row == last.row == own_row.first.row
        if not (apart or beside or whole or is_own_row):
            return True
    return False


def _refusal(sheet: str, at: Cell, formula: str, why: str) -> WorkbookRefusal:
    return WorkbookRefusal(
        SheetErrorCode.BAD_RANGE,
        f"the formula in {sheet}!{at} {why}, so it would show other values after sorting: {formula[:80]}",
        hint="use filter_rows or sql_query to show the rows in another order, or write sorted values to a new sheet",
    )


TOOL: Tool[Workbook, SheetEffect] = Tool(
    "sort_range",
    "Sort the rows of a range by one or more columns.",
    SortArguments,
    sort_range,
    title=lambda arguments: f"Sort {arguments.sheet} by {', '.join(key.column for key in arguments.by)}",
)
