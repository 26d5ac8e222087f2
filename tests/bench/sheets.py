"""`make bench-sheets`: load, read, edit, undo and export large workbooks, and count cached blocks."""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import openpyxl
import python_calamine
from rich.console import Console
from rich.table import Table

from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from tests.api_user import ApiUser, data_of, wait_until
from tests.apps.sheets.requests import get_session, uploaded_session
from tests.bench.sheet_tabs import Blocks, Tab
from tests.bench.sheet_values import CHANGED, QUESTION
from tests.bench.workbooks import COLUMNS, DATA, DATA_PART, csv_of, values_of, write_xlsx
from tests.follower import channel_of
from tests.patience import PATIENCE

Made = TypeVar("Made")

REPEATS = 5
BUCKET = "millrace-artefactbucket"
SCREEN = f"A1:{COLUMNS[-1]}50"
CACHE_ROWS = 20_000
WRITES = 50
REVALIDATED_EVERY = 10  # writes
_CONSOLE = Console(width=110, highlight=False)


class Figures:
    """A table of figures beside their targets."""

    def __init__(self, title: str) -> None:
        self.table = Table(title=title, title_justify="left")
        for heading in ("figure", "measured", "target"):
            self.table.add_column(heading, justify="left" if heading == "figure" else "right")

    def add(self, figure: str, measured: str, target: str = "–") -> None:
        self.table.add_row(figure, measured, target)

    def timed(self, figure: str, target: str, call: Callable[[], Made]) -> Made:
        """Add the seconds of a call, and return what it returns."""
        began = time.monotonic()
        made = call()
        self.add(figure, f"{time.monotonic() - began:.2f} s", target)
        return made

    def repeated(self, figure: str, target: str, call: Callable[[int], object]) -> None:
        """Add the median of several calls."""
        milliseconds = []
        for number in range(REPEATS):
            began = time.monotonic()
            call(number)
            milliseconds.append((time.monotonic() - began) * 1000)
        self.add(f"{figure}, p50 of {REPEATS}", f"{statistics.median(milliseconds):.0f} ms", target)


class Workbook:
    """A session of a user."""

    def __init__(self, user: ApiUser, content: bytes, name: str) -> None:
        self.user = user
        self.id = uploaded_session(user, content, name=name)["sessionId"]
        self.version = 0

    def url(self, path: str) -> str:
        return f"/sessions/{self.id}{path}"

    def load(self) -> dict[str, Any]:
        """Load the file and return the session. Raises AssertionError if it does not become active."""
        data_of(self.user.api.post(self.url("/load")), 202)

        def settled() -> dict[str, Any] | None:
            session = get_session(self.user, self.id)
            return session if session["state"] != "INITIALIZING" else None

        session = wait_until(settled)
        assert session is not None
        assert session["state"] == "ACTIVE", session["errors"]
        self.version = session["version"]
        return session

    def stored_blocks(self) -> int:
        """Return how many blocks the bucket has of the session."""
        pages = self.user.stack.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=BUCKET, Prefix=f"sheets/{self.id}/blocks/")
        return sum(page["KeyCount"] for page in found)

    def ask(self) -> None:
        """Ask the scripted model, which calls a tool. Raises AssertionError if the answer is not completed."""
        sent = data_of(self.user.api.post(self.url("/messages"), json={"text": QUESTION}), 202)
        job = self.user.ended(sent["jobId"])
        assert job["status"] == "completed", job["failure"]

    def edit(self, sheet: str, at: str, value: float) -> int:
        """Write a cell and return the version."""
        body = {"sheet": sheet, "cells": [{"at": at, "value": value}]}
        self.version = data_of(self.user.api.patch(self.url("/cells"), json=body))["version"]
        return self.version

    def undo(self) -> None:
        data_of(self.user.api.post(self.url("/undo")))

    def redo(self) -> None:
        data_of(self.user.api.post(self.url("/redo")))

    def read(self, sheet: str, area: str, *, etag: str | None = None) -> httpx.Response:
        """Read cells, and check the status: 304 with an ETag, else 200."""
        headers = {} if etag is None else {"If-None-Match": etag}
        response = self.user.api.get(self.url("/cells"), params={"sheet": sheet, "range": area}, headers=headers)
        assert response.status_code == (200 if etag is None else 304), response.text
        return response

    def export(self, kind: str) -> bytes:
        """Return the workbook as a file of this format."""
        job = self.user.ended(data_of(self.user.api.post(self.url("/exports"), json={"format": kind}), 202)["jobId"])
        assert job["status"] == "completed", job["failure"]
        return httpx.get(job["result"]["downloadUrl"], timeout=PATIENCE).raise_for_status().content


def whole_life(workbook: Workbook, title: str, size: int) -> tuple[Figures, bytes]:
    """Load, read, edit, undo and export a workbook; return the figures and the export."""
    figures = Figures(f"{title}, {size / 1e6:.1f} MB")
    session = figures.timed("load request to ACTIVE", "≤ 30 s", workbook.load)
    sheet = session["sheets"][0]
    figures.add("cells", f"{sheet['rows'] * sheet['columns']:,}")
    figures.add("blocks of version 1", str(workbook.stored_blocks()))
    name = sheet["name"]
    figures.timed("first read of a screen", "–", lambda: workbook.read(name, SCREEN))
    figures.repeated("get_cells, warm", "≤ 15 ms", lambda _: workbook.read(name, SCREEN))
    etag = workbook.read(name, SCREEN).headers["ETag"]
    figures.repeated("get_cells, 304", "≤ 8 ms", lambda _: workbook.read(name, SCREEN, etag=etag))
    figures.timed("question and answer", "–", workbook.ask)
    figures.repeated(
        "edit one cell",
        "0.4 s at 200k cells, 2.5 s at 1M",
        lambda number: workbook.edit(name, f"B{number + 10}", number),
    )
    figures.repeated("undo", "–", lambda _: workbook.undo())
    figures.repeated("redo", "–", lambda _: workbook.redo())
    workbook.edit(name, "B2", CHANGED)
    figures.timed("export as CSV and download", "–", lambda: workbook.export("csv"))
    exported = figures.timed("export as XLSX and download", "–", lambda: workbook.export("xlsx"))
    return figures, exported


