"""GET /agents returns the user's own agents, newest first, in pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.api_user import ApiUser, broken_rules, data_of
from tests.http.test_list_jobs import BROKEN_CURSORS


def test_the_list_contains_the_latest_versions_of_the_users_own_agents_newest_first(
    new_user: Callable[[], ApiUser],
) -> None:
    user, other = new_user(), new_user()
    first, _foreign, second = user.new_agent(), other.new_agent(), user.new_agent()
    changed = data_of(user.api.patch(f"/agents/{first}", json={"name": "Chatty"}))

    response = user.api.get("/agents")

    listed = data_of(response)
    assert response.json()["meta"]["entity"] == "agent_list"
    assert listed == {"agents": [data_of(user.api.get(f"/agents/{second}")), changed], "cursor": None}


def test_the_pages_contain_every_agent_once(user: ApiUser) -> None:
    made = [user.new_agent() for _ in range(5)]

    seen: list[str] = []
    parameters = {"limit": "2"}
    while True:
        page = data_of(user.api.get("/agents", params=parameters))
        assert len(page["agents"]) <= 2
        seen += [agent["agentId"] for agent in page["agents"]]
        if page["cursor"] is None:
            break
        parameters["cursor"] = page["cursor"]

    assert seen == made[::-1]


def test_a_cursor_is_valid_only_for_its_own_list(user: ApiUser) -> None:
    for _ in range(2):
        user.new_agent()
        user.new_job()
    of_jobs, of_agents = (data_of(user.api.get(path, params={"limit": 1}))["cursor"] for path in ("/jobs", "/agents"))

    assert broken_rules(user.api.get("/agents", params={"cursor": of_jobs})).keys() == {"cursor"}
    assert broken_rules(user.api.get("/jobs", params={"cursor": of_agents})).keys() == {"cursor"}


@pytest.mark.parametrize("cursor", BROKEN_CURSORS)
def test_an_invalid_cursor_is_refused(user: ApiUser, cursor: str) -> None:
    assert broken_rules(user.api.get("/agents", params={"cursor": cursor})).keys() == {"cursor"}


@pytest.mark.parametrize("limit", ["0", "101", "x"])
def test_a_page_size_must_be_1_to_100(user: ApiUser, limit: str) -> None:
    assert broken_rules(user.api.get("/agents", params={"limit": limit})).keys() == {"limit"}
