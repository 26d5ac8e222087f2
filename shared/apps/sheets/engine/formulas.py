"""Read formulas far enough to check them, to move their references, and to bound references to whole columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.apps.sheets.addresses import MOST_COLUMNS, MOST_ROWS, column_name, column_number
from shared.apps.sheets.engine.refusal import Refused

LONGEST_FORMULA = 8192
"""Characters of a formula, as in Excel."""

DEEPEST_FORMULA = 64
"""Levels of parentheses in a formula, as in Excel."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


REFUSED_FUNCTIONS = _names(
    "CALL CUBEKPIMEMBER CUBEMEMBER CUBEMEMBERPROPERTY CUBERANKEDMEMBER CUBESET CUBESETCOUNT CUBEVALUE DDE "
    "EVALUATE EXEC EXECUTE FILTERXML IMAGE IMPORTDATA IMPORTFEED IMPORTHTML IMPORTRANGE IMPORTXML INITIATE "
    "POKE PY REGISTER REGISTER.ID RTD SQL.REQUEST STOCKHISTORY WEBSERVICE"
)
"""Functions that would reach outside the workbook."""

_UNBOUNDED_IN = _names(
    "AREAS AVERAGEIF AVERAGEIFS CELL COLUMN COLUMNS COUNTBLANK COUNTIF COUNTIFS INDEX OFFSET ROW ROWS SUMIF "
    "SUMIFS FORMULATEXT ISFORMULA ISREF SHEET SUM"
)
# The functions whose result depends on how long the column is, or that the engine computes fast on whole columns.

_REDUCING = _names(
    "AND AREAS AVEDEV AVERAGE AVERAGEA AVERAGEIF AVERAGEIFS COLUMNS CONCAT CONCATENATE CORREL COUNT COUNTA "
    "COUNTBLANK COUNTIF COUNTIFS COVAR DAVERAGE DCOUNT DCOUNTA DGET DMAX DMIN DSUM FORECAST GEOMEAN HARMEAN "
    "HLOOKUP INTERCEPT IRR KURT LARGE LOOKUP MATCH MAX MAXA MAXIFS MEDIAN MIN MINA MINIFS MIRR MODE NPV OR "
    "PERCENTILE PERCENTRANK PRODUCT QUARTILE RANK RANK.AVG RANK.EQ ROWS RSQ SKEW SLOPE SMALL STDEV STDEV.P "
    "STDEV.S STDEVP SUBTOTAL SUM SUMIF SUMIFS SUMPRODUCT SUMSQ SUMX2MY2 SUMX2PY2 SUMXMY2 TEXTJOIN VAR VAR.P "
    "VAR.S VARP VLOOKUP XIRR XNPV XOR"
)
# The functions that make one value of a range.

_ARRAYS = _names(
    "BYCOL BYROW CHOOSE CHOOSECOLS CHOOSEROWS DROP EXPAND FILTER FREQUENCY GROWTH HSTACK INDEX INDIRECT LAMBDA "
    "LET LINEST LOGEST MAKEARRAY MAP MINVERSE MMULT MODE.MULT MUNIT OFFSET RANDARRAY SCAN SEQUENCE SORT SORTBY "
    "SWITCH TAKE TEXTSPLIT TOCOL TOROW TRANSPOSE TREND UNIQUE VSTACK WRAPCOLS WRAPROWS XLOOKUP"
)
# The functions whose result may be an array although no range is passed to them.

_DATES = {
    **dict.fromkeys(("DATE", "DATEVALUE", "EDATE", "EOMONTH", "TODAY", "WORKDAY", "WORKDAY.INTL"), "yyyy-mm-dd"),
    "NOW": "yyyy-mm-dd hh:mm",
}

