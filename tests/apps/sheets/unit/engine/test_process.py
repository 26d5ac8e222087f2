"""The engine's process ends when it must, alone, and tells nothing and leaves nothing."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.apps.sheets.addresses import parse_area
from shared.apps.sheets.engine import process
from shared.apps.sheets.engine.frames import packed
from shared.apps.sheets.engine.process import EngineLimits, ProcessWorkbook
from shared.apps.sheets.ops import CellWrite, FillFormula, WriteCells
from shared.apps.sheets.workbook import EngineGone, SheetErrorCode, UnsupportedFile, WorkbookRefusal
from tests.apps.sheets.engines import patient_engine
from tests.apps.sheets.unit.engine import packages
from tests.patience import PATIENCE

ENDLESS = FillFormula(sheet="Sheet1", range="C1:C2000", formula="=SUMPRODUCT($A$1:$B$1048576*$A$1:$B$1048576)")
WRITE = WriteCells(sheet="Sheet1", cells=(CellWrite(at="C1", value=1),))
GREEDY = WriteCells(sheet="Sheet1", cells=(CellWrite(at="C1", formula="=SUMPRODUCT($D$1:$K$1048576*$D$1:$K$1048576)"),))


@pytest.fixture
def snapshot(tmp_path: Path) -> bytes:
    (tmp_path / "book.csv").write_text("a,b\n1,2\n")
    workbook, _ = patient_engine().load(tmp_path / "book.csv", "csv")
    content = workbook.snapshot()
    workbook.close()
    return content


@pytest.fixture
def workbook(snapshot: bytes) -> Iterator[ProcessWorkbook]:
    opened = patient_engine().open(snapshot)
    yield opened
    opened.close()


def pid_of(workbook: ProcessWorkbook) -> int:
    assert workbook._child is not None
    return workbook._child._process.pid


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_late_calculation_is_stopped_with_its_process(snapshot: bytes) -> None:
    workbook = patient_engine(call_seconds=0.5).open(snapshot)
    pid = pid_of(workbook)

    with pytest.raises(WorkbookRefusal) as refused:
        workbook.apply([ENDLESS])

    assert refused.value.code == SheetErrorCode.CALCULATION_TOO_SLOW
    assert not exists(pid)
    with pytest.raises(EngineGone):
        workbook.read("Sheet1", parse_area("A1"))
    workbook.close()


def test_an_answer_that_came_in_time_is_read_by_a_process_that_was_held_up(
    workbook: ProcessWorkbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, passed = process._Child._send, [0.0]

    def send_and_sleep(child: process._Child, message: bytes, deadline: float) -> None:
        send(child, message, deadline)
        assert select.select([child._stdout], [], [], PATIENCE)[0]
        passed.append(2 * PATIENCE)

    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed[-1]))
    monkeypatch.setattr(process._Child, "_send", send_and_sleep)

    assert workbook.apply([WRITE]).written == 1


def test_a_calculation_that_needs_too_much_memory_ends_alone(snapshot: bytes) -> None:
    workbook = patient_engine(memory=250_000_000).open(snapshot)

    with pytest.raises(WorkbookRefusal) as refused:
        workbook.apply([GREEDY])

    assert refused.value.code == SheetErrorCode.CALCULATION_TOO_LARGE
    with pytest.raises(EngineGone):
        workbook.snapshot()
    workbook.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_another_one_has_killed_is_gone(workbook: ProcessWorkbook, number: signal.Signals) -> None:
    os.kill(pid_of(workbook), number)

    with pytest.raises(EngineGone) as gone:
        workbook.apply([WRITE])

    assert gone.value.killed_by == number.name
    with pytest.raises(EngineGone) as gone:
        workbook.scan(frozenset())
    assert gone.value.killed_by is None


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_process_that_has_crashed_refuses_the_change_and_blames_no_memory(
    workbook: ProcessWorkbook, number: signal.Signals
) -> None:
    os.kill(pid_of(workbook), number)

    with pytest.raises(WorkbookRefusal) as refused:
        workbook.apply([WRITE])

    assert refused.value.code == SheetErrorCode.FORMULA_UNSUPPORTED
    assert number.name in str(refused.value.__cause__)


def test_a_process_that_was_ended_by_its_own_alarm_was_too_slow(workbook: ProcessWorkbook) -> None:
    os.kill(pid_of(workbook), signal.SIGALRM)

    with pytest.raises(WorkbookRefusal) as refused:
        workbook.apply([WRITE])

    assert refused.value.code == SheetErrorCode.CALCULATION_TOO_SLOW


def test_closing_leaves_no_process_and_no_descriptor(snapshot: bytes) -> None:
    gc.collect()  # so that nothing of earlier tests closes its descriptors meanwhile
    before = set(os.listdir("/proc/self/fd"))
    engine = patient_engine()
    pids = []
    for _ in range(3):
        workbook = engine.open(snapshot)
        pids.append(pid_of(workbook))
        workbook.close()
        workbook.close()
    with pytest.raises(UnsupportedFile):
        engine.load(Path("/nowhere/book.xlsx"), "xlsx")

    assert not any(map(exists, pids))
    assert set(os.listdir("/proc/self/fd")) <= before


def test_an_engine_that_cannot_start_is_gone(snapshot: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with pytest.raises(EngineGone):
        patient_engine().open(snapshot)


def test_a_snapshot_that_is_not_opened_in_time_is_not_called_unreadable(snapshot: bytes) -> None:
    with pytest.raises(EngineGone):
        patient_engine(open_seconds=0).open(snapshot)


def test_a_file_that_takes_too_long_also_without_its_formulas_is_refused_for_that(tmp_path: Path) -> None:
    file = packages.workbook(tmp_path / "book.xlsx", '<row r="1"><c r="A1"><v>1</v></c></row>')

    with pytest.raises(UnsupportedFile, match=r"reading its values takes too long\. Split it"):
        patient_engine(load_seconds=0).load(file, "xlsx")


def test_the_process_sees_nothing_of_the_environment(snapshot: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    workbook = patient_engine().open(snapshot)

    assert Path(f"/proc/{pid_of(workbook)}/environ").read_bytes().split(b"\0") == [b"LANG=C.UTF-8", b""]
    workbook.close()


def test_the_process_ends_with_its_parent(snapshot: bytes, tmp_path: Path) -> None:
    (tmp_path / "snapshot").write_bytes(snapshot)
    program = (
        "import sys, pathlib\n"
        "from tests.apps.sheets.engines import patient_engine\n"
        "workbook = patient_engine().open(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "print(workbook._child._process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "snapshot")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    watched = os.pidfd_open(child)

    parent.kill()

    assert parent.wait() == -signal.SIGKILL
    assert _ends(watched)
    parent.stdin.close()
    parent.stdout.close()
    os.close(watched)


def test_a_process_without_a_parent_does_not_outlive_its_deadline(workbook: ProcessWorkbook) -> None:
    assert workbook._child is not None
    watched = os.pidfd_open(pid_of(workbook))
    request = {"call": "apply", "ops": [ENDLESS.model_dump(by_alias=False)], "seconds": 0.01}

    workbook._child._send(packed(request), time.monotonic() + PATIENCE)  # and nothing waits for the answer

    assert _ends(watched)
    os.close(watched)


def _ends(watched: int) -> bool:
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    return bool(poll.poll(PATIENCE * 1000))


def test_limits_can_be_multiplied_but_not_memory() -> None:
    assert EngineLimits(memory=7, call_seconds=2).times(3) == EngineLimits(7, 6, 15, 15, 60, 120, 165)
