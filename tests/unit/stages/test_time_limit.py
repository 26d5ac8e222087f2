"""The time limit of a stage, and the waits that a provider asks for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.clock import ending_in, seconds_left
from shared.errors import (
    ErrorCode,
    MillraceError,
    ModelRateLimited,
    ModelUnavailable,
    StageTimedOut,
    StageUnfinished,
    StorageThrottled,
)
from shared.stages import time_limit
from shared.stages.stage import StageContext
from shared.stages.time_limit import LONGEST_WAIT, MARGIN_SECONDS, wait_as_told
from tests.fakes.core import FakeCore, ScriptedStage, a_request, fails, says

NO_TIME = MARGIN_SECONDS - 1


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the waits instead of waiting."""
    recorded: list[float] = []

    async def record(seconds: float) -> None:
        recorded.append(seconds)

    monkeypatch.setattr(time_limit, "_sleep", record)
    return recorded


def told(fault: MillraceError, seconds: float | None) -> MillraceError:
    assert isinstance(fault, ModelRateLimited | ModelUnavailable)
    fault.retry_after = seconds
    return fault


async def never_ends(context: StageContext) -> dict[str, Any]:
    context.output.write("half")
    await asyncio.sleep(60)
    return {}


async def stores_an_item_and_never_ends(context: StageContext) -> dict[str, Any]:
    context.items["line-1"] = {"line": "a"}  # as add_item does in the end
    return await never_ends(context)


def test_a_stage_that_reaches_its_time_limit_fails_with_this_reason_and_is_not_retried() -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    with ending_in(NO_TIME), pytest.raises(StageTimedOut):
        core.run(ScriptedStage("draft", never_ends), job)
    fault = core.job(job.id).last_fault
    assert fault is not None
    assert (fault.code, fault.retryable) == (ErrorCode.STAGE_TIMEOUT, False)
    assert "time limit" in fault.message


def test_a_stage_that_stored_an_item_in_its_time_continues_in_the_next_attempt() -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    stage = ScriptedStage("draft", stores_an_item_and_never_ends, never_ends, says("end"))
    with ending_in(NO_TIME):
        with pytest.raises(StageUnfinished):
            core.run(stage, job)
        with pytest.raises(StageTimedOut):  # no further item
            core.run(stage, job, retry=1)
    core.run(stage, job, retry=2)
    assert core.transcript(job).text.endswith("end")


def test_a_timeout_of_the_stages_own_is_no_time_limit() -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    with ending_in(60), pytest.raises(MillraceError) as raised:
        core.run(ScriptedStage("draft", fails(TimeoutError())), job)
    assert raised.value.code is ErrorCode.INTERNAL_ERROR


def test_an_invocation_without_an_end_has_no_time_limit() -> None:
    assert seconds_left() is None
    with ending_in(3600):
        left = seconds_left()
        assert left is not None
        assert 0 < left <= 3600
    assert seconds_left() is None


def test_an_attempt_waits_as_its_provider_says_after_it_has_stored_the_fault(waits: list[float]) -> None:
    core = FakeCore()
    job = core.job_creation.create("ada", a_request())
    fault = told(ModelRateLimited("limited"), 20.0)
    with pytest.raises(ModelRateLimited):
        core.run(ScriptedStage("draft", fails(fault)), job)
    assert waits == [20.0]
    stored = core.job(job.id).last_fault
    assert stored is not None
    assert stored.code is ErrorCode.MODEL_RATE_LIMITED


@pytest.mark.parametrize(
    ("fault", "seconds_left", "expected"),
    [
        (told(ModelRateLimited("x"), None), 300, []),
        (told(ModelRateLimited("x"), 0.0), 300, []),
        (told(ModelUnavailable("x"), 7.0), 300, [7.0]),
        (told(ModelRateLimited("x"), 3600.0), 300, [LONGEST_WAIT]),
        (StorageThrottled("x"), 300, []),
    ],
)
def test_a_wait_has_bounds(
    fault: MillraceError, seconds_left: float, expected: list[float], waits: list[float]
) -> None:
    with ending_in(seconds_left):
        asyncio.run(wait_as_told(fault))
    assert waits == expected


def test_a_wait_ends_before_the_invocation(waits: list[float]) -> None:
    with ending_in(30):
        asyncio.run(wait_as_told(told(ModelRateLimited("x"), 60.0)))
    assert len(waits) == 1
    assert waits[0] <= 30 - MARGIN_SECONDS
