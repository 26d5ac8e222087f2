"""Apply changes to a workbook, wholly or not at all, and find out what they have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import ironcalc

from shared.apps.sheets.addresses import MOST_COLUMNS, MOST_ROWS, Area, BadAddress, Cell, parse_area, parse_cell
from shared.apps.sheets.cells import Scalar
from shared.apps.sheets.engine import formats, formulas
from shared.apps.sheets.engine.book import Book, all_places, same, values_of
from shared.apps.sheets.engine.facts import (
    SheetFacts,
    areas_of,
    block_of,
    cell_at,
    column_of,
    moved_keys,
    mover,
    position,
    row_of,
)
from shared.apps.sheets.engine.limits import MOST_WRITTEN
from shared.apps.sheets.engine.refusal import Refused

LONGEST_TEXT = 32_767
"""Characters of a cell's text, as in Excel."""

_PREVIEW = 12
_MOST_ERRORS = 20
_MOST_RANGES = 50
_LOOKS_LIKE_INPUT = "=#'+-@{"
_SHEET_NAME = 31  # characters


@dataclass
class Tracking:
    """What changes touch. Positions move with the rows and columns that they are in.

    `touched` has the values before of the cells that the changes write, by sheet id; `computed` those of the cells that
    the engine computes; `moved` the areas whose cells were moved; `wanted` the cells that were given a content.
    """

    touched: dict[int, dict[int, Scalar]] = field(default_factory=dict)
    computed: dict[int, dict[int, Scalar]] = field(default_factory=dict)
    errors: dict[int, set[int]] = field(default_factory=dict)
    moved: list[tuple[int, Area]] = field(default_factory=list)
    wanted: dict[int, set[int]] = field(default_factory=dict)
    written: int = 0

    def shift(self, sheet: int, place: Callable[[int], int | None]) -> None:
        """Move the positions of a sheet."""
        for values in (self.touched, self.computed):
            if sheet in values:
                values[sheet] = moved_keys(values[sheet], place)
        for places in (self.errors, self.wanted):
            if sheet in places:
                places[sheet] = {moved for old in places[sheet] if (moved := place(old)) is not None}

    def forget(self, sheet: int) -> None:
        """Forget a sheet that is deleted."""
        for tracked in (self.touched, self.computed, self.errors, self.wanted):
            tracked.pop(sheet, None)
        self.moved = [(of, area) for of, area in self.moved if of != sheet]


def apply(book: Book, ops: list[dict[str, Any]]) -> dict[str, Any]:
    """Apply the changes and compute the workbook. Raises Refused: then the workbook is as it was."""
    book.encode_dirty()
    before = (book.model.to_bytes(), [facts.copy() for facts in book.sheets], book.bound, book.spills, book.next_id)
    try:
        change = _Change(book, ops)
        for op in ops:
            change.do(op)
        book.rebind()
        book.model.evaluate()
        return change.result()
    except BaseException:
        content, book.sheets, book.bound, book.spills, book.next_id = before
        book.model = ironcalc.load_from_bytes(content)
        book.fresh.clear()
        raise


