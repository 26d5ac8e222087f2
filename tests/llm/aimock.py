"""Start a model server of another project: @copilotkit/aimock (tests/model_oracle)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.layout import ROOT
from tests.patience import PATIENCE

ORACLE = ROOT / "tests/model_oracle"
SERVER = ORACLE / "node_modules/@copilotkit/aimock/dist/cli.js"


@contextmanager
def aimock_with(fixtures: Path) -> Iterator[str]:
    """Yield the OpenAI base URL of a server with the prepared answers in this folder or file.

    Without Node or aimock the test is skipped, but fails where CI=true.
    """
    node = shutil.which("node")
    if node is None or not SERVER.exists():
        reason = "aimock is not installed: it takes node >= 20.15 and `npm ci --prefix tests/model_oracle`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    options = ["--port", "0", "--fixtures", str(fixtures), "--strict", "--validate-on-load"]
    with subprocess.Popen(
        [node, str(SERVER), *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield f"{_announced_origin(process)}/v1"
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def _announced_origin(process: subprocess.Popen[str]) -> str:
    said: list[str] = []
    for line in process.stdout or ():
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise AssertionError(f"aimock did not start: {''.join(said)}")
