"""The garbage collector and the data models during a function's start."""

from __future__ import annotations

import gc
import subprocess
import sys
import typing
from collections.abc import Iterator

import pytest

from shared.runtime import startup


@pytest.fixture(autouse=True)
def _reset_collector() -> Iterator[None]:
    threshold = gc.get_threshold()
    gc.unfreeze()  # what tests/conftest.py has frozen
    startup.finish.cache_clear()
    yield
    gc.freeze()
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


def test_equal_annotations_are_compiled_once_during_the_start_only() -> None:
    startup.begin()
    first, second = typing.ForwardRef("dict[str, int]"), typing.ForwardRef("dict[str, int]")
    assert first.__forward_code__ is second.__forward_code__

    startup.finish()
    startup.finish()
    third, fourth = typing.ForwardRef("dict[str, int]"), typing.ForwardRef("dict[str, int]")
    assert third.__forward_code__ is not fourth.__forward_code__


UNBUILT = """
import functions.jobs.get_job.app
from pydantic import BaseModel
from fastapi.openapi.models import Encoding, OpenAPI, Operation, Schema
print([model.__pydantic_complete__ for model in (OpenAPI, Schema, Operation, Encoding)])
"""
USED = """
operation = {"responses": {"200": {"description": "OK"}}}
callback = {"/called": {"post": operation}}
document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}}
document["paths"] = {"/a": {"get": {**operation, "callbacks": {"called": callback}}}}
assert OpenAPI(**document).model_dump(exclude_none=True) == document

class Later(BaseModel):
    next: "Later | None" = None

Later.model_rebuild()
print(Later.__pydantic_complete__)
"""


@pytest.mark.parametrize(
    ("program", "printed"), [(UNBUILT, "[False, False, False, False]\n"), (UNBUILT + USED, "True\n")]
)
def test_fastapis_data_models_are_built_when_they_are_first_used(program: str, printed: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout[-len(printed) :], done.stderr) == (printed, "")
