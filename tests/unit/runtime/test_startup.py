"""What a start leaves for later."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from shared.runtime import startup


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    startup.finish.cache_clear()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)
    startup.finish.cache_clear()


def test_while_a_function_starts_the_collector_has_as_good_as_nothing_to_do() -> None:
    startup.begin()

    assert gc.isenabled()
    assert gc.get_threshold()[0] == 500_000


def test_after_the_first_answer_the_collector_is_as_python_has_it_and_leaves_alone_what_was_made() -> None:
    startup.begin()
    startup.finish()

    assert gc.get_threshold()[0] < 500_000
    assert gc.get_freeze_count() > 10_000


def test_models_that_nobody_has_used_are_not_built() -> None:
    imports = "import functions.jobs.get_job.app; from fastapi.openapi.models import OpenAPI"
    program = f"{imports}; print(OpenAPI.__pydantic_complete__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
