"""The garbage collector and the data models during a function's start."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from shared.runtime import startup


@pytest.fixture(autouse=True)
def _reset_collector() -> Iterator[None]:
    threshold = gc.get_threshold()
    startup.finish.cache_clear()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)
    startup.finish.cache_clear()


def test_the_garbage_collector_rarely_runs_during_the_start() -> None:
    startup.begin()

    assert gc.isenabled()
    assert gc.get_threshold()[0] == 500_000


def test_the_collector_has_its_usual_threshold_after_the_first_response_and_ignores_earlier_objects() -> None:
    startup.begin()
    startup.finish()

    assert gc.get_threshold()[0] < 500_000
    assert gc.get_freeze_count() > 10_000


def test_fastapis_unused_data_models_are_not_built() -> None:
    imports = "import functions.jobs.get_job.app; from fastapi.openapi.models import OpenAPI"
    program = f"{imports}; print(OpenAPI.__pydantic_complete__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
