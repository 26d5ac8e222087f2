"""The Python client runs jobs on the local stack: with asyncio and without, over retries, and with refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from millrace_client import AsyncMillrace, JobCancelled, JobFailed, Millrace, Refused, WatchedEvent, models

from tests.api_user import AT_ONCE, ApiUser
from tests.apps.suggestions.requests import FIELDS


def fields(script: str = AT_ONCE) -> models.SuggestionInput:
    return models.SuggestionInput.model_validate({**FIELDS, "additionalContext": f"[[script: {script}]]"})


@contextmanager
def millrace_of(user: ApiUser) -> Iterator[Millrace]:
    with httpx.Client(trust_env=False, verify=False) as http:
        yield Millrace(user.stack.api_url, user.token, http=http)


def test_a_job_runs_and_its_result_and_events_are_what_the_api_says(user: ApiUser) -> None:
    with millrace_of(user) as millrace:
        watch = millrace.start_job("suggestion", fields())
        events = list(watch)
        job = millrace.get_job(watch.job_id)

    assert [each.id for each in events] == list(range(1, job.last_event_id + 1))
    assert (job.status, job.result, job.text) == ("completed", watch.view.result, watch.view.text)
    assert isinstance(events[-1].event, models.Complete)


def test_text_that_a_failed_attempt_wrote_is_taken_back(user: ApiUser) -> None:
    with millrace_of(user) as millrace:
        watch = millrace.start_job("suggestion", fields(f"{AT_ONCE}, disconnect_after=5, times=1"))
        result = watch.result()

        assert millrace.get_job(watch.job_id).text == watch.view.text
    assert result["suggestions"]
    assert [each.attempt for each in watch.view.resets] == [2]


def test_the_asynchronous_client_runs_several_jobs_at_once(user: ApiUser) -> None:
    async def token(_: str | None) -> str:
        return user.token

    async def last_event(millrace: AsyncMillrace) -> WatchedEvent:
        watch = await millrace.start_job("suggestion", fields())
        return [event async for event in watch][-1]

    async def run() -> tuple[WatchedEvent, WatchedEvent]:
        async with (
            httpx.AsyncClient(trust_env=False, verify=False) as http,
            AsyncMillrace(user.stack.api_url, token, http=http) as millrace,
        ):
            return await asyncio.gather(last_event(millrace), last_event(millrace))

    assert [each.event.type for each in asyncio.run(run())] == ["complete", "complete"]


def test_jobs_that_fail_or_are_cancelled_are_errors_of_their_kind(user: ApiUser) -> None:
    with millrace_of(user) as millrace:
        with pytest.raises(JobFailed) as failed:
            millrace.run_job("suggestion", fields(f"{AT_ONCE}, refusal"))
        assert failed.value.failure.code == "MODEL_REFUSED"

        watch = millrace.start_job("suggestion", fields("pause_after=2"))
        millrace.cancel_job(watch.job_id)
        with pytest.raises(JobCancelled):
            watch.result()


def test_a_refusal_names_the_field_and_the_rule(user: ApiUser) -> None:
    with millrace_of(user) as millrace, pytest.raises(Refused) as refused:
        millrace.start_job("suggestion", {**FIELDS, "pageOrComponent": ""})

    assert (refused.value.status, refused.value.code) == (422, "VALIDATION_FAILED")
    assert [each.field for each in refused.value.fields] == ["input.pageOrComponent"]
