"""The stages of the ideation pipeline on the events of `events/`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import ModelRateLimited
from shared.jobs.job import Job
from shared.storage.jobs import DynamoJobStore
from tests.fixtures.functions import Handle, done, stored

STAGES = ["prepare_ideas", "generate_ideas", "arrange_ideas"]


def test_an_ideation_job_passes_through_its_stages(
    handle: Handle, put_ideation: Callable[..., Job], jobs: DynamoJobStore
) -> None:
    put_ideation(arrangement="rank")

    assert handle("prepare_ideas.first_attempt") == done("prepare_ideas")
    assert handle("generate_ideas.first_attempt") == done("generate_ideas")
    assert handle("arrange_ideas.first_attempt") == done("arrange_ideas")

    assert list(stored(jobs).checkpoints) == STAGES
    assert stored(jobs).progress == 99


def test_a_retry_finishes_each_stage_of_an_ideation_job(
    handle: Handle, put_ideation: Callable[..., Job], jobs: DynamoJobStore
) -> None:
    put_ideation("status=429, times=1, token_ms=0", arrangement="group")

    assert handle("prepare_ideas.retry") == done("prepare_ideas")
    with pytest.raises(ModelRateLimited):
        handle("generate_ideas.first_attempt")
    assert handle("generate_ideas.retry") == done("generate_ideas")
    assert handle("arrange_ideas.retry") == done("arrange_ideas")

    assert stored(jobs).retry_count == 3