class _Change:
    """One call of `apply`."""

    def __init__(self, book: Book, ops: list[dict[str, Any]]) -> None:
        self.book = book
        self.tracking = Tracking()
        book.spills = book.spills or any(map(formulas.may_spill, _formulas_in(ops)))
        for index, facts in enumerate(book.sheets):
            places = all_places(book)[index] if book.spills else list(facts.formulas)
            values = values_of(book, index, places)
            self.tracking.computed[facts.id] = values
            self.tracking.errors[facts.id] = {
                place for place, value in values.items() if book.is_error(index, place, value)
            }

    def do(self, op: dict[str, Any]) -> None:
        """Apply one change. Raises Refused."""
        handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "write_cells": self.write_cells,
            "write_values": self.write_values,
            "fill_formula": self.fill_formula,
            "clear_range": self.clear_range,
            "reorder_rows": self.reorder_rows,
            "hide_rows": self.hide_rows,
            "change_structure": self.change_structure,
            "manage_sheet": self.manage_sheet,
            "set_number_format": self.set_number_format,
        }
        try:
            handlers[op["op"]](op)
        except BadAddress as error:
            raise Refused("BAD_RANGE", str(error)) from error
        except ironcalc.WorkbookError as error:
            raise Refused("CONFLICT", str(error)[:300]) from error

    def write_cells(self, op: dict[str, Any]) -> None:
        """Write single cells."""
        index = self.book.index_of(op["sheet"])
        self._count(len(op["cells"]))
        for cell in op["cells"]:
            at = parse_cell(cell["at"])
            if cell.get("formula") is not None:
                formula = self._checked(cell["formula"], index, at)
                self._write_formula(index, position(at.row, at.column), formula, formulas.date_format(formula))
            else:
                self._write(index, position(at.row, at.column), cell.get("value"))

    def write_values(self, op: dict[str, Any]) -> None:
        """Write rows of values."""
        index = self.book.index_of(op["sheet"])
        start = parse_cell(op["start"])
        rows = op["values"]
        self._count(sum(map(len, rows)))
        if start.row + len(rows) - 1 > MOST_ROWS or start.column + max(map(len, rows), default=0) - 1 > MOST_COLUMNS:
            raise Refused("BAD_RANGE", f"the values from {start} on reach beyond the sheet")
        for number, row in enumerate(rows, start.row):
            for column, value in enumerate(row, start.column):
                self._write(index, position(number, column), value)

    def fill_formula(self, op: dict[str, Any]) -> None:
        """Fill a range with a formula."""
        index = self.book.index_of(op["sheet"])
        area = parse_area(op["range"])
        self._count(area.size)
        parts = formulas.parse(self._checked(op["formula"], index, area.first))
        code = formulas.date_format(op["formula"])
        for cell in area.cells():
            formula = formulas.moved(parts, cell.row - area.first.row, cell.column - area.first.column)
            self._write_formula(index, position(cell.row, cell.column), formula, code)

    def clear_range(self, op: dict[str, Any]) -> None:
        """Clear the contents of a range."""
        index = self.book.index_of(op["sheet"])
        area = self._used(index, parse_area(op["range"]))
        places = [] if area is None else [place for place, _ in self.book.filled(index, area.first, area.last)]
        self._count(len(places))
        for place in places:
            self._write(index, place, None)

    def reorder_rows(self, op: dict[str, Any]) -> None:
        """Move the rows of a range: formulas move as in a copy, number formats go along."""
        index = self.book.index_of(op["sheet"])
        area = parse_area(op["range"])
        order = op["order"]
        if sorted(order) != list(range(area.rows)):
            raise Refused("BAD_RANGE", f"the order must name each of the {area.rows} rows of {area} once, from 0")
        self._count(area.size)
        facts = self.book.sheets[index]
        rows = [self._contents(index, row, area) for row in range(area.first.row, area.last.row + 1)]
        formats_of = [
            [facts.format_at(row, column) for column in range(area.first.column, area.last.column + 1)]
            for row in range(area.first.row, area.last.row + 1)
        ]
        for target, source in enumerate(order):
            if target == source:
                continue
            row = area.first.row + target
            for offset, content in enumerate(rows[source]):
                place = position(row, area.first.column + offset)
                self._put(index, place, content, target - source)
                if formats_of[source][offset] != formats_of[target][offset]:
                    self._format(index, place, formats_of[source][offset])

    def hide_rows(self, op: dict[str, Any]) -> None:
        """Show all rows but these."""
        index = self.book.index_of(op["sheet"])
        facts = self.book.sheets[index]
        wanted: list[tuple[int, int]] = []
        for first, last in sorted(map(tuple, op["rows"])):
            if not 1 <= first <= last <= MOST_ROWS:
                raise Refused("BAD_RANGE", f"rows {first} to {last} are no rows of a sheet")
            wanted.append((first, last))
        self._count(sum(last - first + 1 for first, last in wanted))
        for pairs, hidden in ((facts.hidden, False), (wanted, True)):
            for first, last in pairs:
                for row in range(first, last + 1):
                    self.book.model.set_row_hidden(index, row, hidden)
        facts.hidden = wanted

    def change_structure(self, op: dict[str, Any]) -> None:
        """Insert or delete rows or columns."""
        index = self.book.index_of(op["sheet"])
        book, facts = self.book, self.book.sheets[index]
        insert, rows = op["action"].startswith("insert"), op["action"].endswith("rows")
        shift = formulas.Shift(facts.name, rows, op["at"], op["count"] if insert else -op["count"])
        last = book.extent(index)
        self._check_shift(shift, last)
        place = mover(shift)
        constants = self._constants_from(index, shift, last)
        facts.shift(shift)
        self.tracking.shift(facts.id, place)
        self._rewrite(lambda home, formula: formulas.shifted(formula, home.name, shift))
        model = book.model
        call = {
            (True, True): model.insert_rows,
            (True, False): model.insert_columns,
            (False, True): model.delete_rows,
            (False, False): model.delete_columns,
        }[insert, rows]
        call(index, op["at"], op["count"])
        self._write_again(index, constants, place)
        if book.bound:
            book.bound = book.end_of_columns()
        book.write_bounded()
        first = Cell(op["at"], 1) if rows else Cell(1, op["at"])
        grown = max(shift.count, 0)
        end = Cell(last.row + (grown if rows else 0), last.column + (0 if rows else grown))
        if first.row <= end.row and first.column <= end.column:
            self.tracking.moved.append(
                (facts.id, Area(first, Cell(min(end.row, MOST_ROWS), min(end.column, MOST_COLUMNS))))
            )

    def manage_sheet(self, op: dict[str, Any]) -> None:
        """Add, rename, delete or duplicate a sheet."""
        action = op["action"]
        if action == "add":
            self._add(op.get("new_name") or op["sheet"])
            return
        index = self.book.index_of(op["sheet"])
        if action == "rename":
            self._rename(index, op.get("new_name") or "")
        elif action == "delete":
            self._delete(index)
        else:
            self._duplicate(index, op.get("new_name"))

    def set_number_format(self, op: dict[str, Any]) -> None:
        """Show the numbers of a range in a format."""
        index = self.book.index_of(op["sheet"])
        area = parse_area(op["range"])
        self._count(area.size)
        code = op["format"].strip()
        if not readable_format(code):
            raise Refused("BAD_VALUE", f"{code[:60]!r} is no number format", "Write one such as 0.00 or yyyy-mm-dd.")
        kept = None if code.lower() == "general" else code
        for cell in area.cells():
            self._format(index, position(cell.row, cell.column), kept)

    def result(self) -> dict[str, Any]:
        """Return what has changed, as Applied has it. Raises Refused (CIRCULAR)."""
        book, tracking = self.book, self.tracking
        indices = {facts.id: index for index, facts in enumerate(book.sheets)}
        changed: list[tuple[int, list[int], list[int]]] = []
        errors: list[tuple[int, int]] = []
        spilled = all_places(book) if book.spills else None
        for sheet, index in indices.items():
            touched = tracking.touched.get(sheet, {})
            places = set(spilled[index]) if spilled else set(book.sheets[index].formulas)
            computed = self._computed(index, places | set(tracking.computed.get(sheet, {})))
            known = tracking.errors.get(sheet, set())
            found = sorted(place for place in {*touched, *computed} if place not in known)
            values = values_of(book, index, found)
            errors.extend((index, place) for place in found if book.is_error(index, place, values[place]))
            book.sheets[index].dirty.update(map(block_of, {*touched, *computed}))
            changed.append((index, sorted(touched), sorted(computed - touched.keys())))
        self._refuse_circles(errors)
        self._refuse_parts_of_arrays()
        return self._summary(changed, errors)

    def _computed(self, index: int, places: set[int]) -> set[int]:
        """Return the positions whose values are not those before."""
        before = self.tracking.computed.get(self.book.sheets[index].id, {})
        values = values_of(self.book, index, list(places))
        return {place for place, value in values.items() if not same(before.get(place), value)}

    def _refuse_circles(self, errors: Iterable[tuple[int, int]]) -> None:
        for index, place in errors:
            if self.book.value(index, place) == "#CIRC!":
                where = f"{formulas.quoted(self.book.sheets[index].name)}!{cell_at(place)}"
                raise Refused("CIRCULAR", f"{where} would depend on itself", "Refer to other cells.")

    def _refuse_parts_of_arrays(self) -> None:
        """Refuse contents for cells that an array formula fills: the engine has computed these again.

        An array formula that spills gives way to other contents; one of an older file does not.
        """
        if not self.book.spills:
            return
        asked = ironcalc.UserModel.from_bytes(self.book.model.to_bytes())
        for index, facts in enumerate(self.book.sheets):
            for place in sorted(self.tracking.wanted.get(facts.id, ())):
                structure = asked.get_cell_array_structure(index, row_of(place), column_of(place))
                if isinstance(structure, dict) and (found := structure.get("ArrayChild")):
                    row, column, columns, rows = found
                    first = Cell(row, column)
                    area = Area(first, Cell(row + rows - 1, column + columns - 1))
                    raise Refused(
                        "CONFLICT",
                        f"{cell_at(place)} cannot be changed alone, because the array formula in {first} fills {area}",
                        f"Write {first} first: then the array formula is gone.",
                    )

    def _summary(
        self, changed: list[tuple[int, list[int], list[int]]], errors: list[tuple[int, int]]
    ) -> dict[str, Any]:
        ranges: list[tuple[str, str, int]] = []
        indices = {facts.id: index for index, facts in enumerate(self.book.sheets)}
        for sheet, area in self.tracking.moved:
            ranges.append((self.book.sheets[indices[sheet]].name, str(area), area.size))
        for index, touched, computed in changed:
            name = self.book.sheets[index].name
            ranges.extend((name, str(area), size) for area, size in few(areas_of([*touched, *computed])))
        first = [(index, place) for index, touched, _ in changed for place in touched]
        rest = [(index, place) for index, _, computed in changed for place in computed]
        return {
            "changed": ranges,
            "written": self.tracking.written,
            "recalculated": len(rest),
            "preview": self._cells([*first[:_PREVIEW], *rest[:_PREVIEW]][:_PREVIEW]),
            "errors_introduced": self._cells(errors[:_MOST_ERRORS]),
            "errors": len(errors),
        }

    def _cells(self, places: Iterable[tuple[int, int]]) -> list[tuple[str, int, int, Any]]:
        return [
            (self.book.sheets[index].name, row_of(place), column_of(place), self.book.cell(index, place))
            for index, place in places
        ]

    def _count(self, cells: int) -> None:
        self.tracking.written += cells
        if self.tracking.written > MOST_WRITTEN:
            raise Refused(
                "RANGE_TOO_LARGE", f"one change writes at most {MOST_WRITTEN:,} cells", "Name a smaller range."
            )

    def _touch(self, index: int, place: int) -> None:
        touched = self.tracking.touched.setdefault(self.book.sheets[index].id, {})
        if place not in touched:
            touched[place] = self.book.value(index, place)

    def _want(self, index: int, place: int) -> None:
        self.tracking.wanted.setdefault(self.book.sheets[index].id, set()).add(place)

    def _write(self, index: int, place: int, value: Any) -> None:
        """Write a typed value. The engine's own reading of texts is never used."""
        self._touch(index, place)
        self.book.sheets[index].forget(place)
        write_value(self.book.model, index, place, value)
        if value is not None:
            self._want(index, place)

    def _write_formula(self, index: int, place: int, formula: str, code: str | None = None) -> None:
        """Write a formula, and the number format that it gives a cell without one."""
        self._touch(index, place)
        if not self.book.bound and ":" in formula:
            self.book.bound = self.book.end_of_columns()
        self.book.bind(index, place, formula)
        self._want(index, place)
        if code is not None and self.book.sheets[index].format_at(row_of(place), column_of(place)) is None:
            self._format(index, place, code)

    def _checked(self, formula: str, index: int, at: Cell) -> str:
        """Return the formula if it can be computed; it is for this cell. Raises Refused."""
        names = {name["name"].upper() for name in self.book.model.get_defined_name_list()}
        check_formula(formula, names)
        known = {facts.name.lower() for facts in self.book.sheets}
        for sheet in formulas.sheets_of(formula):
            if sheet.lower() not in known:
                self.book.index_of(sheet)
        if "[" in formula:  # only the workbook itself knows its tables
            self._touch(index, position(at.row, at.column))
            if _read_at(self.book.model, index, at, formula) is None:
                raise Refused(
                    "FORMULA_UNREADABLE", f"the engine cannot read {formula[:120]}", "Name cells, such as A2:A9."
                )
        return formula

    def _used(self, index: int, area: Area) -> Area | None:
        end = self.book.extent(index)
        last = Cell(min(area.last.row, end.row), min(area.last.column, end.column))
        return Area(area.first, last) if area.first.row <= last.row and area.first.column <= last.column else None

    def _contents(self, index: int, row: int, area: Area) -> list[tuple[Scalar, str | None, bool]]:
        facts = self.book.sheets[index]
        contents: list[tuple[Scalar, str | None, bool]] = []
        for column in range(area.first.column, area.last.column + 1):
            place = position(row, column)
            contents.append((self.book.value(index, place), self.book.formula(index, place), place in facts.frozen))
        return contents

    def _put(self, index: int, place: int, content: tuple[Scalar, str | None, bool], rows: int) -> None:
        value, formula, frozen = content
        if formula is None or frozen:
            self._write(index, place, value)
            if frozen and formula is not None:
                self.book.sheets[index].frozen[place] = formulas.moved(formulas.parse(formula), rows, 0)
        else:
            self._write_formula(index, place, formulas.moved(formulas.parse(formula), rows, 0))

    def _format(self, index: int, place: int, code: str | None) -> None:
        self._touch(index, place)
        row, column = row_of(place), column_of(place)
        self.book.sheets[index].set_format(column, row, row, code)
        style = self.book.model.get_cell_style(index, row, column)
        style["num_fmt"] = code or formats.GENERAL.lower()
        self.book.model.set_cell_style(index, row, column, style)

    def _rewrite(self, change: Callable[[SheetFacts, str], str]) -> None:
        """Change the formulas that the engine does not have as they are written; all others it changes itself."""
        for facts in self.book.sheets:
            facts.frozen = {place: change(facts, formula) for place, formula in facts.frozen.items()}
            facts.written = {place: change(facts, formula) for place, formula in facts.written.items()}
            facts.touch_formulas()

    def _constants_from(self, index: int, shift: formulas.Shift, last: Cell) -> dict[int, Any]:
        """Return the values that will move, without those that the engine computes."""
        facts = self.book.sheets[index]
        start = Cell(shift.at, 1) if shift.rows else Cell(1, shift.at)
        moving = self.book.filled(index, start, last)
        constants = {place: value for place, value in moving if place not in facts.formulas}
        if not self.book.spills:
            return constants
        asked = ironcalc.UserModel.from_bytes(self.book.model.to_bytes())
        single = "SingleCell"
        return {
            place: value
            for place, value in constants.items()
            if asked.get_cell_array_structure(index, row_of(place), column_of(place)) == single
        }

    def _write_again(self, index: int, values: dict[int, Any], place: Callable[[int], int | None]) -> None:
        """Write the values again that moving has changed: the engine moves what it would show.

        It takes the text `00123` for a number then, and cuts numbers to 15 digits.
        """
        model, facts = self.book.model, self.book.sheets[index]
        for old, value in values.items():
            new = place(old)
            if new is None:
                continue
            row, column = row_of(new), column_of(new)
            if isinstance(value, str):
                if value[:1] not in _LOOKS_LIKE_INPUT and model.get_cell_value(index, row, column) == value:
                    continue
                style = model.get_cell_style(index, row, column)
                model.set_cell_style(
                    index, row, column, {**style, "num_fmt": facts.format_at(row, column) or "general"}
                )
                model.update_cell_with_text(index, row, column, value)
            elif not same(model.get_cell_value(index, row, column), value):
                write_value(model, index, new, value)

    def _check_shift(self, shift: formulas.Shift, end: Cell) -> None:
        most = MOST_ROWS if shift.rows else MOST_COLUMNS
        last = end.row if shift.rows else end.column
        what = "rows" if shift.rows else "columns"
        if shift.at + abs(shift.count) - 1 > most:
            raise Refused("BAD_RANGE", f"a sheet has {most:,} {what}")
        if shift.count > 0 and shift.at <= last and last + shift.count > most:
            raise Refused("RANGE_TOO_LARGE", f"{shift.count:,} more {what} would push cells out of the sheet")

    def _add(self, name: str) -> None:
        self._check_name(name)
        self.book.model.add_sheet(name)
        self._new_facts(name, len(self.book.sheets))

    def _new_facts(self, name: str, index: int) -> SheetFacts:
        facts = SheetFacts(self.book.next_id, name)
        self.book.next_id += 1
        self.book.sheets.insert(index, facts)
        return facts

    def _rename(self, index: int, name: str) -> None:
        self._check_name(name, but=index)
        facts, old = self.book.sheets[index], self.book.sheets[index].name
        self.book.model.rename_sheet(index, name)
        self._rewrite(lambda _, formula: formulas.renamed(formula, old, name))
        facts.name = name

    def _delete(self, index: int) -> None:
        if len(self.book.sheets) == 1:
            raise Refused("CONFLICT", "the only sheet of a workbook cannot be deleted", "Add another sheet before.")
        facts = self.book.sheets.pop(index)
        self.book.model.delete_sheet(index)
        self.tracking.forget(facts.id)
        self._rewrite(lambda _, formula: formulas.renamed(formula, facts.name, None))
        self.book.write_bounded()

    def _duplicate(self, index: int, name: str | None) -> None:
        name = name or _free_name(self.book, self.book.sheets[index].name)
        self._check_name(name)
        copier = ironcalc.UserModel.from_bytes(self.book.model.to_bytes())
        before = [sheet["name"] for sheet in copier.get_worksheets_properties()]
        copier.duplicate_sheet(index)
        after = [sheet["name"] for sheet in copier.get_worksheets_properties()]
        place = next(number for number, found in enumerate(after) if found not in before)
        copier.rename_sheet(place, name)
        self.book.model = ironcalc.load_from_bytes(copier.to_bytes())
        source = self.book.sheets[index].copy()
        facts = self._new_facts(name, place)
        facts.formulas, facts.frozen, facts.written = source.formulas, source.frozen, source.written
        facts.formats, facts.hidden = source.formats, source.hidden
        self.book.mark_all(place)  # the source's blocks lack what the same change has written to it
        written = bool(self.tracking.touched.get(source.id))
        if source.blocks or written:
            end = self.book.extent(place) if written else Cell(source.last_row, source.last_column)
            self.tracking.moved.append((facts.id, Area(Cell(1, 1), end)))

    def _check_name(self, name: str, but: int | None = None) -> None:
        """Refuse a name that Excel would not open."""
        rule = f"a sheet's name has 1 to {_SHEET_NAME} characters, none of : \\ / ? * [ ], and no ' at its ends"
        bad = not 1 <= len(name) <= _SHEET_NAME or set(name) & set(":\\/?*[]") or name != name.strip("'")
        if bad or not name.isprintable() or name.lower() == "history":
            raise Refused("BAD_VALUE", f"{name[:40]!r} cannot be the name of a sheet: {rule}")
        if any(facts.name.lower() == name.lower() for index, facts in enumerate(self.book.sheets) if index != but):
            raise Refused("CONFLICT", f"there is a sheet {name!r} already", "Choose another name.")