def check_export(figures: Figures, exported: bytes, sheet: str, source: Path | None) -> None:
    """Open the export with two other readers; compare its parts with the source's, if it is a copy of one."""
    book = openpyxl.load_workbook(io.BytesIO(exported), read_only=True)
    (row,) = book[sheet].iter_rows(min_row=2, max_row=2, values_only=True)
    figures.add("openpyxl reads the changed value", str(row[1] == CHANGED), "True")
    rows = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(exported)).get_sheet_by_name(sheet).to_python()
    figures.add("calamine reads the changed value", str(rows[1][1] == CHANGED), "True")
    if source is None:
        return
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(io.BytesIO(exported)) as after:
        assert set(before.namelist()) == set(after.namelist())
        different = {name for name in before.namelist() if before.read(name) != after.read(name)}
        equal = len(before.namelist()) - len(different)
    # The workbook part tells the program that opens the file to compute it.
    figures.add("parts that differ", ", ".join(sorted(different)), f"{DATA_PART}, xl/workbook.xml")
    figures.add("parts equal byte for byte", str(equal), "all others")


def caches(user: ApiUser) -> Figures:
    """Let two tabs follow a writer, and a third client ask again for everything after every tenth write."""
    grid = [values_of(row) for row in range(1, CACHE_ROWS + 1)]
    workbook = Workbook(user, csv_of(CACHE_ROWS), "cached.csv")
    session = workbook.load()
    sheet = session["sheets"][0]["name"]
    figures = Figures(f"Caches of blocks: {CACHE_ROWS * len(COLUMNS):,} cells, {WRITES} edits")
    shown: list[float] = []

    def blocks() -> Blocks:
        return Blocks(user, workbook.id, sheet, COLUMNS[-1])

    with ThreadPoolExecutor(2) as pool, ExitStack() as opened:
        position = session["lastEventId"]
        *followers, asker = clients = [blocks() for _ in range(3)]
        for each in clients:
            each.read_all(CACHE_ROWS)
        tabs = [Tab(each, opened.enter_context(channel_of(user)), position) for each in followers]
        for tab in tabs:
            opened.callback(tab.stop)  # the pool waits for its threads, also if the bench fails here
        for number in range(WRITES):
            row = number * 397 % CACHE_ROWS
            grid[row][2] = -number - 1
            began = time.monotonic()
            showing = [pool.submit(tab.show, workbook.version + 1, grid) for tab in tabs]
            workbook.edit(sheet, f"C{row + 1}", -number - 1)
            shown += [each.result() - began for each in showing]
            if (number + 1) % REVALIDATED_EVERY == 0:
                asker.read_all(CACHE_ROWS)
                assert not asker.stale(grid)
    for number, tab in enumerate(tabs, 1):
        rate = 1 - tab.blocks.statuses[200] / tab.needed
        figures.add(f"tab {number}: blocks shown / read", f"{tab.needed} / {tab.blocks.statuses[200]}")
        figures.add(f"tab {number}: hit rate", f"{rate:.1%}", "≥ 90 %")
    statuses = asker.statuses
    figures.add("client by ETag: 304 / 200", f"{statuses[304]} / {statuses[200]}")
    figures.add("stale blocks shown", "0", "0")
    figures.add("edit to both tabs, p50", f"{statistics.median(shown) * 1000:.0f} ms", "≤ 400 ms")
    return figures


@contextmanager
def user_of(stack: LocalStack) -> Iterator[ApiUser]:
    user = ApiUser(stack)
    try:
        yield user
    finally:
        user.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-sheets", description=__doc__)
    parser.add_argument("--xlsx-rows", type=int, default=430_000, help="ten cells each")
    parser.add_argument("--formulas", type=int, default=40_000)
    parser.add_argument("--csv-rows", type=int, default=490_000, help="ten cells each")
    parser.add_argument("--allowance", type=int, default=1, help="factor of the functions' time limits")
    given = parser.parse_args()
    limits = {**WITHOUT_RATE_LIMITS, "CONNECTION_OPENS_PER_MINUTE": "100000"}
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalStack(environment=limits, allowance=given.allowance) as stack,
        user_of(stack) as user,
    ):
        report(caches(user))
        if given.xlsx_rows:
            source = Path(folder) / "bench.xlsx"
            write_xlsx(source, given.xlsx_rows, given.formulas)
            content = source.read_bytes()
            figures, exported = whole_life(Workbook(user, content, "bench.xlsx"), "XLSX", len(content))
            check_export(figures, exported, DATA, source)
            report(figures)
        if given.csv_rows:
            content = csv_of(given.csv_rows)
            workbook = Workbook(user, content, "bench.csv")
            figures, exported = whole_life(workbook, "CSV", len(content))
            check_export(figures, exported, get_session(user, workbook.id)["sheets"][0]["name"], None)
            report(figures)


def report(figures: Figures) -> None:
    """Print the figures with the machine's load."""
    _CONSOLE.print(figures.table)
    _CONSOLE.print(f"load average: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
