"""`make demo PIPELINE=ideation` where the environment names a proxy that refuses every connection."""

from __future__ import annotations

import re
import sys

from tests.local.command import CONTROL_CHARACTERS, DEAD_PROXIES, Command
from tests.stack_forks import StackForks

DEMO = [sys.executable, "-m", "local.demo", "--pipeline", "ideation"]


def test_the_demo_shows_a_run_from_two_processes_and_reads_it_again_after_its_job_has_expired(
    stack_forks: StackForks,
) -> None:
    with Command([*DEMO, "--script", "first_token_ms=0, token_ms=1"], DEAD_PROXIES, forks=stack_forks) as demo:
        output = demo.run()
        assert demo.status == 0, output
        assert re.findall(r"idea +(\d+) of 10: Cozy", output) == [str(number) for number in range(1, 11)]
        assert re.search(r"10 of 10: Cozy 5/5, Oceans 3/3, History 2/2", output)
        assert re.search(r"joined +a second process begins to watch after 5 ideas", output)
        told = " ".join(output.split())
        assert re.search(r"received the same \d+ events in the same order: \d+ stored, [1-9]\d* live", told)
        assert re.search(r"run http://\S+/ideations/run_\w+ its job has expired", told)
        assert "the run stays completed, with 10 ideas: Cozy 5, Oceans 3, History 2" in told
        assert CONTROL_CHARACTERS.findall(output) == []
        assert demo.processes() == []