def write_value(model: ironcalc.Model, index: int, place: int, value: Any) -> None:
    """Write a typed value to a cell; None clears it. Raises Refused (BAD_VALUE)."""
    row, column = row_of(place), column_of(place)
    if value is None or value == "":
        model.clear_cell_contents(index, row, column)
    elif isinstance(value, bool):
        model.update_cell_with_bool(index, row, column, value)
    elif isinstance(value, int | float):
        _write_number(model, index, place, value)
    else:
        if len(value) > LONGEST_TEXT:
            raise Refused(
                "BAD_VALUE", f"the text for {cell_at(place)} has {len(value):,} characters; {LONGEST_TEXT:,} fit"
            )
        try:
            model.update_cell_with_text(index, row, column, value)
        except UnicodeEncodeError as error:
            raise Refused("BAD_VALUE", f"the text for {cell_at(place)} has half a character (a surrogate)") from error


def check_formula(formula: str, names: set[str]) -> None:
    """Refuse a formula that the engine cannot compute. `names` are the workbook's defined names, in capitals."""
    if not formula.startswith("=") or not formula[1:].strip():
        raise Refused("FORMULA_UNREADABLE", f"{formula[:60]!r} is no formula", "A formula begins with =.")
    formulas.check(formula)
    if "[" not in formula and _read_at(_scratch(), 0, Cell(1, 1), formula) is None:
        raise Refused(
            "FORMULA_UNREADABLE",
            f"the engine cannot read {formula[:120]}",
            "Check its syntax; separate arguments by commas.",
        )
    local = {part.upper() for part in formulas.names_of(formula)} | names
    unknown = sorted(name for name in formulas.functions_of(formula) - local if not is_known(name))
    if unknown:
        raise Refused(
            "FORMULA_UNSUPPORTED",
            f"the engine has no function {', '.join(unknown[:3])}",
            "Compute it with other functions.",
        )


