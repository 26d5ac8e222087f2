"""`make demo PIPELINE=suggestion` in an empty environment."""

from __future__ import annotations

import re
import sys

from tests.local.command import CONTROL_CHARACTERS, Command
from tests.stack_forks import StackForks

DEMO = [sys.executable, "-m", "local.demo", "--pipeline", "suggestion"]


def test_the_demo_shows_the_suggestions_and_their_cost_and_leaves_no_process() -> None:
    with Command(DEMO) as demo:
        output = demo.run()
        assert demo.status == 0, output
        assert "scripted local model" in output
        assert re.search(r"202 +job_\w+ accepted in \d+ ms", output)
        assert re.search(
            r"stage +1 of 2: generate suggestions\n(.*%.*\n)+.*stage +2 of 2: validate suggestions", output
        )
        assert re.findall(r"^╭─  (\d)  ", output, re.MULTILINE) == ["1", "2", "3"]
        assert re.search(r"model tokens +\d+ in, \d+ out \(scripted-1\)\nmodel price +free: scripted", output)
        assert re.search(r"DynamoDB +[\d.]+ write units, [\d.]+ read units\nStep Functions +3 state trans", output)
        assert re.search(r"first text +\d+ ms.*\nin all +[\d.]+ s", output)
        assert CONTROL_CHARACTERS.findall(output) == []
        assert not re.search(r" $", output, re.MULTILINE)
        assert demo.processes() == []


def test_the_demo_shows_a_retry_in_plain_ascii_although_the_environment_requests_colours(
    stack_forks: StackForks,
) -> None:
    command = [*DEMO, "--script", "disconnect_after=60, times=1"]
    with Command(command, {"FORCE_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "ascii"}, forks=stack_forks) as demo:
        output = demo.run()
        assert demo.status == 0, output
        assert re.search(r"retry +attempt 2: .*", output)
        assert re.search(r"^.{2}  3  ", output, re.MULTILINE)
        assert CONTROL_CHARACTERS.findall(output) == []
        assert demo.processes() == []
