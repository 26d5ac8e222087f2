"""Load an XLSX file: the engine computes it, its own values judge the engine; or it is loaded as values only."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import ironcalc
import python_calamine

from shared.apps.sheets.engine import formulas
from shared.apps.sheets.engine.book import Book
from shared.apps.sheets.engine.changes import write_value
from shared.apps.sheets.engine.facts import SheetFacts, column_of, position, row_of
from shared.apps.sheets.engine.formats import serial_of, shows_date
from shared.apps.sheets.engine.judge import cached_value, freeze, judge
from shared.apps.sheets.engine.limits import MOST_CELLS
from shared.apps.sheets.engine.package import FileFormula, FileSheet, Package
from shared.apps.sheets.engine.reduced import reduced
from shared.apps.sheets.engine.refusal import Unsupported

_WHOLE_COLUMNS = re.compile(r"\$?[A-Z]{1,3}:\$?[A-Z]{1,3}(?![\w(])")
_DIGITS = re.compile(r"[0-9]+")
_EMPTY = (None, "")


class _NotComputed(Exception):
    """The engine cannot load the file; the message says why, for people."""


def load(path: Path, *, values_only: bool) -> tuple[Book, dict[str, Any]]:
    """Return the workbook of a file and what LoadReport says of it. Raises Unsupported."""
    package = Package(path)
    package.scan()
    if not values_only:
        try:
            return _load_computed(package)
        except _NotComputed as reason:
            book, report = _load_values(package)
            note = (
                f"The formulas of this workbook are not computed, because {reason}: their values are those of the file."
            )
            report["notes"].insert(0, note)
            return book, report
    return _load_values(package)


def _load_computed(package: Package) -> tuple[Book, dict[str, Any]]:
    """Let the engine load and compute the file. Raises _NotComputed."""
    if package.date1904:
        raise _NotComputed("it counts days from 1904, which the engine does not")
    model = _model_of(package)
    names = [sheet["name"] for sheet in model.get_worksheets_properties()]
    by_name = {sheet.name: sheet for sheet in package.sheets}
    if not names:
        raise _NotComputed("the engine finds no sheet in it")
    if any(by_name[name].odd for name in names if name in by_name):
        raise _NotComputed("its cells do not say where they are")
    files = [by_name.get(name) or FileSheet(name, hidden=False, part="") for name in names]
    book = Book(model, [_facts(number, file) for number, file in enumerate(files, 1)])
    _take_formulas(book, files)
    for index, file in enumerate(files):
        _take_dates(book, index, file)
    try:
        model.evaluate()
    except Exception as error:
        raise _NotComputed("the engine cannot compute it") from error
    filled = lru_cache(lambda index: package.values(files[index]))
    verdict = judge(book, {index: file.formulas for index, file in enumerate(files)}, filled)
    for index in range(len(files)):
        book.mark_all(index)
    report = {
        "mode": "computed",
        "judged": verdict.judged,
        "mismatches": verdict.mismatches,
        "frozen": verdict.frozen,
        "differences": verdict.differences,
        "notes": [_frozen_note(verdict.frozen)] if verdict.frozen else [],
    }
    return book, report


def _frozen_note(count: int) -> str:
    what = "1 formula uses" if count == 1 else f"{count:,} formulas use"
    return f"{what} what the engine cannot compute. Their values are those of the file and do not change."


def _model_of(package: Package) -> ironcalc.Model:
    with reduced(package.path, package.phonetic, package.padded) as path:
        try:
            return ironcalc.load_from_xlsx(str(path))
        except MemoryError:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            raise _NotComputed("the engine cannot read this file") from error


def _facts(number: int, file: FileSheet) -> SheetFacts:
    facts = SheetFacts(number, file.name, hidden_sheet=file.hidden)
    facts.formats, facts.hidden, facts.protected = file.formats, file.hidden_rows, file.protected
    return facts


def _take_dates(book: Book, index: int, file: FileSheet) -> None:
    """Write the dates that the file has as text, which the engine takes for errors."""
    for place, text in file.dates:
        moment = _moment_of(text)
        if moment is not None:
            _write_value(book, index, place, moment)


def _moment_of(text: str) -> datetime | time | None:
    """Return a date, a moment or a time of ISO 8601, as files write it: in no time zone."""
    for read in (datetime.fromisoformat, time.fromisoformat):
        try:
            return read(text.removesuffix("Z")).replace(tzinfo=None)
        except ValueError:
            continue
    return None


def _write_value(book: Book, index: int, place: int, value: Any) -> None:
    """Write a value; a date or time gets a number format that shows it as one, if its cell has none."""
    row, column = row_of(place), column_of(place)
    facts = book.sheets[index]
    known = facts.format_at(row, column)
    number, code = _number_of(value)
    write_value(book.model, index, place, number)
    if code is not None and (known is None or not shows_date(known)):
        facts.set_format(column, row, row, code)
        known = code
    if known is not None:
        style = book.model.get_cell_style(index, row, column)
        book.model.set_cell_style(index, row, column, {**style, "num_fmt": known})


def _take_formulas(book: Book, files: list[FileSheet]) -> None:
    """Note which cells the engine computes, bound their whole columns, and freeze what it has taken for a value."""
    book.bound = book.end_of_columns()
    shapes: set[str] = set()
    for index, file in enumerate(files):
        facts = book.sheets[index]
        for found in file.formulas:
            row, column = row_of(found.place), column_of(found.place)
            formula = book.model.get_cell_formula(index, row, column)
            if formula is None:
                cached = cached_value(found)
                if cached is not None:
                    freeze(book, index, found, cached[0])
                continue
            facts.formulas.add(found.place)
            book.spills = book.spills or found.array
            if not book.spills:
                shapes.add(_DIGITS.sub("1", formula))
            if ":" in formula and _WHOLE_COLUMNS.search(formula):
                book.bind(index, found.place, formula)
    book.spills = book.spills or any(map(formulas.may_spill, shapes))


def _load_values(package: Package) -> tuple[Book, dict[str, Any]]:
    """Fill the engine with the file's values; its formulas are all frozen. Raises Unsupported."""
    with reduced(package.path, package.phonetic, package.padded) as path:
        return _filled(package, path)


