"""Compile the product and tests, as `python -m tests.byte_code PART OF FOLDERS…`: the PART-th of OF parts, from 0.

The folders are those of the tests. Each worker of a run imports all files at the same time, so in a new clone each one
would compile them, and pytest rewrites the assertions of tests before, which takes most of the time.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from _pytest.assertion import rewrite

from tests.layout import ROOT

FOLDERS = ("shared", "functions", "local", "tools", "tests", "clients/python/src")
OF_ANOTHER_RUN = ROOT / "tests/browser"


def compile_all(tests: Sequence[str]) -> None:
    """Compile all files but other tests, with one process for each processor, unless Python may write no byte code.

    `tests` are the arguments of pytest: paths from the root, or the ids of tests.
    """
    if sys.dont_write_bytecode:
        return
    of = os.cpu_count() or 1
    folders = [each.partition("::")[0] for each in tests]
    command = [sys.executable, "-m", "tests.byte_code"]
    parts = [subprocess.Popen([*command, str(part), str(of), *folders], cwd=ROOT) for part in range(of)]
    for part in parts:
        part.wait()


def main() -> None:
    """Compile a part of the files; a file that cannot be compiled is left to the test that imports it."""
    part, of, *tests = sys.argv[1:]
    files = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    used = [file for file in files if is_used(file, [ROOT / each for each in tests])]
    for file in used[int(part) :: int(of)]:
        if is_rewritten(file):
            _rewrite(file)
        else:
            compileall.compile_file(str(file), quiet=2)


def is_used(file: Path, tests: Sequence[Path]) -> bool:
    """Return whether a run of these folders or files may import the file: any but the tests of others."""
    if "node_modules" in file.parts:
        return False
    if OF_ANOTHER_RUN in file.parents and not any(OF_ANOTHER_RUN in (each, *each.parents) for each in tests):
        return False
    return not file.name.startswith("test_") or any(each in (file, *file.parents) for each in tests)


def is_rewritten(file: Path) -> bool:
    """Return whether pytest imports the file itself: a test, a conftest.py, or one of the plugins in tests/fixtures."""
    return file.name.startswith("test_") or file.name == "conftest.py" or file.parent.name == "fixtures"


def _rewrite(file: Path) -> None:
    """Write what pytest writes when it imports the file; see `AssertionRewritingHook.exec_module`."""
    folder = rewrite.get_cache_dir(file)
    compiled = folder / f"{file.stem}{rewrite.PYC_TAIL}"
    if rewrite._read_pyc(file, compiled) is not None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    try:
        status, code = rewrite._rewrite_test(file, None)  # type: ignore[arg-type]  # for an option that is not set
    except SyntaxError:
        return
    rewrite._write_pyc(SimpleNamespace(trace=print), code, status, compiled)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
