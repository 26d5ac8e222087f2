"""The stage `write_haiku` on its events."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import InvalidModelOutput, ModelRateLimited
from shared.jobs.job import Job
from tests.fixtures.functions import Handle, done


def test_a_retry_finishes_the_stage_after_a_transient_fault(handle: Handle, put: Callable[..., Job]) -> None:
    put("haiku", {"topic": "rivers [[script: status=429, times=1]]"})

    with pytest.raises(ModelRateLimited):
        handle("write_haiku.first_attempt")

    assert handle("write_haiku.retry") == done("write_haiku")


def test_output_that_does_not_fit_fails_the_job(handle: Handle, put: Callable[..., Job]) -> None:
    put("haiku", {"topic": "rivers [[script: invalid_json]]"})

    with pytest.raises(InvalidModelOutput, match="the model's output is not valid"):
        handle("write_haiku.first_attempt")
