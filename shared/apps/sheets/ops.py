"""The changes that tools, people and the API make to a workbook: the engine applies them, versions keep them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, FiniteFloat, StrictBool, StrictInt, StrictStr, TypeAdapter

from shared.schema import Schema, adapter_of

Input: TypeAlias = StrictBool | StrictInt | FiniteFloat | StrictStr | None
"""A typed value to write: a string stays a string, also if it looks like a number or begins with `=`; None clears."""


class CellWrite(Schema):
    """One cell to write: a value, or a formula that begins with `=`."""

    at: str = Field(description="the cell, such as B3")
    value: Input = None
    formula: str | None = None


class WriteCells(Schema):
    """Write single cells."""

    op: Literal["write_cells"] = "write_cells"
    sheet: str
    cells: tuple[CellWrite, ...]


class WriteValues(Schema):
    """Write rows of values, the first value at `start`. Rows may have different lengths."""

    op: Literal["write_values"] = "write_values"
    sheet: str
    start: str
    values: tuple[tuple[Input, ...], ...]


class FillFormula(Schema):
    """Write a formula to a range: as it is to the top-left cell, its relative references moved in the others."""

    op: Literal["fill_formula"] = "fill_formula"
    sheet: str
    range: str
    formula: str


class ClearRange(Schema):
    """Clear the contents of a range; formats stay."""

    op: Literal["clear_range"] = "clear_range"
    sheet: str
    range: str


class ReorderRows(Schema):
    """Move the rows of a range: row i of the result is row `order[i]` of the range before, counted from 0."""

    op: Literal["reorder_rows"] = "reorder_rows"
    sheet: str
    range: str
    order: tuple[int, ...]


class HideRows(Schema):
    """Show all rows of a sheet but those in `rows`, given as pairs of first and last row."""

    op: Literal["hide_rows"] = "hide_rows"
    sheet: str
    rows: tuple[tuple[int, int], ...]


class ChangeStructure(Schema):
    """Insert or delete `count` rows or columns; `at` is the number of the first one."""

    op: Literal["change_structure"] = "change_structure"
    sheet: str
    action: Literal["insert_rows", "delete_rows", "insert_columns", "delete_columns"]
    at: int = Field(ge=1)
    count: int = Field(ge=1)


class ManageSheet(Schema):
    """Add, rename, delete or duplicate a sheet; `new_name` is the name that the new or renamed sheet gets."""

    op: Literal["manage_sheet"] = "manage_sheet"
    action: Literal["add", "rename", "delete", "duplicate"]
    sheet: str
    new_name: str | None = None


class SetNumberFormat(Schema):
    """Show the numbers of a range in a format, such as `0.00` or `yyyy-mm-dd`."""

    op: Literal["set_number_format"] = "set_number_format"
    sheet: str
    range: str
    format: str


Op: TypeAlias = Annotated[
    WriteCells
    | WriteValues
    | FillFormula
    | ClearRange
    | ReorderRows
    | HideRows
    | ChangeStructure
    | ManageSheet
    | SetNumberFormat,
    Field(discriminator="op"),
]

OPS: TypeAdapter[tuple[Op, ...]] = adapter_of(tuple[Op, ...])
"""Reads and writes a sequence of changes as JSON."""
