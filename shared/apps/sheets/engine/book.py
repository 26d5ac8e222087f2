"""A workbook in the engine's process: IronCalc's model together with the facts that we keep of its sheets."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from typing import Any

import ironcalc

from shared.apps.sheets.addresses import MOST_ROWS, Area, Cell
from shared.apps.sheets.blocks import BLOCK_COLUMNS, BLOCK_ROWS, block_area, encode_rows
from shared.apps.sheets.cells import CellJson, Scalar
from shared.apps.sheets.engine import formats, formulas
from shared.apps.sheets.engine.facts import (
    SheetFacts,
    Stored,
    block_of,
    column_of,
    facts_json,
    facts_of,
    position,
    row_of,
)
from shared.apps.sheets.engine.limits import MOST_NAMES
from shared.apps.sheets.engine.refusal import Refused
from shared.apps.sheets.engine.version import ENGINE

LAYOUT = 1
"""The version of what a snapshot has besides the engine's bytes."""

MOST_DENSE = 20_000_000
"""Cells of a sheet's rectangle that are looked at one by one."""
_EXACT = 2.0**53


class Book:
    """The model and the facts of its sheets, in the engine's order.

    `bound` is the row at which references to whole columns end. `spills` says whether a formula may fill other cells.
    `fresh` are the encoded blocks since the last scan.
    """

    def __init__(
        self, model: ironcalc.Model, sheets: list[SheetFacts], *, bound: int = 0, spills: bool = False
    ) -> None:
        self.model = model
        self.sheets = sheets
        self.bound = bound
        self.spills = spills
        self.next_id = max((facts.id for facts in sheets), default=0) + 1
        self.fresh: dict[str, bytes] = {}

    @classmethod
    def of_snapshot(cls, snapshot: bytes) -> Book:
        """Return the workbook of a snapshot. Raises ValueError if it is cut off, or of another engine or layout."""
        unpacking = zlib.decompressobj()
        # In parts, because the engine's bytes are so large that a second copy of them needs too much memory.
        (length,) = struct.unpack(">I", unpacking.decompress(snapshot, 4))
        header = json.loads(unpacking.decompress(unpacking.unconsumed_tail, length))
        if header["engine"] != ENGINE or header["layout"] != LAYOUT:
            raise ValueError(f"the snapshot is of {header['engine']}")
        content = unpacking.decompress(unpacking.unconsumed_tail)
        if not unpacking.eof:
            raise ValueError("the snapshot is cut off")
        model = ironcalc.load_from_bytes(content)
        book = cls(model, list(map(facts_of, header["sheets"])), bound=header["bound"], spills=header["spills"])
        book.next_id = header["nextId"]
        return book

    def snapshot(self) -> bytes:
        """Return everything that `of_snapshot` needs."""
        self.encode_dirty()
        header = {
            "engine": ENGINE,
            "layout": LAYOUT,
            "bound": self.bound,
            "spills": self.spills,
            "nextId": self.next_id,
            "sheets": list(map(facts_json, self.sheets)),
        }
        written = json.dumps(header, separators=(",", ":")).encode()
        packing = zlib.compressobj(level=1)
        head = packing.compress(struct.pack(">I", len(written)) + written)
        return b"".join((head, packing.compress(self.model.to_bytes()), packing.flush()))

    def infos(self) -> list[dict[str, Any]]:
        """Return the sheets as SheetInfo has them."""
        self.encode_dirty()
        return [
            {
                "id": facts.id,
                "name": facts.name,
                "rows": facts.last_row,
                "columns": facts.last_column,
                "hidden": facts.hidden_sheet,
                "protected": facts.protected,
            }
            for facts in self.sheets
        ]

    def names(self) -> list[tuple[str, str, str | None]]:
        """Return the defined names as DefinedName has them, without those of programs, such as print areas."""
        listed = self.model.get_defined_name_list()
        own = (each for each in listed if not each["name"].lower().startswith("_xlnm."))
        return [
            (each["name"], each["formula"], None if each["scope"] is None else self.sheets[each["scope"]].name)
            for each in islice(own, MOST_NAMES)
        ]

    def index_of(self, sheet: str) -> int:
        """Return the index of a sheet by its name. Raises Refused (UNKNOWN_SHEET)."""
        for index, facts in enumerate(self.sheets):
            if facts.name.lower() == sheet.lower():
                return index
        names = ", ".join(facts.name for facts in self.sheets[:20])
        raise Refused("UNKNOWN_SHEET", f"there is no sheet {sheet[:60]!r}", f"The sheets are: {names}.")

    def read(self, sheet: str, area: Area) -> list[list[CellJson]]:
        """Return the cells of an area, as short as their contents. Raises Refused (UNKNOWN_SHEET)."""
        index = self.index_of(sheet)
        facts = self.sheets[index]
        self.encode_dirty()
        last = Cell(min(area.last.row, facts.last_row), min(area.last.column, facts.last_column))
        return list(self.rows(index, area.first, last))

    def value(self, index: int, place: int) -> Scalar:
        """Return the plain value of a cell."""
        return plain(self.model.get_cell_value(index, row_of(place), column_of(place)))

    def is_error(self, index: int, place: int, value: Scalar) -> bool:
        """Tell whether a value that looks like an error is one."""
        return (
            isinstance(value, str)
            and value.startswith("#")
            and self.model.get_cell_type(index, row_of(place), column_of(place)) == ironcalc.CellType.ErrorValue
        )

    def formula(self, index: int, place: int) -> str | None:
        """Return the formula of a cell as a person sees it; None if it has none."""
        facts = self.sheets[index]
        if place in facts.frozen:
            return facts.frozen[place]
        if place not in facts.formulas:
            return None
        return facts.written.get(place) or self.model.get_cell_formula(index, row_of(place), column_of(place))

    def cell(self, index: int, place: int) -> CellJson:
        """Return a cell in JSON."""
        return self._cell(index, place, self.model.get_cell_value(index, row_of(place), column_of(place)))

    def encode_dirty(self) -> None:
        """Encode the blocks that have changed."""
        for index, facts in enumerate(self.sheets):
            end = self.extent(index) if facts.dirty else Cell(1, 1)
            for start in sorted(facts.dirty):
                self._encode(index, start, end)
            facts.dirty.clear()

    def scan(self, known: frozenset[str]) -> tuple[list[tuple[int, int, int, str]], dict[str, bytes]]:
        """Return all blocks as sheet id, row, column and digest, and the encoded ones that are not known."""
        self.encode_dirty()
        digests: list[tuple[int, int, int, str]] = []
        new: dict[str, bytes] = {}
        for index, facts in enumerate(self.sheets):
            end = Cell(facts.last_row, facts.last_column)
            for (row, column), stored in list(facts.blocks.items()):
                digests.append((facts.id, row, column, stored.digest))
                if stored.digest in known or stored.digest in new:
                    continue
                if stored.digest not in self.fresh:
                    self._encode(index, (row, column), end)
                new[stored.digest] = self.fresh[stored.digest]
        self.fresh.clear()
        return digests, new

    def filled_sizes(self, sheet: str, cells: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return how many rows and columns the formulas in these cells fill. Raises Refused (UNKNOWN_SHEET)."""
        index = self.index_of(sheet)
        asked = ironcalc.UserModel.from_bytes(self.model.to_bytes())
        sizes: list[tuple[int, int]] = []
        for row, column in cells:
            structure = asked.get_cell_array_structure(index, row, column)
            columns, rows = (1, 1)
            if isinstance(structure, dict):
                columns, rows = structure.get("ArrayAnchor") or structure.get("DynamicAnchor") or (1, 1)
            sizes.append((rows, columns))
        return sizes

    def mark_all(self, index: int) -> None:
        """Mark every block that a sheet may have content in."""
        end = self.extent(index)
        dirty = self.sheets[index].dirty
        if end.row * end.column > MOST_DENSE:
            dirty.update(block_of(place) for place, _ in self.filled(index, Cell(1, 1), end))
            return
        for row in range(1, end.row + 1, BLOCK_ROWS):
            dirty.update((row, column) for column in range(1, end.column + 1, BLOCK_COLUMNS))

    def extent(self, index: int) -> Cell:
        """Return the last row and column in which the engine has a cell, if only an empty one; it looks at each row."""
        _, last_row, _, last_column = self.model.get_sheet_dimensions(index)
        return Cell(last_row, last_column)

    def end_of_columns(self) -> int:
        """Return the row at which references to whole columns can end: a multiple of 1,024 behind every content."""
        last = max((self.extent(index).row for index in range(len(self.sheets))), default=1)
        return min((last // 1024 + 1) * 1024, MOST_ROWS)

    def bind(self, index: int, place: int, formula: str) -> None:
        """Give a cell a formula, with references to whole columns ended at `bound`."""
        facts = self.sheets[index]
        facts.forget(place)
        shorter = formulas.bounded(formula, self.bound)
        self.model.update_cell_with_formula(index, row_of(place), column_of(place), shorter or formula)
        facts.formulas.add(place)
        if shorter is not None:
            facts.written[place] = formula

    def rebind(self) -> None:
        """End references to whole columns behind all contents, if these have grown."""
        end = self.end_of_columns()
        if end > self.bound:
            self.bound = end
            self.write_bounded()

    def write_bounded(self) -> None:
        """Write the formulas that have bounded references again, from what the person wrote."""
        for index, facts in enumerate(self.sheets):
            for place, formula in list(facts.written.items()):
                self.bind(index, place, formula)

    def _encode(self, index: int, start: tuple[int, int], end: Cell) -> None:
        facts = self.sheets[index]
        last = block_area(*start).last
        rows = list(self.rows(index, Cell(*start), Cell(min(last.row, end.row), min(last.column, end.column))))
        encoded = encode_rows(rows)
        if encoded is None:
            facts.blocks.pop(start, None)
            return
        digest, stored = encoded
        self.fresh[digest] = stored
        last_row = max(number for number, row in enumerate(rows, start[0]) if any(cell is not None for cell in row))
        last_column = start[1] - 1 + max(map(len, rows))
        facts.blocks[start] = Stored(digest, last_row, last_column)

    def values(self, index: int, first: Cell, last: Cell) -> Iterator[list[Any]]:
        """Yield the rows between two cells as the engine has them, without the empty cells at their ends."""
        columns = range(first.column, last.column + 1)
        get = self.model.get_cell_value
        for row in range(first.row, last.row + 1):
            values: list[Any] = list(map(get, repeat(index), repeat(row), columns))
            while values and values[-1] is None:
                values.pop()
            yield values

    def filled(self, index: int, first: Cell, last: Cell) -> Iterator[tuple[int, Any]]:
        """Yield the positions and values between two cells that are not empty, however far from each other they are."""
        if (last.row - first.row + 1) * (last.column - first.column + 1) > MOST_DENSE:
            area = Area(first, last)
            for of, row, column in self.model.get_all_cells():
                if of == index and Cell(row, column) in area:
                    value = self.model.get_cell_value(index, row, column)
                    if value is not None:
                        yield position(row, column), value
            return
        for row, values in enumerate(self.values(index, first, last), first.row):
            place = position(row, first.column)
            yield from ((place + offset, value) for offset, value in enumerate(values) if value is not None)

    def rows(self, index: int, first: Cell, last: Cell) -> Iterator[list[CellJson]]:
        """Yield the rows between two cells, without the empty cells at their ends."""
        facts = self.sheets[index]
        computed, frozen = facts.formulas, facts.frozen
        known = bool(computed or frozen)
        formatted = [column in facts.formats for column in range(first.column, last.column + 1)]
        for row, values in enumerate(self.values(index, first, last), first.row):
            start = position(row, first.column)
            for offset, value in enumerate(values):
                if value is None:
                    continue
                place = start + offset
                kind = type(value)
                if (
                    (known and (place in computed or place in frozen))
                    or (kind is float and formatted[offset])
                    or (kind is str and value.startswith("#"))
                ):
                    values[offset] = self._cell(index, place, value)
                elif kind is float and value.is_integer() and -_EXACT < value < _EXACT:
                    values[offset] = int(value)
            yield values

    def _cell(self, index: int, place: int, raw: Any) -> CellJson:
        facts = self.sheets[index]
        value = plain(raw)
        fields: dict[str, Any] = {}
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            fields = self._shown(index, place, value)
        error = self.is_error(index, place, value)
        if (formula := self.formula(index, place)) is not None:
            # The engine shows functions that it does not have in small letters.
            fields["formula"] = formulas.without_prefixes(formula) if error else formula
        if error:
            fields["error"] = True
        if place in facts.frozen:
            fields["frozen"] = True
        return {"value": value, **_in_order(fields)} if fields else value

    def _shown(self, index: int, place: int, value: float) -> dict[str, Any]:
        """Return what the number format of a cell makes of its number."""
        row, column = row_of(place), column_of(place)
        code = self.sheets[index].format_at(row, column)
        if code is None:
            return {}
        if formats.shows_date(code):
            shown = {"text": formats.date_text(value, code), "iso": formats.iso_text(value, code)}
            return {name: text for name, text in shown.items() if text is not None}
        text = self.model.get_formatted_cell_value(index, row, column)
        return {} if text == str(value) or text.startswith("#") else {"text": text}


def plain(value: Any) -> Scalar:
    """Return a value of the engine with integral numbers as int."""
    if type(value) is float and value.is_integer() and -_EXACT < value < _EXACT:
        return int(value)
    return value  # type: ignore[no-any-return]


def same(before: Scalar, after: Scalar) -> bool:
    """Tell whether two values are the same, of the same type."""
    return before == after and isinstance(before, bool) == isinstance(after, bool)


def values_of(book: Book, index: int, places: Sequence[int]) -> dict[int, Scalar]:
    """Return the values of cells by position."""
    rows, columns = map(row_of, places), map(column_of, places)
    return dict(zip(places, map(book.model.get_cell_value, repeat(index), rows, columns), strict=True))


def all_places(book: Book) -> list[list[int]]:
    """Return the positions of all cells by sheet."""
    places: list[list[int]] = [[] for _ in book.sheets]
    for index, row, column in book.model.get_all_cells():
        places[index].append(position(row, column))
    return places


def _in_order(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("text", "formula", "iso", "error", "frozen") if name in fields}