def _filled(package: Package, path: Path) -> tuple[Book, dict[str, Any]]:
    """Return the values of the file at `path`, which has the cells of the package."""
    try:
        source = python_calamine.CalamineWorkbook.from_path(str(path))
        names = [sheet.name for sheet in source.sheets_metadata if sheet.typ == python_calamine.SheetTypeEnum.WorkSheet]
        model = ironcalc.create("workbook")
        book = Book(model, [])
        by_name = {sheet.name: sheet for sheet in package.sheets}
        frozen = cells = 0
        for index, name in enumerate(names):
            file = by_name.get(name) or FileSheet(name, hidden=False, part="")
            _add_sheet(model, index, name)
            book.sheets.append(_facts(index + 1, file))
            cells += _fill(book, index, source.get_sheet_by_name(name), cells)
            frozen += _freeze_all(book, index, file.formulas)
            book.mark_all(index)
    except (MemoryError, Unsupported):
        raise
    except Exception as error:
        raise Unsupported(
            "The workbook could not be read. Open it in a spreadsheet program, save it as .xlsx, and upload that."
        ) from error
    if not names:
        raise Unsupported("The workbook has no sheet with cells. Upload one that has.")
    book.next_id = len(names) + 1
    report = {"mode": "values", "judged": 0, "mismatches": 0, "frozen": frozen, "differences": [], "notes": []}
    return book, report


def _add_sheet(model: ironcalc.Model, index: int, name: str) -> None:
    if index == 0:
        if model.get_worksheets_properties()[0]["name"] != name:
            model.rename_sheet(0, name)
    else:
        model.add_sheet(name)


def _fill(book: Book, index: int, source: python_calamine.CalamineSheet, before: int) -> int:
    """Write the values of a sheet, and return how many there are."""
    if source.start is None:
        return 0
    first_row, first_column = source.start
    count = 0
    for row, values in enumerate(source.to_python(skip_empty_area=True), first_row + 1):
        for column, value in enumerate(values, first_column + 1):
            if value in _EMPTY:
                continue
            count += 1
            if before + count > MOST_CELLS:
                raise Unsupported(f"The workbook has more than {MOST_CELLS:,} cells. Split it.")
            _write_value(book, index, position(row, column), value)
    return count


def _number_of(value: Any) -> tuple[Any, str | None]:
    """Return a value as it is written, and the number format if it is a date or time."""
    if isinstance(value, datetime):
        return serial_of(value), "yyyy-mm-dd hh:mm:ss"
    if isinstance(value, date):
        return serial_of(value), "yyyy-mm-dd"
    if isinstance(value, time):
        seconds = timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
        return seconds / timedelta(days=1), "hh:mm:ss"
    if isinstance(value, timedelta):
        return value / timedelta(days=1), "[h]:mm:ss"
    return value, None


def _freeze_all(book: Book, index: int, found: list[FileFormula]) -> int:
    """Freeze the formulas of a sheet, those of a group by the formula of its first cell."""
    facts = book.sheets[index]
    leaders: dict[str, FileFormula] = {}
    for formula in found:
        if formula.group is not None and formula.text is not None:
            leaders.setdefault(formula.group, formula)
    for formula in found:
        text = formula.text
        if text is None and formula.group in leaders:
            leader = leaders[formula.group]
            rows = row_of(formula.place) - row_of(leader.place)
            columns = column_of(formula.place) - column_of(leader.place)
            text = formulas.moved(formulas.parse(leader.text or ""), rows, columns)
        if text is not None:
            facts.frozen[formula.place] = formulas.without_prefixes(text)
            row, column = row_of(formula.place), column_of(formula.place)
            if book.model.is_empty_cell(index, row, column):
                book.model.update_cell_with_text(index, row, column, "")
    return len(facts.frozen)
