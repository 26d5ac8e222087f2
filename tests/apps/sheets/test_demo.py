"""`make demo PIPELINE=sheet` where the environment names a proxy that refuses every connection."""

from __future__ import annotations

import re
import sys

from tests.local.command import CONTROL_CHARACTERS, DEAD_PROXIES, Command
from tests.stack_forks import StackForks

DEMO = [sys.executable, "-m", "local.demo", "--pipeline", "sheet"]


def test_the_demo_asks_changes_undoes_and_exports_a_workbook(stack_forks: StackForks) -> None:
    with Command([*DEMO, "--script", "first_token_ms=0, token_ms=0"], DEAD_PROXIES, forks=stack_forks) as demo:
        output = demo.run()
        assert demo.status == 0, output
        told = " ".join(output.split())
        assert "is ACTIVE: Sales (403 rows), Notes (2 rows)" in told
        assert re.search(r"North \| \d+", output)
        assert "found 1 cell with “late”" in told
        assert "Fill Sales!F4:F403 with =D4 * E4: 400 cells changed" in told
        assert "the whole answer is undone by version 4, which changes Sales!F3:F403" in told
        assert re.search(r"export +[\d,]+ bytes, nothing is lost", output)
        assert told.count("write units") == 4
        assert CONTROL_CHARACTERS.findall(output) == []
        assert demo.processes() == []
