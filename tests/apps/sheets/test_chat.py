"""A conversation about a workbook over HTTP: a question, a change, and what the session keeps of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from local.stack import LocalStack
from tests.api_user import TERMINAL, ApiUser, data_of, refusal, wait_until
from tests.apps.sheets.requests import active_session, get_session

SCRIPT = "[[script: first_token_ms=0, token_ms=0]]"
"""The scripted model answers at once."""


ADD_COLUMN = "Please add a column Gross = amount * 1.2;"
"""A message that makes two versions."""
ANSWER = "AnswerMessageFunction"


def ask(user: ApiUser, session_id: str, text: str, script: str = SCRIPT) -> dict[str, Any]:
    """Send a message and return its job when it has ended."""
    ended: dict[str, Any] = user.ended(send(user, session_id, f"{text} {script}"))
    return ended


def send(user: ApiUser, session_id: str, text: str) -> str:
    """Send a message and return the id of its job."""
    job_id: str = data_of(user.api.post(f"/sessions/{session_id}/messages", json={"text": text}), 202)["jobId"]
    return job_id


@pytest.fixture(scope="module")
def talked(stack: LocalStack) -> Iterator[Any]:
    """Yield a session after a question and a change, with both jobs."""
    user = ApiUser(stack)
    session_id = active_session(user)["sessionId"]
    question = ask(user, session_id, "What is the total of amount by region?")
    change = ask(user, session_id, ADD_COLUMN)
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
    assert (session["version"], session["undoTo"], session["activeJobId"]) == (3, 1, None)


def test_the_session_keeps_the_conversation(talked: Any) -> None:
    user, session_id, question, _ = talked
    messages = data_of(user.api.get(f"/sessions/{session_id}/messages"))["messages"]
    assert [each["role"] for each in messages] == ["assistant", "user", "assistant", "user"]
    assert messages[2]["text"] == question["result"]["text"]
    assert messages[0]["versions"] == [2, 3]


def test_a_second_message_waits_for_the_first(talked: Any) -> None:
    user, session_id, *_ = talked
    job_id = send(user, session_id, "describe it [[script: hang_after=1]]")
    refusal(user.api.post(f"/sessions/{session_id}/messages", json={"text": "and now?"}), 409, "SESSION_BUSY")
    assert user.cancel(job_id).status_code == 200


def test_a_close_in_the_middle_of_an_answer_cancels_it(user: ApiUser) -> None:
    session_id = active_session(user)["sessionId"]
    script = "[[script: first_token_ms=0, token_ms=0, pause_after=2]]"
    job_id = send(user, session_id, f"{ADD_COLUMN} {uuid.uuid4().hex} {script}")
    with user.stream(job_id) as source:
        events = source.iter_sse()
        next(each for each in events if each.event == "delta")
        closed = data_of(user.api.post(f"/sessions/{session_id}/close"))
        assert (closed["state"], closed["activeJobId"]) == ("CLOSED", None)
        assert [each.event for each in events if each.event in TERMINAL] == ["cancelled"]
    user.release(job_id)
    answer, question = data_of(user.api.get(f"/sessions/{session_id}/messages"))["messages"]
    assert (answer["outcome"], answer["versions"]) == ("cancelled", [])
    assert (question["jobStatus"], get_session(user, session_id)["version"]) == ("cancelled", 1)


def test_a_change_that_is_computed_is_not_published_after_the_close(user: ApiUser) -> None:
    session_id = active_session(user)["sessionId"]
    with ExitStack() as computing:
        # A call looks for its version before it computes, and once more after that. The first call only reads.
        asking = user.stack.holding("Query", session_id, "VERSION#", function=ANSWER, executed=True, skip=2)
        computed = computing.enter_context(asking)
        job_id = send(user, session_id, f"{ADD_COLUMN} {SCRIPT}")
        wait_until(computed)
        with user.stack.holding("TransactWriteItems", job_id, "VERSION#", function=ANSWER, executed=True) as published:
            data_of(user.api.post(f"/sessions/{session_id}/close"))
            assert user.job(job_id)["status"] == "cancelled"
            computing.close()
            wait_until(published)  # the write of the version was refused
    session = get_session(user, session_id)
    assert (session["state"], session["version"]) == ("CLOSED", 1)
    versions = data_of(user.api.get(f"/sessions/{session_id}/versions"))["versions"]
    assert [each["version"] for each in versions] == [1]
