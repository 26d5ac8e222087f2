"""A job uses the version of its agent that was the latest when the job was created."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from local.model.control import ModelControl
from tests.api_user import AT_ONCE, ApiUser, broken_rules, data_of

INSTRUCTIONS = "Write like {a sailor},\nnever more than a line."
PAUSES_AND_BREAKS_ONCE = "pause_after=2, disconnect_after=3, first_token_ms=0, token_ms=0, times=1"
"""The agent can be changed before the first request ends."""


def new_job(user: ApiUser, agent_id: str, script: str = AT_ONCE, **fields: Any) -> tuple[str, str]:
    """Create a job with the agent, and return the job's id and its page, which is in every request to its model."""
    page = f"Page {uuid.uuid4().hex}"
    response = user.create(pageOrComponent=page, additionalContext=f"[[script: {script}]]", agentId=agent_id, **fields)
    return str(data_of(response, 202)["jobId"]), page


def asked_about(model: ModelControl, page: str) -> list[dict[str, Any]]:
    return [request for request in model.requests() if page in str(request["messages"])]


def test_the_prompt_has_the_agents_instructions_and_settings(user: ApiUser, model: ModelControl) -> None:
    agent_id = user.new_agent(instructions=INSTRUCTIONS, temperature=0.3, maxOutputTokens=5000)
    job_id, page = new_job(user, agent_id, "invalid_json, token_ms=0, first_token_ms=0, times=1")
    job = user.ended(job_id)

    assert job["status"] == "completed"
    assert job["agent"] == {"agentId": agent_id, "version": 1}
    plain = user.new_job()
    assert user.ended(plain)["agent"] is None
    (without,) = asked_about(model, user.job(plain)["input"]["pageOrComponent"])
    requests = asked_about(model, page)
    assert len(requests) == 2  # the output and its repair
    for request in requests:
        (system,) = (each["content"] for each in request["messages"] if each["role"] == "system")
        assert system.startswith(without["messages"][0]["content"])
        assert f"\n{INSTRUCTIONS}\n" in system
        assert (request["temperature"], request["most_tokens"]) == (0.3, 5000)
    assert (without["temperature"], without["most_tokens"]) == (None, None)


@pytest.mark.parametrize("meanwhile", ["changed", "deleted"])
def test_a_retry_uses_the_version_with_which_the_job_was_created(
    user: ApiUser, model: ModelControl, meanwhile: str
) -> None:
    agent_id = user.new_agent(instructions=INSTRUCTIONS, temperature=0.3, maxOutputTokens=5000)
    job_id, page = new_job(user, agent_id, PAUSES_AND_BREAKS_ONCE)
    model.wait_for_request(lambda request: page in str(request["messages"]))
    if meanwhile == "changed":
        change = {"instructions": "Sing.", "temperature": 2, "maxOutputTokens": 1}
        assert data_of(user.api.patch(f"/agents/{agent_id}", json=change))["version"] == 2
    else:
        data_of(user.api.delete(f"/agents/{agent_id}"))
    moved_at = time.time()
    user.release(job_id)
    job = user.ended(job_id)

    assert (job["status"], job["retryCount"]) == ("completed", 1)
    assert job["agent"] == {"agentId": agent_id, "version": 1}
    first, second = asked_about(model, page)
    assert first["arrived_at"] < moved_at < second["arrived_at"]
    assert first["messages"] == second["messages"]
    assert INSTRUCTIONS in second["messages"][0]["content"]
    assert (second["temperature"], second["most_tokens"]) == (0.3, 5000)


def test_a_new_job_uses_the_latest_version(user: ApiUser, model: ModelControl) -> None:
    agent_id = user.new_agent(instructions=INSTRUCTIONS)
    data_of(user.api.patch(f"/agents/{agent_id}", json={"instructions": "Sing."}))
    job_id, page = new_job(user, agent_id)

    assert user.ended(job_id)["agent"] == {"agentId": agent_id, "version": 2}
    (request,) = asked_about(model, page)
    assert "\nSing.\n" in request["messages"][0]["content"]


def test_the_jobs_model_comes_before_the_agents_and_that_before_the_default(user: ApiUser) -> None:
    offered = broken_rules(user.create(customModel="?"))["input.customModel"].removeprefix("must be one of: ")
    default = user.job(user.new_job())["model"]
    own, other = [each for each in offered.split(", ") if each != default][:2]
    agent_id = user.new_agent(model=own)

    assert user.job(new_job(user, agent_id)[0])["model"] == own
    assert user.job(new_job(user, agent_id, customModel=other)[0])["model"] == other
    assert user.job(new_job(user, user.new_agent())[0])["model"] == default


def test_another_users_agent_and_an_unknown_one_get_the_same_refusal(new_user: Callable[[], ApiUser]) -> None:
    user = new_user()
    foreign = new_user().new_agent()
    responses = [user.create(agentId=agent_id) for agent_id in (foreign, "agt_01jd8x2v5n7k3q9w4t6y8z0abc", "x")]

    rules = [broken_rules(response) for response in responses]
    assert rules == [{"input.agentId": "must be the id of one of your agents; you have no agent with this id"}] * 3
    assert user.jobs() == []
