"""The cases of the Powertools bench."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.cold.powertools import CASES, environment, program
from tests.layout import ROOT


def test_every_case_runs_and_prints_three_figures() -> None:
    """In one process, so the figures mean nothing here."""
    programs = "\n".join(program(case).replace("range(500)", "range(1)") for case in CASES)
    done = subprocess.run(
        [sys.executable, "-c", programs], env=environment(str(ROOT)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = [line.split() for line in done.stderr.splitlines() if line[:1].isdigit()]
    assert [len(each) for each in figures] == [3] * len(CASES)
