"""Run the applications in `examples/`, in a temporary copy of the repository that they are installed in."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from local.child import RUN_DIRECTORY
from local.interrupts import interrupts_deferred
from local.stack import ROOT

EXAMPLES: Final = ROOT / "examples"
_COPIED: Final = ("functions", "infra", "local", "shared", "statemachines", "tools", "template.yaml")
"""What an application is added to, and what runs it."""

_LINKED: Final = (".venv-video", ".venv-render")
"""The packages that functions of layers have besides (`local/lambda_/layers.py`), where they are installed."""

_LEFT_OUT: Final = ("node_modules", "target")
"""Programs of others that tests use."""


def examples() -> list[str]:
    """Return the names of the examples that have a demo, sorted."""
    return sorted(folder.parents[2].name for folder in EXAMPLES.glob("*/local/demo/apps"))


def run_example(name: str, arguments: Sequence[str]) -> int:
    """Run `python -m local.demo` with these arguments in the copy, and return its exit status.

    The copy is removed at the end, however the demo ends. Raises KeyboardInterrupt during the preparation only: later
    the demo itself gets the signal.
    """
    with repository_with([name]) as copy:
        return run_there(copy, "local.demo", *arguments)


@contextlib.contextmanager
def repository_with(names: Sequence[str], *folders: str) -> Iterator[Path]:
    """Yield a temporary copy of the repository in which these examples are installed; `folders` are copied as well."""
    with contextlib.ExitStack() as closing:
        with interrupts_deferred():
            temporary = tempfile.TemporaryDirectory(prefix="millrace-example-", ignore_cleanup_errors=True)
            copy = Path(closing.enter_context(temporary)) / "millrace"
        _copy_repository(copy, (*_COPIED, *folders))
        for name in names:
            install = [sys.executable, "-m", "tools.new_application", "--from", str(EXAMPLES / name)]
            subprocess.run(install, cwd=copy, check=True, stdout=subprocess.DEVNULL)
        yield copy


def _copy_repository(copy: Path, names: Sequence[str]) -> None:
    copy.mkdir()
    for name in names:
        source = ROOT / name
        if source.is_dir():
            # Also the byte code: copies keep the times that it is checked by.
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        else:
            shutil.copy2(source, copy / name)
    for name in _LINKED:
        if (ROOT / name).is_dir():
            (copy / name).symlink_to((ROOT / name).resolve())


def run_there(copy: Path, module: str, *arguments: str) -> int:
    """Run the module in the copy and return its exit status.

    It is a child in a separate session, so that it gets each signal once: from here.
    """
    command = [sys.executable, "-m", "local.child", module, *arguments]
    environment = {**os.environ, RUN_DIRECTORY: str(copy.parent)}
    with interrupts_deferred() as interrupts:
        child = subprocess.Popen(command, cwd=copy, env=environment, stdin=subprocess.PIPE, start_new_session=True)
        interrupts.pass_to(child.send_signal)
        status = child.wait()
    return status if status >= 0 else 128 - status
