"""Load an uploaded file into a workbook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.apps.sheets.engine import csv_file, xlsx
from shared.apps.sheets.engine.book import Book


def load(path: str, format: str, mode: str) -> tuple[Book, dict[str, Any]]:  # noqa: A002 - the port's word
    """Return the workbook of a file and what LoadReport says of it; `mode` is `computed` or `values`.

    Raises Unsupported.
    """
    if format == "csv":
        book, notes = csv_file.load(Path(path))
        report = {"mode": "computed", "judged": 0, "mismatches": 0, "frozen": 0, "differences": [], "notes": notes}
    else:
        book, report = xlsx.load(Path(path), values_only=mode == "values")
    book.encode_dirty()
    return book, report
