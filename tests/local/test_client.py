"""The Python client against the real API: each of its operations, and a job followed through failure and resumption."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.api.client import JobsClient, Refused
from shared.apps.ideation.web import RunDetail
from shared.jobs.job import JobStatus
from shared.log.transcript import Transcript
from shared.runs.run import TransformStatus
from tests.api_user import AT_ONCE, ApiUser
from tests.apps.ideation.requests import RUN
from tests.apps.suggestions.requests import FIELDS


@pytest.fixture
def client(user: ApiUser) -> Iterator[JobsClient]:
    with JobsClient(user.stack.api_url, user.token) as made:
        yield made


def end_of(client: JobsClient, stream_url: str, transcript: Transcript) -> str:
    """Follow on from what was seen; answers the type of the event that ends it."""
    for received in client.follow(stream_url, after=transcript.seq):
        transcript.apply(received.id or 0, received.event)
    assert transcript.ended is not None
    return transcript.ended.type


def test_a_job_is_followed_through_its_failure_and_its_resumption(client: JobsClient) -> None:
    job = client.create("suggestion", {**FIELDS, "additionalContext": "[[script: refusal, times=1]]"})
    transcript = Transcript()

    assert end_of(client, job.stream_url, transcript) == "error"
    assert client.resume(job.job_id).status is JobStatus.PENDING
    assert end_of(client, job.stream_url, transcript) == "complete"

    assert client.get(job.job_id).text == transcript.text
    assert [each.job_id for each in client.list(status="completed").jobs] == [job.job_id]


def test_a_run_is_opened_found_again_and_deleted(client: JobsClient) -> None:
    runs = client.runs("/ideations", RunDetail)
    run = runs.create({**RUN, "ideaCount": 2, "requirements": f"[[script: {AT_ONCE}]]"})
    for _ in client.follow(run.stream_url):
        pass

    assert runs.get(run.run_id).status is TransformStatus.COMPLETED
    assert runs.active_job(run.run_id).job is None
    assert [each.ref for each in runs.lineage(run.run_id).artefacts] == ["ideas.v1", "parameters.v1"]
    assert [each.run_id for each in runs.list(status="completed").runs] == [run.run_id]
    assert runs.delete(run.run_id).run_id == run.run_id
    with pytest.raises(Refused) as refused:
        runs.get(run.run_id)
    assert refused.value.status == 404


def test_an_agent_is_made_changed_and_deleted(client: JobsClient) -> None:
    made = client.new_agent({"name": "Terse", "instructions": "One sentence per text."})
    changed = client.change_agent(made.agent_id, {"temperature": 0.5, "version": made.version})

    assert (changed.version, changed.temperature) == (2, 0.5)
    assert client.agent(made.agent_id, version=1).temperature is None
    assert [each.agent_id for each in client.agents().agents] == [made.agent_id]
    assert client.delete_agent(made.agent_id).agent_id == made.agent_id
