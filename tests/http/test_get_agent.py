"""GET /agents/{agentId} returns the latest version, or the version that the client names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.api_user import ApiUser, broken_rules, data_of, refusal

UNKNOWN = "agt_01jd8x2v5n7k3q9w4t6y8z0abc"


def test_every_version_can_be_read_unchanged(user: ApiUser) -> None:
    path = f"/agents/{user.new_agent(temperature=1)}"
    versions = [data_of(user.api.get(path))]
    versions += [data_of(user.api.patch(path, json=change)) for change in ({"name": "Chatty"}, {"temperature": None})]

    assert [each["version"] for each in versions] == [1, 2, 3]
    for each in versions:
        assert data_of(user.api.get(path, params={"version": each["version"]})) == each
    assert data_of(user.api.get(path)) == versions[-1]


def test_an_unknown_version_is_not_found(user: ApiUser) -> None:
    agent_id = user.new_agent()

    error = refusal(user.api.get(f"/agents/{agent_id}", params={"version": 2}), 404, "NOT_FOUND")

    assert error["message"] == f"version 2 of agent {agent_id} does not exist; the latest is 1"


@pytest.mark.parametrize("version", ["0", "x", "1.5", str(2**31)])
def test_an_invalid_version_number_is_refused(user: ApiUser, version: str) -> None:
    assert broken_rules(user.api.get(f"/agents/{user.new_agent()}", params={"version": version})).keys() == {"version"}


@pytest.mark.parametrize("agent_id", [UNKNOWN, "agt_", "x", "job_01jd8x2v5n7k3q9w4t6y8z0abc"])
def test_an_unknown_agent_is_not_found(user: ApiUser, agent_id: str) -> None:
    refusal(user.api.get(f"/agents/{agent_id}"), 404, "NOT_FOUND")


def test_every_version_of_another_users_agent_is_forbidden(new_user: Callable[[], ApiUser]) -> None:
    agent_id = new_user().new_agent()

    for parameters in ({}, {"version": 1}, {"version": 2}):
        refusal(new_user().api.get(f"/agents/{agent_id}", params=parameters), 403, "FORBIDDEN")
