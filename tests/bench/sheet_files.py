"""`make bench-sheet-files`: take workbooks through the real path with the program curl, and one in Chromium."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.stack import WITHOUT_RATE_LIMITS, LocalStack
from tests.api_user import ApiUser
from tests.bench.sheet_values import CHANGED, QUESTION
from tests.bench.sheets import Figures, check_export, report, user_of
from tests.bench.workbooks import DATA, csv_of, write_xlsx

LOADED = "≤ 30 s for 5M cells"
BROWSER = Path(".venv-browser/bin/python")
TYPES = {"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "csv": "text/csv"}


class Curl:
    """Send the requests of docs/sheets.md with the program curl, as a user."""

    def __init__(self, user: ApiUser, patience: float) -> None:
        self._user = user
        self._patience = patience
        self.session = ""

    def create(self, file: Path) -> dict[str, Any]:
        """Announce a file and return its session."""
        about = {"name": file.name, "bytes": file.stat().st_size, "contentType": TYPES[file.suffix[1:]]}
        session: dict[str, Any] = self._send("POST", "/sessions", {"file": about})
        self.session = f"/sessions/{session['sessionId']}"
        return session

    def put(self, file: Path, upload: dict[str, Any]) -> None:
        """Send the file to the bucket."""
        headers = [f"-HContent-Type: {TYPES[file.suffix[1:]]}"]
        _run("-X", "PUT", upload["url"], *headers, "--data-binary", f"@{file}")

    def load(self) -> dict[str, Any]:
        """Load the file and return the session when it is active."""
        self._finish(self._send("POST", f"{self.session}/load"))
        session: dict[str, Any] = self._send("GET", self.session)
        assert session["state"] == "ACTIVE", session["errors"]
        return session

    def ask(self) -> None:
        self._finish(self._send("POST", f"{self.session}/messages", {"text": QUESTION}))

    def edit(self, sheet: str) -> None:
        self._send("PATCH", f"{self.session}/cells", {"sheet": sheet, "cells": [{"at": "B2", "value": CHANGED}]})

    def undo(self) -> None:
        self._send("POST", f"{self.session}/undo")

    def value(self, sheet: str) -> Any:
        """Return the value of B2."""
        return self._send("GET", f"{self.session}/cells?sheet={sheet}&range=B2")["rows"][0][0]

    def export(self, kind: str, to: Path) -> None:
        """Export the workbook and download it."""
        job = self._finish(self._send("POST", f"{self.session}/exports", {"format": kind}))
        _run(job["result"]["downloadUrl"], "-o", str(to))

    def _finish(self, started: dict[str, Any]) -> dict[str, Any]:
        """Wait for the end of a job and return it."""
        deadline = time.monotonic() + self._patience
        while True:
            job: dict[str, Any] = self._send("GET", f"/jobs/{started['jobId']}")
            if job["status"] in {"completed", "failed", "cancelled"}:
                assert job["status"] == "completed", job["failure"]
                return job
            assert time.monotonic() < deadline, f"{started['jobId']} is still {job['status']}"
            time.sleep(0.1)

    def _send(self, method: str, path: str, body: object = None) -> Any:
        data = [] if body is None else ["-HContent-Type: application/json", "-d", json.dumps(body)]
        url = f"{self._user.stack.api_url}{path}"
        return json.loads(_run("-X", method, url, f"-HAuthorization: Bearer {self._user.token}", *data))["data"]


def _run(*arguments: str) -> bytes:
    return subprocess.run(
        ["curl", "-sS", "--fail-with-body", *arguments],
        check=True,
        capture_output=True,
    ).stdout


def with_curl(user: ApiUser, file: Path, folder: Path, patience: float) -> Figures:
    """Take a file through its whole life with curl, and return the figures."""
    curl = Curl(user, patience)
    figures = Figures(f"curl: {file.name}, {file.stat().st_size / 1e6:.1f} MB")
    session = figures.timed("create a session", "≤ 50 ms", lambda: curl.create(file))
    figures.timed("PUT the file", "–", lambda: curl.put(file, session["upload"]))
    sheet = figures.timed("load request to ACTIVE", LOADED, curl.load)["sheets"][0]
    name = sheet["name"]
    figures.add("cells", f"{sheet['rows'] * sheet['columns']:,}")
    figures.timed("question and answer", "–", curl.ask)
    before = curl.value(name)
    figures.timed("edit one cell", "0.4 s at 200k cells, 2.5 s at 1M", lambda: curl.edit(name))
    figures.timed("undo", "–", curl.undo)
    figures.add("undo brings back the value", str(curl.value(name) == before), "True")
    curl.edit(name)
    figures.timed("export as CSV and download", "–", lambda: curl.export("csv", folder / "export.csv"))
    lines = (folder / "export.csv").read_text(encoding="utf-8-sig").splitlines()
    figures.add("the CSV has the changed value", str(lines[1].split(",")[1] == str(CHANGED)), "True")
    exported = folder / "export.xlsx"
    figures.timed("export as XLSX and download", "–", lambda: curl.export("xlsx", exported))
    check_export(figures, exported.read_bytes(), name, file if file.suffix == ".xlsx" else None)
    return figures


def in_chromium(user: ApiUser, file: Path, folder: Path, patience: float) -> Figures:
    """Take an XLSX file through its whole life in the console's page, and return the figures."""
    exported = folder / "page.xlsx"
    told = subprocess.run(
        [BROWSER, "-m", "tests.bench.sheet_page", user.stack.api_url, user.name, file, exported, str(patience)],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    figures = Figures(f"Chromium: {file.name}, {file.stat().st_size / 1e6:.1f} MB")
    targets = {"dropped to ACTIVE and shown": LOADED}
    for step, seconds in json.loads(told).items():
        figures.add(step, f"{seconds:.2f} s", targets.get(step, "–"))
    check_export(figures, exported.read_bytes(), DATA, file)
    return figures


def main() -> None:
    """Print a table for each way."""
    parser = argparse.ArgumentParser(prog="make bench-sheet-files", description=__doc__)
    parser.add_argument("--xlsx-rows", type=int, default=430_000, help="ten cells each")
    parser.add_argument("--formulas", type=int, default=40_000)
    parser.add_argument("--csv-rows", type=int, default=490_000, help="ten cells each")
    parser.add_argument("--allowance", type=int, default=1, help="factor of the functions' time limits")
    given = parser.parse_args()
    patience = 300.0 * given.allowance
    with (
        tempfile.TemporaryDirectory() as made,
        LocalStack(environment=WITHOUT_RATE_LIMITS, allowance=given.allowance) as stack,
        user_of(stack) as user,
    ):
        folder = Path(made)
        xlsx, text = folder / "bench.xlsx", folder / "bench.csv"
        write_xlsx(xlsx, given.xlsx_rows, given.formulas)
        text.write_bytes(csv_of(given.csv_rows))
        ways: list[Callable[[], Figures]] = [
            lambda: with_curl(user, xlsx, folder, patience),
            lambda: with_curl(user, text, folder, patience),
            lambda: in_chromium(user, xlsx, folder, patience),
        ]
        for way in ways[: 3 if BROWSER.exists() else 2]:
            report(way())


if __name__ == "__main__":
    main()
