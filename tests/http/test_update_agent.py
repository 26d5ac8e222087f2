"""PATCH /agents/{agentId} stores each change as a new version, and no concurrent change is lost without a refusal."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api_user import ApiUser, broken_rules, data_of, refusal, until_refused

UNKNOWN = "agt_01jd8x2v5n7k3q9w4t6y8z0abc"


@pytest.fixture
def agent(user: ApiUser) -> dict[str, Any]:
    return data_of(user.api.get(f"/agents/{user.new_agent(temperature=0.5, maxOutputTokens=9)}"))


def patch(user: ApiUser, agent: dict[str, Any], **body: Any) -> httpx.Response:
    return user.api.patch(f"/agents/{agent['agentId']}", json=body)


def test_a_patch_changes_named_fields_resets_null_fields_and_keeps_the_others(
    user: ApiUser, agent: dict[str, Any]
) -> None:
    changed = data_of(patch(user, agent, name=" Chatty ", temperature=None))

    moved = {"version": 2, "name": "Chatty", "temperature": None, "updatedAt": changed["updatedAt"]}
    assert changed == {**agent, **moved}
    assert changed["updatedAt"] > agent["updatedAt"]
    assert data_of(user.api.get(f"/agents/{agent['agentId']}")) == changed


def test_a_change_of_an_older_version_is_a_conflict(user: ApiUser, agent: dict[str, Any]) -> None:
    data_of(patch(user, agent, name="First", version=1))

    error = refusal(patch(user, agent, name="Second", version=1), 409, "CONFLICT")

    assert "version 2, not 1" in error["message"]
    assert data_of(user.api.get(f"/agents/{agent['agentId']}"))["name"] == "First"


def test_each_concurrent_change_becomes_a_version(user: ApiUser, agent: dict[str, Any]) -> None:
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda number: patch(user, agent, name=f"by {number}"), range(8)))

    versions = sorted(data_of(response)["version"] for response in responses)
    assert versions == list(range(2, 10))


def test_one_of_several_concurrent_changes_to_one_version_succeeds(user: ApiUser, agent: dict[str, Any]) -> None:
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda number: patch(user, agent, name=f"by {number}", version=1), range(8)))

    assert sorted(response.status_code for response in responses) == [200, *[409] * 7]
    (won,) = (data_of(response) for response in responses if response.status_code == 200)
    assert data_of(user.api.get(f"/agents/{agent['agentId']}")) == won


@pytest.mark.parametrize("body", [{}, {"version": 1}])
def test_a_change_without_fields_is_refused_and_creates_no_version(
    user: ApiUser, agent: dict[str, Any], body: dict[str, Any]
) -> None:
    found = broken_rules(patch(user, agent, **body))

    assert found == {
        "body": "must change at least one of: name, instructions, model, temperature, allowedTools, maxOutputTokens"
    }
    assert data_of(user.api.get(f"/agents/{agent['agentId']}")) == agent


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"name": None}, "name", "must be a valid string"),
        ({"instructions": None}, "instructions", "must be a valid string"),
        ({"name": " "}, "name", "must have at least 1 character"),
        ({"model": "?"}, "model", "must be one of: "),
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"maxOutputTokens": True}, "maxOutputTokens", "must be a valid integer"),
        ({"name": "x", "version": 0}, "version", "greater than or equal to 1"),
        ({"max_output_tokens": 5}, "max_output_tokens", "is not a known field"),
        ({"agentId": "x"}, "agentId", "is not a known field"),
    ],
)
def test_a_refusal_names_the_invalid_field_and_its_rule(
    user: ApiUser, agent: dict[str, Any], body: dict[str, Any], field: str, rule: str
) -> None:
    found = broken_rules(patch(user, agent, **body))

    assert found.keys() == {field}
    assert rule in found[field]


def test_only_the_owner_can_change_an_agent(new_user: Callable[[], ApiUser], agent: dict[str, Any]) -> None:
    refusal(patch(new_user(), agent, name="Mine"), 403, "FORBIDDEN")
    refusal(patch(new_user(), {"agentId": UNKNOWN}, name="Mine"), 404, "NOT_FOUND")


def test_a_user_who_changes_an_agent_all_day_has_to_wait(hurried_user: ApiUser) -> None:
    """With the deployed limit. A user could store 100 versions of 32 kB a second, each of them permanently."""
    agent = data_of(hurried_user.api.get(f"/agents/{hurried_user.new_agent()}"))
    numbers = itertools.count()
    accepted, response = until_refused(lambda: patch(hurried_user, agent, name=f"Name {next(numbers)}"), most=30)

    error = refusal(response, 429, "RATE_LIMIT_EXCEEDED")
    assert error["details"]["retryAfterSeconds"] == int(response.headers["retry-after"]) > 0
    assert data_of(hurried_user.api.get(f"/agents/{agent['agentId']}"))["version"] == 1 + accepted
    data_of(hurried_user.api.delete(f"/agents/{agent['agentId']}"))
