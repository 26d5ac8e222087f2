"""Judge the engine by the values that the file's own program had computed, and freeze what it cannot compute."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.apps.sheets.cells import Scalar
from shared.apps.sheets.engine import formulas
from shared.apps.sheets.engine.book import Book, values_of
from shared.apps.sheets.engine.changes import is_known, write_value
from shared.apps.sheets.engine.facts import cell_at, position
from shared.apps.sheets.engine.package import FileFormula

_MOST_DIFFERENCES = 100
_VOLATILE = re.compile(r"\b(?:NOW|TODAY|RAND|RANDBETWEEN|RANDARRAY|CELL|INFO)\(", re.IGNORECASE)
_CLOSE = 1e-9  # part of a number that rounding in another order changes
_OWN_FAULTS = {"#NAME?", "#ERROR!", "#N/IMPL!", "#CIRC!"}


@dataclass
class Verdict:
    """What was found, as LoadReport has it."""

    judged: int = 0
    mismatches: int = 0
    frozen: int = 0
    differences: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Case:
    index: int
    formula: FileFormula
    expected: Scalar
    is_error: bool


def judge(book: Book, sheets: dict[int, list[FileFormula]], filled: Callable[[int], Mapping[int, Scalar]]) -> Verdict:
    """Compare the formulas of the sheets (by index) with their values in the file.

    A formula that is an error now and was none in the file is frozen: first those with functions or references that the
    engine does not have, then what is an error still when it computes with their values. `filled` returns the values
    that the file has in the cells which a sheet's array formulas fill: those of a frozen one keep them.
    """
    cases = [case for index, found in sheets.items() for case in _cases(book, index, found)]
    verdict = Verdict(judged=len(cases))
    for is_fault in (_has_unknown, _is_misunderstood, _is_any):
        broken = [case for case in _errors(book, cases) if is_fault(book, case)]
        for case in broken:
            freeze(book, case.index, case.formula, case.expected)
            _keep_filled(book, case, filled)
        verdict.frozen += len(broken)
        if broken:
            book.model.evaluate()
    for case in cases:
        if case.formula.place not in book.sheets[case.index].frozen:
            _compare(book, case, verdict)
    return verdict


def _keep_filled(book: Book, case: _Case, filled: Callable[[int], Mapping[int, Scalar]]) -> None:
    """Write the file's values to the other cells of a frozen array formula."""
    if case.formula.fills is None:
        return
    values = filled(case.index)
    for cell in case.formula.fills.cells():
        place = position(cell.row, cell.column)
        if place != case.formula.place and place in values:
            write_value(book.model, case.index, place, values[place])


def freeze(book: Book, index: int, formula: FileFormula, value: Scalar, text: str | None = None) -> None:
    """Keep the file's value of a cell, and its formula for people and exports."""
    facts = book.sheets[index]
    shown = formula.text or text or book.formula(index, formula.place) or "=TABLE()"
    facts.forget(formula.place)
    write_value(book.model, index, formula.place, value)
    facts.frozen[formula.place] = formulas.without_prefixes(shown)


def cached_value(formula: FileFormula) -> tuple[Scalar, bool] | None:
    """Return the value that the file has of a formula, and whether it is an error; None if it has none."""
    if formula.cached is None or formula.kind == "s":
        return ("", False) if formula.kind == "str" else None
    if formula.kind == "b":
        return formula.cached.strip() in {"1", "true"}, False
    if formula.kind in {"e", "str", "d"}:
        return formula.cached, formula.kind == "e"
    try:
        return float(formula.cached), False
    except ValueError:
        return None


def _cases(book: Book, index: int, found: list[FileFormula]) -> Iterator[_Case]:
    for formula in found:
        cached = cached_value(formula)
        text = formula.text or book.formula(index, formula.place) or ""
        if cached is not None and not _VOLATILE.search(text):
            yield _Case(index, formula, *cached)


def _errors(book: Book, cases: list[_Case]) -> Iterator[_Case]:
    for case in cases:
        place = case.formula.place
        if case.is_error or place in book.sheets[case.index].frozen:
            continue
        if book.is_error(case.index, place, book.value(case.index, place)):
            yield case


def _has_unknown(book: Book, case: _Case) -> bool:
    text = case.formula.text or book.formula(case.index, case.formula.place) or ""
    return formulas.reaches_outside(text) or not all(map(is_known, formulas.functions_of(text)))


def _is_misunderstood(book: Book, case: _Case) -> bool:
    return book.value(case.index, case.formula.place) in _OWN_FAULTS


def _is_any(_book: Book, _case: _Case) -> bool:
    return True


def _compare(book: Book, case: _Case, verdict: Verdict) -> None:
    place = case.formula.place
    value = values_of(book, case.index, [place])[place]
    if _equal(case.expected, value):
        return
    verdict.mismatches += 1
    if len(verdict.differences) < _MOST_DIFFERENCES:
        verdict.differences.append(
            {
                "sheet": book.sheets[case.index].name,
                "cell": str(cell_at(place)),
                "formula": (book.formula(case.index, place) or "")[:200],
                "file": _short(case.expected),
                "engine": _short(value),
            }
        )


def _equal(expected: Scalar, value: Scalar) -> bool:
    if isinstance(expected, float) and isinstance(value, int | float) and not isinstance(value, bool):
        return abs(expected - value) <= _CLOSE * max(1.0, abs(expected), abs(value))
    return expected == value or (expected == "" and value is None)


def _short(value: Scalar) -> Scalar:
    return value[:200] if isinstance(value, str) else value