_SHEET = r"(?:'(?:[^']|'')+'|[^\W\d][\w.]*(?::[^\W\d][\w.]*)?)!"
_CELL = r"\$?[A-Za-z]{1,3}\$?[1-9][0-9]{0,6}"
_COLUMN = r"\$?[A-Za-z]{1,3}"
_ROW = r"\$?[1-9][0-9]{0,6}"
_IN_BRACKETS = r"(?:[^\[\]']|'.|\[(?:[^\[\]']|'.)*\])*"  # of a table's name: a quote escapes the next character
_TABLE_COLUMN = re.compile(r"\[((?:[^\[\]']|'.)+)\]")
_ESCAPED_IN_TABLE = re.compile(r"'(.)")
_TO_ESCAPE_IN_TABLE = re.compile(r"[\[\]#'@]")
_TOKEN = re.compile(
    rf"""(?P<text>"(?:[^"]|"")*")
    |(?P<error>\#(?:REF!|DIV/0!|N/A|NAME\?|NULL!|NUM!|VALUE!|SPILL!|CALC!|CIRC!|ERROR!|N/IMPL!))
    |(?P<reference>(?P<sheet>{_SHEET})?(?P<area>{_CELL}:{_CELL}|{_COLUMN}:{_COLUMN}|{_ROW}:{_ROW}|{_CELL})(?![\w.(!:\[]))
    |(?P<qualified>{_SHEET}[^\W\d]?[\w.]*)
    |(?P<function>[^\W\d][\w.]*(?=\())
    |(?P<structured>(?:[^\W\d][\w.]*\[|\[@){_IN_BRACKETS}\])
    |(?P<name>[^\W\d\\][\w.\\?]*)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<space>\s+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_CORNER = re.compile(r"(\$?)([A-Za-z]{0,3})(\$?)([0-9]*)")


@dataclass(frozen=True, slots=True)
class Corner:
    """One corner of a reference: None where a whole row or column is meant; `fixed` is a dollar sign."""

    row: int | None
    column: int | None
    row_fixed: bool = False
    column_fixed: bool = False

    def __str__(self) -> str:
        column = "" if self.column is None else f"{'$' * self.column_fixed}{column_name(self.column)}"
        row = "" if self.row is None else f"{'$' * self.row_fixed}{self.row}"
        return column + row


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a cell or range; `sheet` is the prefix as it was written, with the exclamation mark, or empty."""

    sheet: str
    first: Corner
    last: Corner | None

    def __str__(self) -> str:
        return f"{self.sheet}{self.first}" + ("" if self.last is None else f":{self.last}")

    @property
    def whole_columns(self) -> bool:
        return self.last is not None and self.first.row is None and self.last.row is None


Part = str | Reference
"""A piece of a formula: a reference, or text that is kept as it is."""


def parse(formula: str) -> list[Part]:
    """Return the pieces of a formula; joined they are the formula again, with its references in capital letters.

    A reference beyond the sheet stays text.
    """
    parts: list[Part] = []
    for found in _TOKEN.finditer(formula):
        reference = _reference_of(found) if found.lastgroup in {"reference", "area", "sheet"} else None
        if reference is not None:
            parts.append(reference)
        elif parts and isinstance(parts[-1], str):
            parts[-1] += found[0]
        else:
            parts.append(found[0])
    return parts


def show(parts: Sequence[Part]) -> str:
    """Return the formula of these pieces."""
    return "".join(map(str, parts))


def moved(parts: Sequence[Part], rows: int, columns: int) -> str:
    """Return the formula with its relative references moved, as a copy into another cell has it.

    A reference that would leave the sheet becomes `#REF!`.
    """
    return "".join(_moved(part, rows, columns) if isinstance(part, Reference) else part for part in parts)


def check(formula: str) -> None:
    """Refuse what no engine should get. Raises Refused."""
    if len(formula) > LONGEST_FORMULA:
        raise Refused(
            "FORMULA_UNREADABLE", f"the formula has {len(formula)} characters; {LONGEST_FORMULA} are possible"
        )
    depth = 0
    for kind, text in _tokens(formula):
        if text in {"|", "["} or (kind in {"reference", "qualified"} and "[" in text):
            raise Refused(
                "FORMULA_REFUSED",
                "the formula refers to another file or program, which is not read here",
                "Use cells of this workbook only.",
            )
        if kind == "function" and (name := plain_name(text)) in REFUSED_FUNCTIONS:
            raise Refused("FORMULA_REFUSED", f"{name} reads from outside the workbook, so it is not computed here")
        if text == '"':
            raise Refused("FORMULA_UNREADABLE", 'a text in the formula has no closing quote (")')
        depth += (text == "(") - (text == ")")
        if depth < 0 or depth > DEEPEST_FORMULA:
            break
    if depth:
        problem = "a parenthesis is closed that was not opened" if depth < 0 else "a parenthesis is not closed"
        if depth > DEEPEST_FORMULA:
            problem = f"more than {DEEPEST_FORMULA} parentheses are open"
        raise Refused("FORMULA_UNREADABLE", f"{problem}: {formula[:80]}")


def reaches_outside(formula: str) -> bool:
    """Tell whether the formula refers to another file, program or server."""
    try:
        check(formula)
    except Refused as problem:
        return problem.code == "FORMULA_REFUSED"
    return False


def functions_of(formula: str) -> set[str]:
    """Return the names of the functions that the formula calls, in capitals and without prefixes of Excel's files."""
    return {plain_name(text) for kind, text in _tokens(formula) if kind == "function"}


def plain_name(function: str) -> str:
    """Return a function's name without the prefixes that files give to newer functions."""
    return function.upper().removeprefix("_XLFN.").removeprefix("_XLWS.").removeprefix("_XLUDF.")


def sheets_of(formula: str) -> set[str]:
    """Return the names of the sheets that the formula names."""
    names: set[str] = set()
    for part in parse(formula):
        if isinstance(part, Reference) and part.sheet:
            names.update(_sheet_names(part.sheet))
    return names


def may_spill(formula: str) -> bool:
    """Tell whether the result may fill more cells than the formula's own, in doubt that it may."""
    if "{" in formula or "#" in formula or functions_of(formula) & _ARRAYS:
        return True
    for kind, part, enclosing in _with_enclosing(formula):
        wide = part.last is not None if isinstance(part, Reference) else kind in {"name", "structured", "qualified"}
        if wide and enclosing not in _REDUCING and str(part).upper() not in {"TRUE", "FALSE"}:
            return True
    return False


def bounded(formula: str, last_row: int) -> str | None:
    """Return the formula with its references to whole columns ended at a row; None if it has none to end.

    The engine computes some functions over all rows of a sheet, used or not: a lookup takes a second that way.
    """
    if ":" not in formula:
        return None
    parts: list[str] = []
    found = False
    for _, part, enclosing in _with_enclosing(formula):
        if isinstance(part, Reference) and part.whole_columns and enclosing and enclosing not in _UNBOUNDED_IN:
            parts.append(_ended(part, last_row))
            found = True
        else:
            parts.append(str(part))
    return "".join(parts) if found else None


def with_columns(formula: str, renamed: Mapping[str, Mapping[str, str]]) -> str:
    """Return the formula of a file with other names for columns of tables: table → old name → new name."""
    known = {table.casefold(): {old.casefold(): new for old, new in names.items()} for table, names in renamed.items()}

    def column(found: re.Match[str], names: Mapping[str, str]) -> str:
        new = names.get(_ESCAPED_IN_TABLE.sub(r"\1", found[1]).casefold())
        return found[0] if new is None else "[" + _TO_ESCAPE_IN_TABLE.sub(r"'\g<0>", new) + "]"

    def structured(text: str) -> str:
        table, bracket, rest = text.partition("[")
        names = known.get(table.casefold())
        return text if names is None else table + _TABLE_COLUMN.sub(lambda found: column(found, names), bracket + rest)

    return "".join(structured(text) if kind == "structured" else text for kind, text in _tokens(formula))


@dataclass(frozen=True, slots=True)
class Shift:
    """Insert (`count` > 0) or delete (`count` < 0) rows or columns of a sheet, the first one at `at`."""

    sheet: str
    rows: bool
    at: int
    count: int

    def number(self, number: int) -> int | None:
        """Return where a row or column is afterwards; None if it is deleted or pushed out of the sheet."""
        if number < self.at:
            return number
        if self.count < 0 and number < self.at - self.count:
            return None
        after = number + self.count
        return after if after <= (MOST_ROWS if self.rows else MOST_COLUMNS) else None


def shifted(formula: str, home: str, shift: Shift) -> str:
    """Return the formula after rows or columns were inserted or deleted. `home` is the sheet that the formula is in."""

    def change(reference: Reference) -> str:
        names = _sheet_names(reference.sheet) if reference.sheet else [home]
        if all(name.lower() != shift.sheet.lower() for name in names):
            return str(reference)
        return _shifted(reference, shift)

    return _changed(formula, change)


def renamed(formula: str, old: str, new: str | None) -> str:
    """Return the formula after a sheet was renamed, or deleted if `new` is None."""

    def change(reference: Reference) -> str:
        names = _sheet_names(reference.sheet) if reference.sheet else []
        if old.lower() not in [name.lower() for name in names]:
            return str(reference)
        if new is None:
            return "#REF!"
        kept = [new if name.lower() == old.lower() else name for name in names]
        return str(replace(reference, sheet=quoted(":".join(kept)) + "!"))

    return _changed(formula, change)


def quoted(sheet: str) -> str:
    """Return a sheet's name as a formula writes it."""
    plain = re.fullmatch(r"[^\W\d][\w.]*", sheet) and not re.fullmatch(rf"{_CELL}|[rRcC]", sheet)
    return sheet if plain else "'" + sheet.replace("'", "''") + "'"


def _tokens(formula: str) -> Iterator[tuple[str, str]]:
    for found in _TOKEN.finditer(formula, 1 if formula.startswith("=") else 0):
        kind = found.lastgroup or "other"
        yield ("reference" if kind in {"area", "sheet"} else kind), found[0]


def _reference_of(found: re.Match[str]) -> Reference | None:
    first, _, last = found["area"].partition(":")
    try:
        return Reference(found["sheet"] or "", _corner(first), _corner(last) if last else None)
    except ValueError:
        return None


def _corner(text: str) -> Corner:
    found = _CORNER.fullmatch(text)
    if found is None:
        raise ValueError(text)
    before, letters, between, digits = found.groups()
    if not letters:
        between = before
    row = int(digits) if digits else None
    if row is not None and row > MOST_ROWS:
        raise ValueError(text)
    column = column_number(letters) if letters else None
    return Corner(row, column, bool(between) and row is not None, bool(before) and column is not None)


def _moved(reference: Reference, rows: int, columns: int) -> str:
    first = _moved_corner(reference.first, rows, columns)
    last = None if reference.last is None else _moved_corner(reference.last, rows, columns)
    if first is None or (last is None and reference.last is not None):
        return "#REF!"
    return str(Reference(reference.sheet, first, last))


def _moved_corner(corner: Corner, rows: int, columns: int) -> Corner | None:
    row = corner.row if corner.row is None or corner.row_fixed else corner.row + rows
    column = corner.column if corner.column is None or corner.column_fixed else corner.column + columns
    if (row is not None and not 1 <= row <= MOST_ROWS) or (column is not None and not 1 <= column <= MOST_COLUMNS):
        return None
    return replace(corner, row=row, column=column)


def _ended(reference: Reference, last_row: int) -> str:
    first = replace(reference.first, row=1, row_fixed=True)
    last = replace(reference.last or reference.first, row=last_row, row_fixed=True)
    return str(Reference(reference.sheet, first, last))


def _shifted(reference: Reference, shift: Shift) -> str:
    start = _number(reference.first, rows=shift.rows)
    end = start if reference.last is None else _number(reference.last, rows=shift.rows)
    if start is None or end is None:
        return str(reference)
    low, high = _shifted_span(min(start, end), max(start, end), shift)
    if low is None or high is None:
        return "#REF!"
    if start > end:
        low, high = high, low
    first = _with_number(reference.first, low, rows=shift.rows)
    last = None if reference.last is None else _with_number(reference.last, high, rows=shift.rows)
    return str(Reference(reference.sheet, first, last))


def _number(corner: Corner, *, rows: bool) -> int | None:
    return corner.row if rows else corner.column


def _with_number(corner: Corner, number: int, *, rows: bool) -> Corner:
    return replace(corner, row=number) if rows else replace(corner, column=number)


def _shifted_span(low: int, high: int, shift: Shift) -> tuple[int | None, int | None]:
    if shift.count > 0:
        most = MOST_ROWS if shift.rows else MOST_COLUMNS
        new_low = shift.number(low)
        return new_low, min(high + shift.count, most) if high >= shift.at else high
    after = shift.at - shift.count  # the first row or column behind the deleted ones
    if low >= shift.at and high < after:
        return None, None
    new_low = low if low < shift.at else max(low + shift.count, shift.at)
    new_high = high if high < shift.at else max(high + shift.count, shift.at - 1)
    return new_low, new_high


def _changed(formula: str, change: Callable[[Reference], str]) -> str:
    return "".join(change(part) if isinstance(part, Reference) else part for part in parse(formula))


def _sheet_names(prefix: str) -> list[str]:
    """Return the sheets of a prefix such as `'My sheet'!`, or two for `First:Last!`."""
    name = prefix[:-1]
    if name.startswith("'"):
        name = name[1:-1].replace("''", "'")
    return name.split(":")


def _with_enclosing(formula: str) -> Iterator[tuple[str, Part, str]]:
    """Yield the tokens: kind, the token, and the innermost function around it; empty outside of functions."""
    stack: list[str] = []
    called = ""
    for found in _TOKEN.finditer(formula):
        kind = found.lastgroup
        enclosing = next((name for name in reversed(stack) if name), "")
        if kind in {"reference", "area", "sheet"}:
            yield "reference", _reference_of(found) or found[0], enclosing
            continue
        yield kind or "other", found[0], enclosing
        if kind == "function":
            called = plain_name(found[0])
        elif found[0] == "(":
            stack.append(called)
            called = ""
        elif found[0] == ")" and stack:
            stack.pop()


def names_of(formula: str) -> set[str]:
    """Return the names in the formula that are no functions, references or texts."""
    return {text for kind, text in _tokens(formula) if kind == "name"}


def without_prefixes(formula: str) -> str:
    """Return the formula with the names of functions in capitals, without the prefixes that files give to new ones."""
    tokens = _TOKEN.finditer(formula)
    return "".join(plain_name(found[0]) if found.lastgroup == "function" else found[0] for found in tokens)


def date_format(formula: str) -> str | None:
    """Return the number format that a spreadsheet gives a new formula whose outermost function makes a date."""
    tokens = [(kind, text) for kind, text in _tokens(formula) if kind != "space"]
    if not tokens or tokens[0][0] != "function" or tokens[-1][1] != ")":
        return None
    depth = 0
    for _, text in tokens[1:-1]:
        depth += (text == "(") - (text == ")")
        if depth == 0:
            return None
    return _DATES.get(plain_name(tokens[0][1]))
