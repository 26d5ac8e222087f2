"""POST /agents checks the fields of a new agent and limits the number of agents of each user."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.api_user import ApiUser, broken_rules, data_of, refusal

LEAST = {"name": "Terse", "instructions": "One sentence per text."}
EMOJI = "\N{GRINNING FACE}"


def create(user: ApiUser, **fields: Any) -> httpx.Response:
    return user.api.post("/agents", json={**LEAST, **fields})


def test_the_response_is_the_stored_agent(user: ApiUser) -> None:
    response = create(user, temperature=0.25, maxOutputTokens=500)

    agent = data_of(response, 201)
    assert response.json()["meta"]["entity"] == "agent"
    assert agent == data_of(user.api.get(f"/agents/{agent['agentId']}"))
    assert agent["agentId"].startswith("agt_")
    assert agent["version"] == 1
    assert {**LEAST, "model": None, "temperature": 0.25, "maxOutputTokens": 500}.items() <= agent.items()
    assert agent["createdAt"] == agent["updatedAt"]
    assert datetime.fromisoformat(agent["createdAt"]).tzinfo is not None


def test_the_api_strips_texts_and_accepts_any_characters(user: ApiUser) -> None:
    agent = data_of(create(user, name=f"  {EMOJI * 100} ", instructions=f"\n{EMOJI * 8000}\t"), 201)

    assert (agent["name"], agent["instructions"]) == (EMOJI * 100, EMOJI * 8000)
    assert data_of(user.api.get(f"/agents/{agent['agentId']}")) == agent


def test_an_agents_model_must_be_on_the_allow_list(user: ApiUser) -> None:
    allowed = broken_rules(create(user, model="?"))["model"].removeprefix("must be one of: ").split(", ")

    assert data_of(create(user, model=allowed[-1]), 201)["model"] == allowed[-1]


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({"name": None}, "name", "must be a valid string"),
        ({"name": " "}, "name", "must have at least 1 character"),
        ({"name": "x" * 101}, "name", "must have at most 100 characters"),
        ({"instructions": ""}, "instructions", "must have at least 1 character"),
        ({"instructions": "x" * 8001}, "instructions", "must have at most 8000 characters"),
        ({"model": ""}, "model", "must have at least 1 character"),
        ({"temperature": 2.01}, "temperature", "less than or equal to 2"),
        ({"temperature": -0.01}, "temperature", "greater than or equal to 0"),
        ({"temperature": "0.5"}, "temperature", "must be a valid number"),
        ({"maxOutputTokens": 0}, "maxOutputTokens", "greater than or equal to 1"),
        ({"maxOutputTokens": 100_001}, "maxOutputTokens", "less than or equal to 100000"),
        ({"maxOutputTokens": 1.5}, "maxOutputTokens", "must be a valid integer"),
        ({"max_output_tokens": 5}, "max_output_tokens", "is not a known field"),
        ({"version": 1}, "version", "is not a known field"),
    ],
)
def test_a_refusal_names_the_invalid_field_and_its_rule(
    user: ApiUser, fields: dict[str, Any], field: str, rule: str
) -> None:
    found = broken_rules(create(user, **fields))

    assert found.keys() == {field}
    assert rule in found[field]


def test_a_name_and_instructions_are_required(user: ApiUser) -> None:
    assert broken_rules(user.api.post("/agents", json={})) == {"name": "is required", "instructions": "is required"}


def test_a_user_with_a_hundred_agents_must_delete_one_first(user: ApiUser) -> None:
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda _: create(user), range(103)))

    made = [data_of(response, 201)["agentId"] for response in responses if response.status_code == 201]
    assert len(made) == 100
    error = refusal(create(user), 409, "CONFLICT")
    assert error["message"] == "you have 100 agents, which is the limit; delete one first"
    assert len(data_of(user.api.get("/agents", params={"limit": 100}))["agents"]) == 100
    data_of(user.api.delete(f"/agents/{made[0]}"))
    data_of(create(user), 201)
