"""`make demo PIPELINE=render` where the environment names a proxy that refuses every connection."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from shared.apps.video.rendering import programs
from tests.local.command import CONTROL_CHARACTERS, DEAD_PROXIES, Command, left_in
from tests.stack_forks import StackForks

pytestmark = pytest.mark.skipif(bool(programs.missing()), reason="renders need Chromium and PyAV: make render")
DEMO = [sys.executable, "-m", "local.demo", "--pipeline", "render", "--script", "first_token_ms=0, token_ms=0"]


def test_the_demo_fills_a_project_renders_it_and_saves_the_file(tmp_path: Path, stack_forks: StackForks) -> None:
    with Command(DEMO, {**DEAD_PROXIES, "TMPDIR": str(tmp_path)}, forks=stack_forks) as demo:
        output = demo.run()
        assert demo.status == 0, output
        told = " ".join(output.split())
        assert "revision 2: 180 frames, 6 s at 30 frames per second" in told
        assert sorted(re.findall(r"chunk (\d) of 3: 60 frames", told)) == ["1", "2", "3"]
        assert "640 x 360, 180 frames, 6 s" in told
        (file,) = tmp_path.glob("millrace-*/tidewater.mp4")
        assert file.read_bytes()[4:8] == b"ftyp"
        assert "0 tokens in, 0 out" in told  # of the render alone
        assert CONTROL_CHARACTERS.findall(output) == []
        assert demo.processes() == []
    assert left_in(tmp_path) == [file.parent]
