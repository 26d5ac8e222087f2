"""Conditions on the rows of a table: their form, and whether a row meets them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pydantic import Field, model_validator

from shared.apps.sheets.cells import CellContent, Scalar
from shared.apps.sheets.ops import Input
from shared.apps.sheets.tools.places import has_content
from shared.apps.sheets.tools.tables import Table
from shared.schema import Schema

_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?)?")
_PLAIN_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


class Condition(Schema):
    """One condition on a column, such as `{"column": "Units", "op": "ge", "value": 10}`."""

    column: str = Field(max_length=200, description="name in the header row, or letters")
    op: Literal["eq", "ne", "lt", "le", "gt", "ge", "contains", "starts", "empty", "not_empty", "in"]
    value: Input = Field(default=None, description="number, text, boolean, or a date such as 2026-03-31")
    values: tuple[Input, ...] | None = Field(default=None, max_length=200, description="for op `in`")

    @model_validator(mode="after")
    def _has_operand(self) -> Condition:
        if self.op == "in" and not self.values:
            raise ValueError("op `in` needs `values`")
        if self.op not in {"in", "empty", "not_empty"} and self.value is None:
            raise ValueError(f"op `{self.op}` needs `value`; use op `empty` for empty cells")
        return self


RowTest = Callable[[Sequence[CellContent]], bool]


def row_test(table: Table, where: Sequence[Condition]) -> RowTest:
    """Return whether a row of the table meets all conditions. Raises WorkbookRefusal (UNKNOWN_COLUMN)."""
    tests = [(table.column(each.column) - table.first_column, each) for each in where]
    return lambda row: all(meets(row[at], condition) for at, condition in tests)


def meets(cell: CellContent, condition: Condition) -> bool:
    """Return whether the cell meets the condition. Texts are compared without case, dates by their ISO form."""
    return _TESTS[condition.op](cell, condition)


def _compared(cell: CellContent, value: Scalar) -> int | None:
    """Return -1, 0 or 1 as the cell is below, equal to or above the value; None if they cannot be compared."""
    if cell.error or not has_content(cell):
        return None
    mine = cell.value
    if isinstance(value, str) and _DATE.fullmatch(value):
        date = cell.iso or mine
        is_date = isinstance(date, str) and _DATE.match(date) is not None
        return _order(str(date)[: len(value)], value.replace(" ", "T")) if is_date else None
    if isinstance(value, bool) or isinstance(mine, bool):
        return None if not (isinstance(value, bool) and isinstance(mine, bool)) else _order(mine, value)
    if isinstance(mine, str) and isinstance(value, str):
        return _order(mine.strip().casefold(), value.strip().casefold())
    first, second = _number(mine), _number(value)
    return None if first is None or second is None else _order(first, second)


def _order(first: float | str, second: float | str) -> int:
    return (first > second) - (first < second)  # type: ignore[operator]


def _number(value: Scalar) -> float | None:
    """Return a number, also one that is stored as text; texts such as `€ 9` are none."""
    if not isinstance(value, str):
        return value
    digits = value.strip().replace(",", "")
    return float(digits) if _PLAIN_NUMBER.fullmatch(digits) else None


def _text(cell: CellContent) -> str:
    return str(cell.iso or cell.text or ("" if cell.value is None else cell.value)).casefold()


def _ordered(allowed: Callable[[int], bool]) -> Callable[[CellContent, Condition], bool]:
    def test(cell: CellContent, condition: Condition) -> bool:
        order = _compared(cell, condition.value)
        return order is not None and allowed(order)

    return test


_TESTS: Mapping[str, Callable[[CellContent, Condition], bool]] = {
    "eq": _ordered(lambda order: order == 0),
    "ne": lambda cell, condition: _compared(cell, condition.value) != 0,
    "lt": _ordered(lambda order: order < 0),
    "le": _ordered(lambda order: order <= 0),
    "gt": _ordered(lambda order: order > 0),
    "ge": _ordered(lambda order: order >= 0),
    "contains": lambda cell, condition: str(condition.value).casefold() in _text(cell),
    "starts": lambda cell, condition: _text(cell).startswith(str(condition.value).casefold()),
    "empty": lambda cell, _: not has_content(cell),
    "not_empty": lambda cell, _: has_content(cell),
    "in": lambda cell, condition: any(_compared(cell, each) == 0 for each in condition.values or ()),
}
