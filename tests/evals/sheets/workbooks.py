"""Workbooks that a seed makes, for the evaluation's tasks: sheets of rows, the first of which names the columns."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date, timedelta
from random import Random
from typing import Any

from openpyxl import Workbook as XlsxWorkbook

Rows = list[list[Any]]
Sheets = dict[str, Rows]

REGIONS = ("North", "South", "East", "West")
PRODUCTS = ("Bolt", "Anvil", "Clamp", "Gasket", "Spring")
DEPARTMENTS = ("Sales", "Finance", "Design")
NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo", "Ines", "Jon", "Kim", "Lars")


def sales(random: Random) -> Sheets:
    """Return a sheet of sales: date, region, product, units, price, discount in percent."""
    header = ["Date", "Region", "Product", "Units", "Price", "Discount"]
    rows = [
        [
            date(2026, 1, 1) + timedelta(days=random.randrange(180)),
            random.choice(REGIONS),
            random.choice(PRODUCTS),
            random.randint(1, 40),
            random.randint(100, 9_900) / 100,
            random.choice((0, 5, 10, 20)),
        ]
        for _ in range(random.randint(14, 22))
    ]
    return {"Sales": [header, *rows]}


def staff(random: Random) -> Sheets:
    """Return a sheet of people: name, department, salary, years. No two have the same salary."""
    names = random.sample(NAMES, 9)
    salaries = random.sample(range(3_000, 7_000, 50), len(names))
    rows = [
        [name, random.choice(DEPARTMENTS), salary, random.randint(0, 20)]
        for name, salary in zip(names, salaries, strict=True)
    ]
    return {"Staff": [["Name", "Department", "Salary", "Years"], *rows]}


def grades(random: Random) -> Sheets:
    """Return a sheet of grades below a title: student, and three subjects."""
    rows = [[name, *(random.randint(35, 100) for _ in range(3))] for name in random.sample(NAMES, 8)]
    return {"Grades": [["Grades of spring 2026"], [], ["Student", "Maths", "Physics", "Art"], *rows]}


def stock(random: Random) -> Sheets:
    """Return two sheets: what is in stock, and what each item costs."""
    items = random.sample(PRODUCTS, 5)
    counts = random.sample(range(60), len(items))
    held = [[item, count, random.choice((10, 20, 30))] for item, count in zip(items, counts, strict=True)]
    prices = [[item, random.randint(50, 5_000) / 100] for item in sorted(PRODUCTS)]
    return {"Stock": [["Item", "Count", "Minimum"], *held], "Prices": [["Item", "Price"], *prices]}


def untidy(random: Random) -> Sheets:
    """Return a sheet of contacts that was typed by hand: spaces, mixed case, gaps, numbers as text."""
    rows = []
    for name in random.sample(NAMES, 8):
        code = f"{random.choice('abc')}{random.randint(1, 9)}"
        city = random.choice(("Oslo", "oslo", "OSLO", "Bonn", "bonn"))
        visits = random.choice((None, random.randint(1, 9), random.randint(1, 9)))
        rows.append([f" {name} " if random.random() < 0.5 else name, code, city, visits, str(random.randint(10, 99))])
    return {"Contacts": [["Name", "Code", "City", "Visits", "Age"], *rows]}


def file_of(sheets: Mapping[str, Rows]) -> bytes:
    """Return the workbook as an XLSX file."""
    book = XlsxWorkbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    stored = io.BytesIO()
    book.save(stored)
    return stored.getvalue()
