"""The limits of uploaded workbooks, and of what one change writes."""

from __future__ import annotations

MOST_BYTES = 50_000_000
"""Bytes of an uploaded file."""

MOST_UNPACKED = 512_000_000
"""Bytes that all parts of an XLSX file have together when they are unpacked."""

MOST_RATIO = 200
"""How many times larger a part may get by unpacking; real files reach 43."""

MOST_PARTS = 5_000
"""Parts of an XLSX file."""

MOST_SHEETS = 100
"""Sheets of a workbook."""

MOST_CELLS = 5_000_000
"""Cells of a workbook."""

MOST_TEXTS = 4_000_000
"""Different texts of a workbook: the engine needs 300 bytes for each, and has 1.5 GB for the workbook."""

MOST_NAMES = 500
"""Defined names of a workbook that are told."""

MOST_WRITTEN = 200_000
"""Cells that one change writes."""

LONGEST_LINE = 1_000_000
"""Bytes of a line of a CSV file."""
