"""The sixty tasks of the evaluation: an instruction, workbooks by seed, and the cells that must be there afterwards.

The form is SpreadsheetBench's: a task is solved if each cell of its answer range has the expected value in each of its
workbooks. The tasks and workbooks are our own.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.evals.sheets.workbooks import Rows, Sheets, grades, sales, staff, stock, untidy

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The expected cells: rows of values, the first value in the cell `start` of a sheet."""

    sheet: str
    start: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `expect` computes the answer from the workbook as it was."""

    id: str
    instruction: str
    build: Callable[[Random], Sheets]
    expect: Callable[[Sheets], Answer]


def _letters(number: int) -> str:
    return chr(ord("A") + number - 1)


# ---- families --------------------------------------------------------------------------------------------------------


def _column(
    build: Callable[[Random], Sheets], sheet: str, header: int, name: str, what: str, value: Callable[[Row], Any]
) -> Task:
    """A new column, right of the table, that is computed from each row."""

    def expect(sheets: Sheets) -> Answer:
        rows = sheets[sheet]
        start = f"{_letters(len(rows[header - 1]) + 1)}{header}"
        return Answer(sheet, start, [[name], *([value(row)] for row in rows[header:])])

    instruction = f"In the sheet {sheet}, add a column {name} right of the table: {what}. Use formulas."
    return Task(f"column-{name.lower().replace(' ', '-')}", instruction, build, expect)


def _figure(
    build: Callable[[Random], Sheets], sheet: str, header: int, name: str, what: str, value: Callable[[Rows], Any]
) -> Task:
    """One figure in the cell J2."""

    def expect(sheets: Sheets) -> Answer:
        return Answer(sheet, "J2", [[value(sheets[sheet][header:])]])

    return Task(f"figure-{name}", f"In the sheet {sheet}, write {what} into the cell J2.", build, expect)


def _table(build: Callable[[Random], Sheets], sheet: str, name: str, what: str, table: Callable[[Rows], Rows]) -> Task:
    """A new sheet with a table of figures."""

    def expect(sheets: Sheets) -> Answer:
        return Answer(name, "A1", table(sheets[sheet][1:]))

    instruction = f"Create a new sheet named {name}, with the header in row 1 and the table from A1 on: {what}."
    return Task(f"table-{name.lower().replace(' ', '-')}", instruction, build, expect)


def _sorted(
    build: Callable[[Random], Sheets], sheet: str, header: int, name: str, what: str, key: Callable[[Row], Any]
) -> Task:
    """The same rows in another order."""

    def expect(sheets: Sheets) -> Answer:
        return Answer(sheet, f"A{header + 1}", sorted((list(row) for row in sheets[sheet][header:]), key=key))

    return Task(f"sort-{name}", f"Sort the table in the sheet {sheet} {what}. Keep its header.", build, expect)


def _kept(build: Callable[[Random], Sheets], sheet: str, name: str, what: str, test: Callable[[Row], bool]) -> Task:
    """Some rows on a new sheet."""

    def expect(sheets: Sheets) -> Answer:
        header, *rows = sheets[sheet]
        return Answer(name, "A1", [list(header), *(list(row) for row in rows if test(row))])

    instruction = (
        f"Copy the header and those rows of the sheet {sheet} {what} to a new sheet named {name}, in the order in "
        "which they are."
    )
    return Task(f"filter-{name.lower().replace(' ', '-')}", instruction, build, expect)


def _tidied(name: str, column: int, what: str, value: Callable[[Any], Any]) -> Task:
    """One column of the untidy sheet, corrected in place."""

    def expect(sheets: Sheets) -> Answer:
        return Answer("Contacts", f"{_letters(column)}2", [[value(row[column - 1])] for row in sheets["Contacts"][1:]])

    return Task(f"tidy-{name}", f"In the sheet Contacts, {what}, in place.", untidy, expect)


def _changed(
    name: str, build: Callable[[Random], Sheets], instruction: str, expect: Callable[[Sheets], Answer]
) -> Task:
    return Task(f"structure-{name}", instruction, build, expect)


# ---- computations ----------------------------------------------------------------------------------------------------


def _of(rows: Rows, at: int, value: Any) -> Iterator[Row]:
    return (row for row in rows if row[at] == value)


def _sums(rows: Rows, key: int, amount: Callable[[Row], float]) -> dict[Any, float]:
    sums: dict[Any, float] = defaultdict(float)
    for row in rows:
        sums[row[key]] += amount(row)
    return dict(sorted(sums.items()))


def _gross(row: Row) -> float:
    return float(row[3] * row[4])


def _net(row: Row) -> float:
    return _gross(row) * (1 - float(row[5]) / 100)


def _by_region(rows: Rows) -> Rows:
    return [["Region", "Units"], *map(list, _sums(rows, 1, lambda row: row[3]).items())]


def _by_product(rows: Rows) -> Rows:
    sums = _sums(rows, 2, _gross)
    return [["Product", "Revenue"], *map(list, sorted(sums.items(), key=lambda each: -each[1]))]


def _by_month(rows: Rows) -> Rows:
    months = [[row[0].month, *row[1:]] for row in rows]
    return [["Month", "Units"], *map(list, _sums(months, 0, lambda row: row[3]).items())]


def _counts(rows: Rows) -> Rows:
    return [["Product", "Sales"], *map(list, sorted(Counter(row[2] for row in rows).items()))]


def _averages(rows: Rows) -> Rows:
    groups = defaultdict(list)
    for row in rows:
        groups[row[1]].append(row[2])
    return [["Department", "Average salary"], *([key, statistics.fmean(groups[key])] for key in sorted(groups))]


def _extremes(rows: Rows) -> Rows:
    groups = defaultdict(list)
    for row in rows:
        groups[row[1]].append(row[2])
    return [["Department", "Lowest", "Highest"], *([key, min(each), max(each)] for key, each in sorted(groups.items()))]


def _cross(rows: Rows) -> Rows:
    regions, products = sorted({row[1] for row in rows}), sorted({row[2] for row in rows})
    cells = _sums([[(row[1], row[2]), row[3]] for row in rows], 0, lambda row: row[1])
    body = [[region, *(cells.get((region, product), 0) for product in products)] for region in regions]
    return [["Region", *products], *body]


def _top(rows: Rows) -> Rows:
    return [["Name", "Salary"], *([row[0], row[2]] for row in sorted(rows, key=lambda row: -row[2])[:3])]


def _price_of(sheets: Sheets, item: str) -> float:
    return float(next(row[1] for row in sheets["Prices"][1:] if row[0] == item))


def _stock_column(name: str, value: Callable[[Sheets, Row], Any]) -> Callable[[Sheets], Answer]:
    return lambda sheets: Answer("Stock", "D1", [[name], *([value(sheets, row)] for row in sheets["Stock"][1:])])


# ---- the tasks -------------------------------------------------------------------------------------------------------

_COLUMNS = (
    _column(sales, "Sales", 1, "Revenue", "units times price", _gross),
    _column(sales, "Sales", 1, "Net", "units times price, less the discount in percent", _net),
    _column(sales, "Sales", 1, "Rebate", "units times price times the discount in percent",
            lambda row: _gross(row) - _net(row)),
    _column(sales, "Sales", 1, "Month", "the number of the month of the date", lambda row: row[0].month),
    _column(sales, "Sales", 1, "Size", "“large” if units are 20 or more, else “small”",
            lambda row: "large" if row[3] >= 20 else "small"),
    _column(sales, "Sales", 1, "Label", "the region, a hyphen without spaces, and the product",
            lambda row: f"{row[1]}-{row[2]}"),
    _column(sales, "Sales", 1, "Whole price", "the price rounded up to a whole number",
            lambda row: int(row[4]) + (row[4] % 1 > 0)),
    _column(staff, "Staff", 1, "Yearly", "twelve times the salary", lambda row: row[2] * 12),
    _column(staff, "Staff", 1, "Bonus", "10 percent of the salary from 5 years on, else 0",
            lambda row: row[2] / 10 if row[3] >= 5 else 0),
    _column(grades, "Grades", 3, "Mean", "the mean of the three subjects", lambda row: statistics.fmean(row[1:4])),
    _column(grades, "Grades", 3, "Best", "the highest of the three grades", lambda row: max(row[1:4])),
    _column(grades, "Grades", 3, "Passed", "“yes” if all three grades are 50 or more, else “no”",
            lambda row: "yes" if min(row[1:4]) >= 50 else "no"),
)  # fmt: skip

_FIGURES = (
    _figure(sales, "Sales", 1, "units", "the sum of all units", lambda rows: sum(row[3] for row in rows)),
    _figure(sales, "Sales", 1, "revenue", "the sum of units times price over all rows",
            lambda rows: sum(map(_gross, rows))),
    _figure(sales, "Sales", 1, "north", "the sum of the units of the region North",
            lambda rows: sum(row[3] for row in _of(rows, 1, "North"))),
    _figure(sales, "Sales", 1, "rows", "the number of sales of the product Bolt",
            lambda rows: sum(1 for _ in _of(rows, 2, "Bolt"))),
    _figure(sales, "Sales", 1, "mean-price", "the average price", lambda rows: statistics.fmean(r[4] for r in rows)),
    _figure(sales, "Sales", 1, "highest-price", "the highest price", lambda rows: max(row[4] for row in rows)),
    _figure(sales, "Sales", 1, "median-units", "the median of the units",
            lambda rows: statistics.median(row[3] for row in rows)),
    _figure(sales, "Sales", 1, "products", "how many different products there are",
            lambda rows: len({row[2] for row in rows})),
    _figure(sales, "Sales", 1, "discounted", "the number of sales with a discount above 0",
            lambda rows: sum(row[5] > 0 for row in rows)),
    _figure(sales, "Sales", 1, "february", "the sum of the units of February 2026",
            lambda rows: sum(row[3] for row in rows if row[0].month == 2)),
    _figure(staff, "Staff", 1, "payroll", "the sum of the salaries", lambda rows: sum(row[2] for row in rows)),
    _figure(staff, "Staff", 1, "best-paid", "the name of the person with the highest salary",
            lambda rows: max(rows, key=lambda row: row[2])[0]),
    _figure(grades, "Grades", 3, "mean-maths", "the average grade in maths",
            lambda rows: statistics.fmean(row[1] for row in rows)),
    _figure(grades, "Grades", 3, "failed", "the number of students with a grade below 50 in physics",
            lambda rows: sum(row[2] < 50 for row in rows)),
)  # fmt: skip

_TABLES = (
    _table(sales, "Sales", "By region", "Region and Units, the sum of the units of each region of the sheet Sales, "
           "regions from A to Z", _by_region),
    _table(sales, "Sales", "By product", "Product and Revenue, the sum of units times price of each product of the "
           "sheet Sales, the highest revenue first", _by_product),
    _table(sales, "Sales", "By month", "Month, the number of the month, and Units, the sum of the units of the sheet "
           "Sales in it, only months with sales, in their order", _by_month),
    _table(sales, "Sales", "Counts", "Product and Sales, the number of rows of each product of the sheet Sales, "
           "products from A to Z", _counts),
    _table(staff, "Staff", "Averages", "Department and Average salary, for each department of the sheet Staff, from A "
           "to Z", _averages),
    _table(staff, "Staff", "Extremes", "Department, Lowest and Highest: the lowest and the highest salary of each "
           "department of the sheet Staff, from A to Z", _extremes),
    _table(sales, "Sales", "Cross", "a row for each region of the sheet Sales from A to Z, a column for each product "
           "from A to Z, the units sold in the cells, 0 where there are none; the first header is Region", _cross),
    _table(staff, "Staff", "Top three", "Name and Salary of the three people with the highest salaries of the sheet "
           "Staff, the highest first", _top),
)  # fmt: skip

_SORTS = (
    _sorted(sales, "Sales", 1, "date", "by date, the oldest first", lambda row: row[0]),
    _sorted(sales, "Sales", 1, "units", "by units, the highest first", lambda row: -row[3]),
    _sorted(
        sales, "Sales", 1, "region-date", "by region from A to Z, and within a region by date", lambda r: (r[1], r[0])
    ),
    _sorted(staff, "Staff", 1, "salary", "by salary, the highest first", lambda row: -row[2]),
    _sorted(staff, "Staff", 1, "name", "by name from A to Z", lambda row: row[0]),
    _sorted(grades, "Grades", 3, "physics", "by the grade in physics, the highest first", lambda row: -row[2]),
)

_FILTERS = (
    _kept(sales, "Sales", "North", "whose region is North", lambda row: row[1] == "North"),
    _kept(sales, "Sales", "Large", "with 20 units or more", lambda row: row[3] >= 20),
    _kept(sales, "Sales", "No discount", "with a discount of 0", lambda row: row[5] == 0),
    _kept(sales, "Sales", "Spring", "from March to May 2026", lambda row: 3 <= row[0].month <= 5),
    _kept(sales, "Sales", "Two products", "whose product is Bolt or Anvil", lambda row: row[2] in {"Bolt", "Anvil"}),
    _kept(staff, "Staff", "Seniors", "with more than 10 years", lambda row: row[3] > 10),
)

_TIDY = (
    _tidied("names", 1, "remove the spaces before and after each name", lambda value: value.strip()),
    _tidied("codes", 2, "write all codes in capital letters", lambda value: value.upper()),
    _tidied("cities", 3, "write each city with one capital letter at its beginning", lambda value: value.capitalize()),
    _tidied("gaps", 4, "write 0 where Visits is empty", lambda value: value or 0),
    _tidied("ages", 5, "make the ages, which are stored as text, numbers", int),
    _tidied("city", 3, "replace Bonn, however it is written, by Cologne, and leave the other cities as they are",
            lambda value: "Cologne" if value.lower() == "bonn" else value),
)  # fmt: skip

_STRUCTURE = (
    _changed("delete-column", sales, "Delete the column Discount of the sheet Sales.",
             lambda sheets: Answer("Sales", "A1", [[*row[:5], None] for row in sheets["Sales"]])),
    _changed("insert-rows", staff, "Insert two empty rows above the header of the sheet Staff.",
             lambda sheets: Answer("Staff", "A1", [[None] * 4, [None] * 4, *sheets["Staff"]])),
    _changed("rename-sheet", staff, "Rename the sheet Staff to People.",
             lambda sheets: Answer("People", "A1", sheets["Staff"])),
    _changed("delete-title", grades, "Delete the title and the empty row above the header of the sheet Grades.",
             lambda sheets: Answer("Grades", "A1", sheets["Grades"][2:])),
)  # fmt: skip

_LOOKUPS = (
    _changed("price", stock, "In the sheet Stock, add a column Price in D, from the sheet Prices. Use formulas.",
             _stock_column("Price", lambda sheets, row: _price_of(sheets, row[0]))),
    _changed("value", stock, "In the sheet Stock, add a column Value in D: the count times the price of the item, "
             "which the sheet Prices has.",
             _stock_column("Value", lambda sheets, row: row[1] * _price_of(sheets, row[0]))),
    _changed("missing", stock, "In the sheet Stock, add a column Missing in D: how many of the item are missing to the "
             "minimum, 0 if none.", _stock_column("Missing", lambda _, row: max(0, row[2] - row[1]))),
    _changed("order", stock, "In the sheet Stock, add a column Order in D: “order” if the count is below the minimum, "
             "else leave an empty text.", _stock_column("Order", lambda _, row: "order" if row[1] < row[2] else "")),
)  # fmt: skip

TASKS: tuple[Task, ...] = (
    *_COLUMNS,
    *_FIGURES,
    *_TABLES,
    *_SORTS,
    *_FILTERS,
    *_TIDY,
    *_STRUCTURE,
    *_LOOKUPS,
)
"""All tasks; their ids are unique."""
