"""The one stack of these tests: its functions are processes, and its model is the scripted one or aimock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from local.model.control import ModelControl
from local.stack import LocalStack
from tests.api_user import STREAM_WINDOW_SECONDS
from tests.apps.research.model_relay import ModelRelay
from tests.layout import ROOT
from tests.patience import ALLOWANCE, WITHOUT_TOKEN_TIMEOUT


@pytest.fixture(scope="session")
def scripted_model() -> Iterator[str]:
    """The URL of a scripted model."""
    command = [sys.executable, "-m", "local.model.server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield str(json.loads(server.stdout.readline())["url"])
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def relay(scripted_model: str) -> Iterator[ModelRelay]:
    with ModelRelay(scripted_model) as running:
        yield running


@pytest.fixture(scope="session")
def stack(relay: ModelRelay) -> Iterator[LocalStack]:
    environment = {
        "JOB_CREATIONS_PER_MINUTE": "100000",
        "STREAM_WINDOW_SECONDS": str(STREAM_WINDOW_SECONDS),
        **WITHOUT_TOKEN_TIMEOUT,
    }
    with LocalStack("processes", model_url=f"{relay.url}/v1", environment=environment, allowance=ALLOWANCE) as started:
        yield started
        assert started.accesses()["refused"] == []


@pytest.fixture
def model(scripted_model: str) -> Iterator[ModelControl]:
    with ModelControl(scripted_model) as control:
        yield control
