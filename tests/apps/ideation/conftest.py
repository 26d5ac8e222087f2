"""The fixture that stores an ideation job for the tests of the application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.jobs.job import Job
from tests.api_user import AT_ONCE
from tests.apps.ideation.requests import job_input


@pytest.fixture
def put_ideation(put: Callable[..., Job]) -> Callable[..., Job]:
    """`put_ideation(script, arrangement="rank")` stores the job that the events name, but no run."""

    def store(script: str = AT_ONCE, **fields: Any) -> Job:
        return put("ideation", {**job_input(script), **fields})

    return store
