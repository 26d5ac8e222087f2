"""Start the engine in a separate process, and end it when a call is late or needs too much memory."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.cells import EMPTY, CellContent, cell_of
from shared.apps.sheets.engine.frames import HEAD, OUT_OF_MEMORY, packed
from shared.apps.sheets.engine.version import ENGINE
from shared.apps.sheets.ops import OPS, Op
from shared.apps.sheets.workbook import (
    Applied,
    BlockScan,
    CellAt,
    ChangedRange,
    DefinedName,
    EngineGone,
    LoadReport,
    SheetErrorCode,
    SheetInfo,
    SnapshotUnreadable,
    Table,
    UnsupportedFile,
    WorkbookRefusal,
)

# The packages around the child are empty there: their `__init__` imports what a workbook does not need.
_START = """
import os, sys, types
root, memory, sys.path[:] = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
for name in ("shared", "shared.apps", "shared.apps.sheets", "shared.apps.sheets.engine"):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = [os.path.join(root, *name.split("."))]
from shared.apps.sheets.engine.child import main
main(memory)
"""

_ROOT = Path(__file__).parents[4]
_PIECE = 1 << 20  # bytes

_CRASHES = frozenset({signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV})
"""The signals that a process gets because of what it does itself. Another process sends the others."""

_NO_MEMORY = (b"memory allocation of", b"MemoryError")
"""What Rust and Python print before they end because an allocation has failed."""

_DYING_SECONDS = 5.0
"""How long a process may take to end after it has closed its pipes."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What one workbook may use: seconds of each kind of call, and bytes of the process's address space.

    `load_seconds` is what computing an uploaded file may take; then its values are loaded without formulas, which may
    take as long again.
    """

    memory: int = 1_500_000_000
    call_seconds: float = 10.0
    read_seconds: float = 5.0
    query_seconds: float = 5.0
    open_seconds: float = 20.0
    scan_seconds: float = 40.0
    load_seconds: float = 55.0

    def times(self, factor: float) -> EngineLimits:
        """Return limits with this many times the seconds, and the same memory."""
        seconds = {each.name: factor * getattr(self, each.name) for each in fields(self) if each.name != "memory"}
        return replace(self, **seconds)


class ProcessEngine:
    """The port Engine: every workbook is a process."""

    def __init__(self, limits: EngineLimits | None = None) -> None:
        self._limits = limits or EngineLimits()

    @property
    def version(self) -> str:
        """Return the name and version of the engine."""
        return ENGINE

    def open(self, snapshot: bytes) -> ProcessWorkbook:
        """Return the workbook of a snapshot. Raises SnapshotUnreadable, and EngineGone if the process has ended."""
        workbook = ProcessWorkbook(self._limits)
        try:
            workbook.start({"call": "open"}, snapshot, self._limits.open_seconds)
        except _Failed as error:
            raise SnapshotUnreadable(str(error)) from error
        except WorkbookRefusal as refusal:
            raise EngineGone(f"the snapshot was not opened: {refusal.message}") from refusal
        return workbook

    def load(self, file: Path, format: str) -> tuple[ProcessWorkbook, LoadReport]:  # noqa: A002 - the port's word
        """Load a file that was inspected. Raises UnsupportedFile.

        If the engine cannot load it in time, its values are loaded without formulas.
        """
        try:
            return self._load(file, format, "computed")
        except _Failed as error:
            reason = "the engine cannot read it"
            failure: Exception = error
        except WorkbookRefusal as refusal:
            reason = f"computing it {_need(refusal)}"
            failure = refusal
        if format != "xlsx":
            raise UnsupportedFile(f"The file could not be loaded: {reason}. Split it into smaller files.") from failure
        try:
            workbook, report = self._load(file, format, "values")
        except WorkbookRefusal as refusal:
            raise UnsupportedFile(
                f"The workbook could not be loaded: {reason}, and reading its values {_need(refusal)}. Split it into "
                "smaller files."
            ) from refusal
        except _Failed as error:
            raise UnsupportedFile(
                "The workbook could not be read. Open it in a spreadsheet program, save it as .xlsx, and upload that."
            ) from error
        note = f"The formulas of this workbook are not computed, because {reason}: their values are those of the file."
        return workbook, replace(report, notes=(note, *report.notes))

    def _load(self, file: Path, format: str, mode: str) -> tuple[ProcessWorkbook, LoadReport]:  # noqa: A002
        workbook = ProcessWorkbook(self._limits)
        request = {"call": "load", "path": str(file), "format": format, "mode": mode}
        answer = workbook.start(request, b"", self._limits.load_seconds)
        return workbook, _report(answer)


class ProcessWorkbook:
    """The port Workbook: one workbook in a process."""

    def __init__(self, limits: EngineLimits) -> None:
        self._limits = limits
        self._sheets: tuple[SheetInfo, ...] = ()
        self._names: tuple[DefinedName, ...] = ()
        self._child: _Child | None = _Child(limits.memory)

    def start(self, request: dict[str, Any], binary: bytes, seconds: float) -> dict[str, Any]:
        """Open or load. Raises what `_call` raises, after the process has ended."""
        try:
            answer, _ = self._call(request, binary, seconds)
        except BaseException:
            self.close()
            raise
        return answer

    @property
    def sheets(self) -> Sequence[SheetInfo]:
        """Return the sheets in the workbook's order."""
        return self._sheets

    @property
    def names(self) -> Sequence[DefinedName]:
        """Return the defined names, the first 500 of them."""
        return self._names

    def read(self, sheet: str, area: Area) -> Sequence[Sequence[CellContent]]:
        """Return the cells of the area row by row. Raises WorkbookRefusal (UNKNOWN_SHEET)."""
        corners = (area.first.row, area.first.column, area.last.row, area.last.column)
        answer, _ = self._call({"call": "read", "sheet": sheet, "area": corners}, b"", self._limits.read_seconds)
        rows: list[list[CellContent]] = [[cell_of(cell) for cell in row] for row in answer["rows"]]
        for row in rows:
            row.extend([EMPTY] * (area.columns - len(row)))
        rows.extend([EMPTY] * area.columns for _ in range(area.rows - len(rows)))
        return rows

    def apply(self, ops: Sequence[Op]) -> Applied:
        """Apply the changes in order and compute the workbook again. Raises WorkbookRefusal."""
        content = OPS.dump_python(tuple(ops), by_alias=False)
        try:
            answer, _ = self._call({"call": "apply", "ops": content}, b"", self._limits.call_seconds)
        except _Failed as error:
            raise WorkbookRefusal(
                SheetErrorCode.FORMULA_UNSUPPORTED,
                "the engine failed on this change; the workbook is as it was",
                hint="Write simpler formulas, or change fewer cells at once.",
            ) from error
        return _applied(answer["applied"])

    def query(self, sql: str, *, limit: int) -> Table:
        """Run a SELECT over the sheets. Raises WorkbookRefusal (SQL_ERROR, SQL_REFUSED, CALCULATION_TOO_SLOW)."""
        try:
            request = {"call": "query", "sql": sql, "limit": limit}
            answer, _ = self._call(request, b"", self._limits.query_seconds)
        except _Failed as error:
            raise WorkbookRefusal(SheetErrorCode.SQL_ERROR, "the query cannot be run") from error
        return Table(tuple(answer["columns"]), tuple(map(tuple, answer["rows"])), answer["truncated"])

    def scan(self, known: frozenset[str]) -> BlockScan:
        """Return the digests of all blocks, and the encoded blocks whose digests are not in `known`."""
        answer, binary = self._call({"call": "scan", "known": sorted(known)}, b"", self._limits.scan_seconds)
        digests: dict[int, dict[tuple[int, int], str]] = {info.id: {} for info in self._sheets}
        for sheet, row, column, digest in answer["digests"]:
            digests[sheet][row, column] = digest
        new: dict[str, bytes] = {}
        start = 0
        for digest, length in answer["new"]:
            new[digest] = binary[start : start + length]
            start += length
        return BlockScan(digests, new)

    def snapshot(self) -> bytes:
        """Return what `Engine.open` needs to have this workbook again."""
        _, binary = self._call({"call": "snapshot"}, b"", self._limits.scan_seconds)
        return binary

    def filled(self, sheet: str, cells: Sequence[Cell]) -> Sequence[Area]:
        """Return for each cell the area that its formula fills: the cell alone if the formula is no array."""
        request = {"call": "filled", "sheet": sheet, "cells": [(cell.row, cell.column) for cell in cells]}
        answer, _ = self._call(request, b"", self._limits.scan_seconds)
        return [
            Area(cell, Cell(cell.row + rows - 1, cell.column + columns - 1))
            for cell, (rows, columns) in zip(cells, answer["sizes"], strict=True)
        ]

    def write_xlsx(self, file: Path) -> None:
        """Write the workbook to an XLSX file, which must not exist."""
        self._call({"call": "write", "path": str(file)}, b"", self._limits.scan_seconds)

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _call(self, request: dict[str, Any], binary: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        if self._child is None:
            raise EngineGone("the workbook's process has ended")
        try:
            answer, body = self._child.ask(request, binary, seconds)
        except BaseException:
            self.close()
            raise
        if "refused" in answer:
            code, message, hint = answer["refused"]
            raise WorkbookRefusal(SheetErrorCode(code), message, hint=hint)
        if "unsupported" in answer:
            raise UnsupportedFile(answer["unsupported"])
        if "failed" in answer:
            if request["call"] not in {"apply", "query"}:  # these leave the workbook as it was
                self.close()
            raise _Failed(answer["failed"])
        if "sheets" in answer:
            self._sheets = tuple(SheetInfo(**info) for info in answer["sheets"])
            self._names = tuple(DefinedName(*name) for name in answer["names"])
        return answer, body


class _Failed(EngineGone):
    """The engine failed in a way that it was not made for, such as a panic."""


class _Child:
    """A process and its two pipes."""

    def __init__(self, memory: int) -> None:
        paths = [path for path in sys.path if path and Path(path).exists()]
        # What the process prints says why it ends. If it prints more than the pipe holds, the rest is lost.
        self._stderr, stderr = os.pipe()
        os.set_blocking(stderr, False)
        try:
            # Nothing of the environment: it has credentials, and the child reads files of strangers.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [sys.executable, "-I", "-S", "-c", _START, str(_ROOT), str(memory), *paths],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={"LANG": "C.UTF-8"},
                bufsize=0,
            )
        except OSError as error:
            os.close(self._stderr)
            raise EngineGone(f"the engine's process cannot be started: {error}") from error
        finally:
            os.close(stderr)
        os.set_blocking(self._stdin, False)

    def ask(self, request: dict[str, Any], binary: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        """Send a request and return its answer. After an error the process has ended, or its answer is late.

        Raises:
            WorkbookRefusal: the answer is late, or the process has needed more memory than it may use.
            _Failed: the process has crashed.
            EngineGone: another process has killed it.
        """
        deadline = time.monotonic() + seconds
        try:
            self._send(packed({**request, "seconds": seconds}, binary), deadline)
            length, body = HEAD.unpack(self._receive(HEAD.size, deadline))
            answer: dict[str, Any] = json.loads(bytes(self._receive(length, deadline)))
            return answer, bytes(self._receive(body, deadline))
        except TimeoutError as error:
            raise _too_slow(seconds) from error
        except (EOFError, BrokenPipeError) as error:
            raise self._death(seconds) from error

    def _death(self, seconds: float) -> WorkbookRefusal | EngineGone:
        """Return why the process has ended during a call of this many seconds."""
        try:
            status = self._process.wait(_DYING_SECONDS)
        except subprocess.TimeoutExpired:
            return EngineGone("the engine's process has closed its pipes and does not end")
        printed = self._printed()
        if status == OUT_OF_MEMORY or any(text in printed for text in _NO_MEMORY):
            return WorkbookRefusal(
                SheetErrorCode.CALCULATION_TOO_LARGE,
                "the calculation needed more memory than there is",
                hint="Refer to fewer cells, or change fewer cells at once.",
            )
        if status >= 0:
            return _Failed(f"the engine's process has ended with the status {status}")
        if -status == signal.SIGALRM:
            return _too_slow(seconds)
        name = signal.Signals(-status).name
        if -status in _CRASHES:
            return _Failed(f"the engine's process has crashed with {name}")
        return EngineGone(f"the engine's process was killed by {name}", killed_by=name)

    def _printed(self) -> bytes:
        """Return what the ended process has printed."""
        printed = bytearray()
        while piece := os.read(self._stderr, _PIECE):
            printed += piece
        return bytes(printed)

    def end(self) -> None:
        """Kill the process and wait for it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        os.close(self._stderr)

    @property
    def _stdin(self) -> int:
        return self._process.stdin.fileno() if self._process.stdin is not None else -1

    @property
    def _stdout(self) -> int:
        return self._process.stdout.fileno() if self._process.stdout is not None else -1

    def _send(self, message: bytes, deadline: float) -> None:
        rest = memoryview(message)
        while rest:
            self._wait(self._stdin, select.POLLOUT, deadline)
            rest = rest[os.write(self._stdin, rest[:_PIECE]) :]

    def _receive(self, length: int, deadline: float) -> bytearray:
        received = bytearray()
        while len(received) < length:
            self._wait(self._stdout, select.POLLIN, deadline)
            piece = os.read(self._stdout, min(_PIECE, length - len(received)))
            if not piece:
                raise EOFError
            received += piece
        return received

    @staticmethod
    def _wait(descriptor: int, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        # If this process was held up, what is ready now was ready in time.
        left = max(0.0, deadline - time.monotonic())
        if not poll.poll(left * 1000):
            raise TimeoutError


def _too_slow(seconds: float) -> WorkbookRefusal:
    return WorkbookRefusal(
        SheetErrorCode.CALCULATION_TOO_SLOW,
        f"the calculation was stopped after {seconds:g} seconds",
        hint="Refer to fewer cells, such as A1:A500 instead of A:A, or change fewer cells at once.",
    )


def _need(refusal: WorkbookRefusal) -> str:
    """Return what a call that was ended had needed."""
    return "takes too long" if refusal.code == SheetErrorCode.CALCULATION_TOO_SLOW else "needs too much memory"


def _applied(answer: Mapping[str, Any]) -> Applied:
    return Applied(
        changed=tuple(ChangedRange(sheet=sheet, range=area, cells=cells) for sheet, area, cells in answer["changed"]),
        written=answer["written"],
        recalculated=answer["recalculated"],
        preview=_cells_at(answer["preview"]),
        errors_introduced=_cells_at(answer["errors_introduced"]),
        errors=answer["errors"],
    )


def _cells_at(cells: Sequence[Any]) -> tuple[CellAt, ...]:
    return tuple(CellAt(sheet, Cell(row, column), cell_of(content)) for sheet, row, column, content in cells)


def _report(answer: Mapping[str, Any]) -> LoadReport:
    report = answer["report"]
    return LoadReport(
        mode=report["mode"],
        engine=answer["engine"],
        judged=report["judged"],
        mismatches=report["mismatches"],
        frozen=report["frozen"],
        differences=tuple(report["differences"]),
        notes=tuple(report["notes"]),
    )
