"""A conversation about a workbook over HTTP: a question, a change, and what the session keeps of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import LocalStack
from tests.api_user import ApiUser, data_of, refusal
from tests.apps.sheets.requests import active_session, get_session

SCRIPT = "[[script: first_token_ms=0, token_ms=0]]"
"""The scripted model answers at once."""


def ask(user: ApiUser, session_id: str, text: str, script: str = SCRIPT) -> dict[str, Any]:
    """Send a message and return its job when it has ended."""
    body = {"text": f"{text} {script}"}
    job_id = data_of(user.api.post(f"/sessions/{session_id}/messages", json=body), 202)["jobId"]
    ended: dict[str, Any] = user.ended(job_id)
    return ended


@pytest.fixture(scope="module")
def talked(stack: LocalStack) -> Iterator[Any]:
    """Yield a session after a question and a change, with both jobs."""
    user = ApiUser(stack)
    session_id = active_session(user)["sessionId"]
    question = ask(user, session_id, "What is the total of amount by region?")
    change = ask(user, session_id, "Please add a column Gross = amount * 1.2;")
    yield user, session_id, question, change
    user.close()


def test_an_answer_quotes_the_figures_of_the_tools(talked: Any) -> None:
    _, _, question, _ = talked
    assert question["status"] == "completed", question["failure"]
    assert question["result"]["outcome"] == "completed"
    assert "North | 220" in question["result"]["text"]
    assert "South | 80" in question["result"]["text"]
    assert [each["title"] for each in question["subtasks"]] == ["Compute sum of amount"]


def test_a_change_makes_versions_that_the_session_shows(talked: Any) -> None:
    user, session_id, _, change = talked
    assert change["status"] == "completed", change["failure"]
    assert change["result"]["versions"] == [2, 3]
    session = get_session(user, session_id)
    assert (session["version"], session["undoTo"], session["activeJobId"]) == (3, 2, None)


def test_the_session_keeps_the_conversation(talked: Any) -> None:
    user, session_id, question, _ = talked
    messages = data_of(user.api.get(f"/sessions/{session_id}/messages"))["messages"]
    assert [each["role"] for each in messages] == ["assistant", "user", "assistant", "user"]
    assert messages[2]["text"] == question["result"]["text"]
    assert messages[0]["versions"] == [2, 3]


def test_a_second_message_waits_for_the_first(talked: Any) -> None:
    user, session_id, *_ = talked
    body = {"text": "describe it [[script: hang_after=1]]"}
    job_id = data_of(user.api.post(f"/sessions/{session_id}/messages", json=body), 202)["jobId"]
    refusal(user.api.post(f"/sessions/{session_id}/messages", json={"text": "and now?"}), 409, "SESSION_BUSY")
    assert user.cancel(job_id).status_code == 200
