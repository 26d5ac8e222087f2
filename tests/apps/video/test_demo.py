"""`make demo PIPELINE=video` where the environment names a proxy that refuses every connection."""

from __future__ import annotations

import re
import sys

from tests.apps.video.compiler_lane import require_compiler
from tests.local.command import CONTROL_CHARACTERS, DEAD_PROXIES, Command
from tests.stack_forks import StackForks

DEMO = [sys.executable, "-m", "local.demo", "--pipeline", "video"]


def test_the_demo_makes_a_video_changes_it_without_a_model_repairs_and_undoes(stack_forks: StackForks) -> None:
    require_compiler()
    with Command([*DEMO, "--script", "first_token_ms=0, token_ms=0"], DEAD_PROXIES, forks=stack_forks) as demo:
        output = demo.run()
        assert demo.status == 0, output
        told = " ".join(output.split())
        assert [name for name in ("Logo", "List 2", "Split 3") if f"saved “{name}”" in told] == [
            "Logo",
            "List 2",
            "Split 3",
        ]
        assert "#0ea5e9" in output  # the colour of the image, which the model has seen
        assert "revision 3: changed “List 2”" in told
        assert "0 tokens in, 0 out" in told
        assert re.search(r"error +line \d+, column \d+: .*undefinedName", output)
        assert "revision 4: added “Bars”" in told
        assert "revision 4 is undone by revision 5, which has 3 scenes" in told
        assert CONTROL_CHARACTERS.findall(output) == []
        assert demo.processes() == []