def readable_format(code: str) -> bool:
    """Tell whether numbers can be shown in a format."""
    if not code or len(code) > 255 or not code.isprintable():
        return False
    if formats.shows_date(code):
        return formats.date_text(45_000.5, code) is not None
    model = _scratch()
    style = model.get_cell_style(0, 1, 2)
    style["num_fmt"] = code
    model.set_cell_style(0, 1, 2, style)
    model.update_cell_with_number(0, 1, 2, 1234.5)
    return not model.get_formatted_cell_value(0, 1, 2).startswith("#")


def few(areas: list[tuple[Area, int]]) -> list[tuple[Area, int]]:
    """Return at most 50 areas: if there are more, those behind are put into one that has them all."""
    if len(areas) <= _MOST_RANGES:
        return areas
    kept, rest = areas[: _MOST_RANGES - 1], areas[_MOST_RANGES - 1 :]
    first = Cell(min(area.first.row for area, _ in rest), min(area.first.column for area, _ in rest))
    last = Cell(max(area.last.row for area, _ in rest), max(area.last.column for area, _ in rest))
    return [*kept, (Area(first, last), sum(cells for _, cells in rest))]


def _formulas_in(ops: list[dict[str, Any]]) -> Iterator[str]:
    for op in ops:
        if op["op"] == "fill_formula":
            yield op["formula"]
        for cell in op.get("cells", ()):
            if cell.get("formula") is not None:
                yield cell["formula"]


