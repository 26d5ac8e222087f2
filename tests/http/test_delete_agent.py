"""DELETE /agents/{agentId} removes the agent at once and permanently."""

from __future__ import annotations

from collections.abc import Callable

from tests.api_user import ApiUser, broken_rules, data_of, refusal

UNKNOWN = "agt_01jd8x2v5n7k3q9w4t6y8z0abc"


def test_a_deleted_agent_cannot_be_read_changed_listed_or_used_for_a_job(user: ApiUser) -> None:
    agent_id, other = user.new_agent(), user.new_agent()
    data_of(user.api.patch(f"/agents/{agent_id}", json={"name": "Chatty"}))

    assert data_of(user.api.delete(f"/agents/{agent_id}")) == {"agentId": agent_id}

    for parameters in ({}, {"version": 1}, {"version": 2}):
        refusal(user.api.get(f"/agents/{agent_id}", params=parameters), 404, "NOT_FOUND")
    refusal(user.api.patch(f"/agents/{agent_id}", json={"name": "Undead"}), 404, "NOT_FOUND")
    assert [agent["agentId"] for agent in data_of(user.api.get("/agents"))["agents"]] == [other]
    assert broken_rules(user.create(agentId=agent_id)).keys() == {"input.agentId"}


def test_a_second_deletion_returns_the_same_response(user: ApiUser) -> None:
    agent_id = user.new_agent()

    first, second = (data_of(user.api.delete(f"/agents/{agent_id}")) for _ in range(2))

    assert first == second


def test_only_the_owner_can_delete_an_agent(new_user: Callable[[], ApiUser]) -> None:
    owner = new_user()
    agent_id = owner.new_agent()

    refusal(new_user().api.delete(f"/agents/{agent_id}"), 403, "FORBIDDEN")
    refusal(new_user().api.delete(f"/agents/{UNKNOWN}"), 404, "NOT_FOUND")
    data_of(owner.api.get(f"/agents/{agent_id}"))
