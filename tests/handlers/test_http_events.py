"""The HTTP functions handle their events of `events/`, which are also for `sam local invoke`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from local.stack import LocalStack
from shared import bootstrap
from shared.agents.agent import Agent
from shared.jobs.job import Job, JobStatus
from shared.storage.agents import DynamoAgentStore
from shared.storage.jobs import DynamoJobStore
from shared.storage.log_polls import DynamoLogPolls
from tests.fixtures.functions import AGENT_ID, JOB_ID, OWNER, Handle, envelope, load_event


def test_create_job_stores_a_job_of_the_user_and_returns_its_id(handle: Handle, jobs: DynamoJobStore) -> None:
    event = load_event("create_job.valid")

    answer = handle("create_job.valid")

    read = envelope(answer, 202)
    assert read["meta"]["requestId"] == event["requestContext"]["requestId"]
    job = jobs.get(read["data"]["jobId"])
    assert job is not None
    assert (job.owner, job.pipeline, job.status) == (OWNER, "suggestion", JobStatus.PENDING)
    assert job.input == json.loads(event["body"])["input"]
    assert f"Root={job.trace_id}" == event["headers"]["x-amzn-trace-id"]
    assert answer["headers"]["location"] == f"https://{event['headers']['host']}/jobs/{job.id}"
    assert envelope(handle("create_job.valid"), 202)["data"]["jobId"] == job.id  # the event has an Idempotency-Key


def test_create_job_names_the_invalid_field(handle: Handle) -> None:
    read = envelope(handle("create_job.invalid_field"), 422)

    assert [each["field"] for each in read["error"]["details"]["fields"]] == ["input.featureType"]


def test_a_body_that_is_not_json_is_malformed(handle: Handle) -> None:
    assert envelope(handle("create_job.malformed_json"), 400)["error"]["code"] == "MALFORMED_REQUEST"


def test_get_job_returns_the_job_to_its_owner(handle: Handle, put_job: Callable[..., Job]) -> None:
    job = put_job()

    read = envelope(handle("get_job.valid"), 200)

    assert read["data"]["jobId"] == JOB_ID
    assert read["data"]["input"] == job.input


def test_list_jobs_returns_the_users_jobs(handle: Handle, put_job: Callable[..., Job]) -> None:
    put_job()

    read = envelope(handle("list_jobs.valid"), 200)

    assert [job["jobId"] for job in read["data"]["jobs"]] == [JOB_ID]


def test_cancel_job_cancels_a_live_job(handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore) -> None:
    put_job()

    read = envelope(handle("cancel_job.valid"), 200)

    assert read["data"]["status"] == "cancelled"
    stored = jobs.get(JOB_ID)
    assert stored is not None
    assert stored.status is JobStatus.CANCELLED


def test_resume_job_resumes_a_cancelled_job(handle: Handle, put_job: Callable[..., Job], jobs: DynamoJobStore) -> None:
    put_job()
    handle("cancel_job.valid")

    read = envelope(handle("resume_job.valid"), 202)

    assert read["data"]["jobId"] == JOB_ID
    stored = jobs.get(JOB_ID)
    assert stored is not None
    assert (stored.generation, stored.status.ended) == (2, False)


def test_create_stream_ticket_returns_a_ticket(handle: Handle, put_job: Callable[..., Job]) -> None:
    put_job()

    read = envelope(handle("create_stream_ticket.valid"), 201)

    assert read["data"]["streamUrl"].endswith(f"/jobs/{JOB_ID}/stream?ticket={read['data']['ticket']}")


def test_create_agent_stores_an_agent_of_the_user(handle: Handle, agents: DynamoAgentStore) -> None:
    read = envelope(handle("create_agent.valid"), 201)

    stored = agents.get(read["data"]["agentId"])
    assert stored is not None
    sent = json.loads(load_event("create_agent.valid")["body"])
    assert (stored.owner, stored.version) == (OWNER, 1)
    assert (stored.name, stored.instructions, stored.temperature) == tuple(sent.values())


def test_get_agent_and_list_agents_return_the_agent_to_its_owner(handle: Handle, agent: Agent) -> None:
    shown = envelope(handle("get_agent.valid"), 200)["data"]
    listed = envelope(handle("list_agents.valid"), 200)["data"]

    assert shown["agentId"] == agent.id
    assert listed["agents"] == [shown]


def test_update_agent_stores_the_next_version(handle: Handle, agent: Agent, agents: DynamoAgentStore) -> None:
    read = envelope(handle("update_agent.valid"), 200)

    assert (read["data"]["version"], read["data"]["temperature"]) == (2, None)
    replaced = agents.version(AGENT_ID, 1)
    assert replaced is not None
    assert (replaced.instructions, replaced.expires_at is None) == (agent.instructions, False)
    assert envelope(handle("update_agent.valid"), 409)["error"]["code"] == "CONFLICT"  # it names version 1


def test_delete_agent_removes_the_agent(handle: Handle, agent: Agent) -> None:
    assert envelope(handle("delete_agent.valid"), 200)["data"] == {"agentId": agent.id}

    envelope(handle("get_agent.valid"), 404)


@pytest.mark.parametrize(
    "name",
    [
        "get_job.valid",
        "cancel_job.valid",
        "resume_job.valid",
        "create_stream_ticket.valid",
        "get_agent.valid",
        "update_agent.valid",
        "delete_agent.valid",
    ],
)
def test_an_unknown_resource_is_not_found(handle: Handle, name: str) -> None:
    assert envelope(handle(name), 404)["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "name",
    [
        "create_job.valid",
        "list_jobs.valid",
        "get_job.valid",
        "cancel_job.valid",
        "create_stream_ticket.valid",
        "create_agent.valid",
        "list_agents.valid",
        "get_agent.valid",
        "update_agent.valid",
        "delete_agent.valid",
    ],
)
def test_the_handler_refuses_a_request_without_authorizer_claims(handle: Handle, name: str) -> None:
    event = load_event(name)
    del event["requestContext"]["authorizer"]

    answer = handle(name, requestContext=event["requestContext"])

    assert envelope(answer, 401)["error"]["code"] == "UNAUTHENTICATED"


def test_stream_job_sends_the_events_of_the_job(stack: LocalStack, handle: Handle, put_job: Callable[..., Job]) -> None:
    from functions.stream.stream_job.app import app  # noqa: PLC0415 - after the environment is set

    put_job()
    handle("cancel_job.valid")
    event = load_event("stream_job.valid")
    headers = {**event["headers"], "authorization": f"Bearer {stack.token(OWNER)}"}

    async def request() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://stream") as client:
            method = event["requestContext"]["http"]["method"]
            answer = await client.request(method, event["rawPath"], headers=headers)
        polls = bootstrap.core().ports.log_polls
        assert isinstance(polls, DynamoLogPolls)
        polls._requests.close()  # on Lambda they are used until the process ends
        await asyncio.sleep(0)
        return answer

    answer = asyncio.run(request())

    assert answer.status_code == 200
    assert [line for line in answer.text.splitlines() if line.startswith("event: ")] == [
        "event: connected",
        "event: cancelled",
    ]
