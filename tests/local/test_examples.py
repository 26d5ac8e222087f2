"""The scripts in `examples/curl` do what they say, against the local stack."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from tests.api_user import ApiUser
from tests.local.command import ROOT
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")


def test_the_curl_example_watches_its_job_to_the_end_and_prints_the_result(user: ApiUser) -> None:
    ran = subprocess.run(
        [ROOT / "examples/curl/create_and_watch.sh"],
        env={"PATH": os.environ["PATH"], "API": user.stack.api_url, "TOKEN": user.token},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode == 0, ran.stderr
    stream, result = ran.stdout.split("event: complete\n")
    assert stream.count("event: connected\n") == 1
    assert "event: delta\n" in stream
    assert json.loads(result[result.index("\n{\n") :])["suggestions"]


def test_the_curl_example_says_what_is_missing() -> None:
    ran = subprocess.run(
        [ROOT / "examples/curl/create_and_watch.sh"],
        env={"PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ran.returncode != 0
    assert "set API to the base URL of the HTTP API" in ran.stderr
