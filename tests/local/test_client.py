"""The Python client against the local stack: its operations, and a job with a failure and a resumption."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.api.client import JobsClient
from shared.jobs.job import JobStatus
from shared.log.transcript import Transcript
from tests.api_user import ApiUser
from tests.apps.suggestions.requests import FIELDS


@pytest.fixture
def client(user: ApiUser) -> Iterator[JobsClient]:
    with JobsClient(user.stack.api_url, user.token) as made:
        yield made


def end_of(client: JobsClient, stream_url: str, transcript: Transcript) -> str:
    """Follow the stream after the transcript's last event; return the type of the terminal event."""
    for received in client.follow(stream_url, after=transcript.seq):
        transcript.apply(received.id or 0, received.event)
    assert transcript.ended is not None
    return transcript.ended.type


def test_a_job_is_followed_to_its_failure_and_after_its_resumption_to_its_end(client: JobsClient) -> None:
    job = client.create("suggestion", {**FIELDS, "additionalContext": "[[script: refusal, times=1]]"})
    transcript = Transcript()

    assert end_of(client, job.stream_url, transcript) == "error"
    assert client.resume(job.job_id).status is JobStatus.PENDING
    assert end_of(client, job.stream_url, transcript) == "complete"

    assert client.get(job.job_id).text == transcript.text
    assert [each.job_id for each in client.list(status="completed").jobs] == [job.job_id]


def test_an_agent_is_created_changed_and_deleted(client: JobsClient) -> None:
    made = client.new_agent({"name": "Terse", "instructions": "One sentence per text."})
    changed = client.change_agent(made.agent_id, {"temperature": 0.5, "version": made.version})

    assert (changed.version, changed.temperature) == (2, 0.5)
    assert client.agent(made.agent_id, version=1).temperature is None
    assert [each.agent_id for each in client.agents().agents] == [made.agent_id]
    assert client.delete_agent(made.agent_id).agent_id == made.agent_id