def _write_number(model: ironcalc.Model, index: int, place: int, value: float) -> None:
    try:
        model.update_cell_with_number(index, row_of(place), column_of(place), float(value))
    except (ironcalc.WorkbookError, OverflowError) as error:
        raise Refused("BAD_VALUE", f"{cell_at(place)} cannot hold this number: it must be below 1.8e308") from error


def _free_name(book: Book, name: str) -> str:
    taken = {facts.name.lower() for facts in book.sheets}
    for number in range(2, len(taken) + 3):
        suffix = f" ({number})"
        found = name[: _SHEET_NAME - len(suffix)] + suffix
        if found.lower() not in taken:
            return found
    return name


@lru_cache(maxsize=1)
def _scratch() -> ironcalc.Model:
    return ironcalc.create("scratch")


def _read_at(model: ironcalc.Model, index: int, at: Cell, formula: str) -> str | None:
    """Write the formula and return it as the engine has understood it; None if it has not: then it keeps the text.

    In parentheses, because the engine drops what it does not understand at the end of a formula.
    """
    written = f"=(  {formula[1:]})"
    try:
        model.update_cell_with_formula(index, at.row, at.column, written)
    except ironcalc.WorkbookError:
        return None
    shown = model.get_cell_formula(index, at.row, at.column)
    return None if shown is None or shown.startswith("=(  ") else shown


@lru_cache(maxsize=4096)
def is_known(function: str) -> bool:
    """Tell whether the engine has a function: it shows the names of others in small letters."""
    model = _scratch()
    model.update_cell_with_formula(0, 1, 1, f"={function}()")
    shown = model.get_cell_formula(0, 1, 1) or ""
    return any(letter.isupper() for letter in shown)
