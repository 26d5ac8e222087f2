"""Run the demo of an application in `examples/`, in a temporary copy of the repository that the example is added to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from local.child import RUN_DIRECTORY
from local.stack import ROOT

EXAMPLES: Final = ROOT / "examples"
_COPIED: Final = ("functions", "infra", "local", "shared", "statemachines", "tools", "template.yaml")
"""What an application is added to, and what runs it."""


def examples() -> list[str]:
    """Return the names of the examples that have a demo, sorted."""
    return sorted(folder.parents[2].name for folder in EXAMPLES.glob("*/local/demo/apps"))


def run_example(name: str, arguments: Sequence[str]) -> int:
    """Run `python -m local.demo` with these arguments in the copy, and return its exit status.

    The copy is removed at the end, however the demo ends. Raises KeyboardInterrupt during the preparation only: later
    the demo itself gets the signal.
    """
    with tempfile.TemporaryDirectory(prefix="millrace-example-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "millrace"
        _copy_repository(copy)
        install = [sys.executable, "-m", "tools.new_application", "--from", str(EXAMPLES / name)]
        subprocess.run(install, cwd=copy, check=True, stdout=subprocess.DEVNULL)
        return _run_demo(copy, arguments)


def _copy_repository(copy: Path) -> None:
    copy.mkdir()
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name)  # also the byte code: copies keep the times that it is checked by
        else:
            shutil.copy2(source, copy / name)


def _run_demo(copy: Path, arguments: Sequence[str]) -> int:
    """Run the demo as a child in a separate session, so that it gets each signal once: from here."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "local.child", "local.demo", *arguments],
        cwd=copy,
        env={**os.environ, RUN_DIRECTORY: str(copy.parent)},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )

    def pass_on(number: int, _frame: FrameType | None) -> None:
        demo.send_signal(number)

    previous = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = demo.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status
