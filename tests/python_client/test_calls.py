"""Requests of the Python client: the envelope, the errors, the token, repeats, and pages of lists."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterable

import httpx
import pytest
from millrace_client import AsyncMillrace, Millrace, MillraceError, Refused, Unreachable, Unreadable, models
from millrace_client._async.operations import AsyncOperations
from millrace_client._sync import calls
from millrace_client._sync.operations import Operations

from tests.python_client.server import Answer, FakeServer, refusal, success

AGENT = {
    "agentId": "agt_1",
    "name": "Terse",
    "instructions": "Be brief.",
    "model": None,
    "temperature": None,
    "maxOutputTokens": None,
    "allowedTools": None,
    "version": 1,
    "createdAt": "2026-11-26T08:00:00Z",
    "updatedAt": "2026-11-26T08:00:00Z",
    "deletedAt": None,
}


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the waits between repeats instead of waiting."""
    recorded: list[float] = []
    monkeypatch.setattr(calls, "sleep", recorded.append)
    return recorded


def client(answers: Iterable[Answer], token: calls.TokenSource = "token") -> tuple[Millrace, FakeServer]:
    server = FakeServer(answers)
    return Millrace("https://api.example/", token, http=httpx.Client(transport=server)), server


def test_an_operation_sends_its_body_and_returns_the_data_as_a_model() -> None:
    millrace, server = client([success(AGENT, 201)])

    agent = millrace.create_agent(models.NewAgent(name="Terse", instructions="Be brief."))

    assert (agent.agent_id, agent.created_at.year) == ("agt_1", 2026)
    request = server.requests[0]
    assert (request.method, str(request.url)) == ("POST", "https://api.example/agents")
    assert json.loads(request.content) == {"name": "Terse", "instructions": "Be brief."}


def test_ids_are_escaped_in_paths_and_only_given_parameters_are_sent() -> None:
    millrace, server = client([success(AGENT), success(AGENT)])

    millrace.get_agent("a/b?c", version=2)
    millrace.get_agent("agt_1")

    assert [each.url.raw_path for each in server.requests] == [b"/agents/a%2Fb%3Fc?version=2", b"/agents/agt_1"]


def test_a_refusal_has_code_fields_and_request_id() -> None:
    fields = [{"field": "name", "rule": "too_long", "message": "at most 60 characters"}]
    millrace, _ = client([refusal(422, "VALIDATION_FAILED", fields=fields)])

    with pytest.raises(Refused, match="VALIDATION_FAILED") as refused:
        millrace.create_agent({"name": "x" * 61})

    error = refused.value
    assert (error.status, error.code, error.request_id) == (422, "VALIDATION_FAILED", "request-1")
    assert [(each.field, each.rule) for each in error.fields] == [("name", "too_long")]


def test_a_request_that_is_safe_to_repeat_is_repeated_with_the_same_key(waits: list[float]) -> None:
    accepted = {"jobId": "job_1", "status": "pending", "statusUrl": "", "streamUrl": ""}
    busy = refusal(503, "STORAGE_THROTTLED", retryable=True)
    busy.headers["Retry-After"] = "7"
    millrace, server = client([httpx.ReadError("reset"), busy, success(accepted, 202)])

    job = millrace.create_job({"pipeline": "suggestion", "input": {}})

    assert job.job_id == "job_1"
    assert len(set(server.sent("idempotency-key"))) == 1
    assert waits[1] == 7


def test_a_request_that_is_not_safe_to_repeat_is_sent_once() -> None:
    millrace, server = client([httpx.ReadError("reset")])

    with pytest.raises(Unreachable):
        millrace.create_agent({"name": "a", "instructions": "b"})

    assert len(server.requests) == 1


def test_a_request_is_repeated_three_times_at_most() -> None:
    millrace, server = client([httpx.ConnectError("offline")] * 4)

    with pytest.raises(Unreachable):
        millrace.list_agents()

    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, text="<html>"), Unreadable),
        (httpx.Response(200, json={"success": True, "data": {"nonsense": 1}, "meta": {}}), Unreadable),
        (httpx.Response(200, json=[1]), Unreadable),
        (httpx.Response(418, text="teapot"), Unreadable),
        (httpx.Response(422, json={"success": False, "error": 1}), Unreadable),
        (httpx.Response(302, headers={"location": "https://other.example"}), Unreadable),
        (httpx.Response(401, json={"message": "Unauthorized"}), Refused),
        (httpx.Response(502, text="bad gateway"), Unreachable),
        (httpx.Response(429, json={"message": "Too Many Requests"}), Unreachable),
    ],
)
def test_what_is_no_answer_of_the_api_is_an_error(answer: httpx.Response, kind: type[MillraceError]) -> None:
    def each_time(_: httpx.Request) -> httpx.Response:
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    millrace, _ = client([each_time] * 4)

    with pytest.raises(kind):
        millrace.get_agent("agt_1")


def test_a_token_that_is_refused_is_replaced_once() -> None:
    stale: list[str | None] = []

    def token(refused: str | None) -> str:
        stale.append(refused)
        return f"token-{len(stale)}"

    millrace, server = client([refusal(401, "UNAUTHENTICATED"), success(AGENT)], token)
    millrace.get_agent("agt_1")
    assert (stale, server.sent("authorization")) == ([None, "token-1"], ["Bearer token-1", "Bearer token-2"])

    millrace, server = client([refusal(401, "UNAUTHENTICATED")] * 2, token)
    with pytest.raises(Refused):
        millrace.get_agent("agt_1")
    assert len(server.requests) == 2


def test_a_token_function_that_fails_is_unreachable() -> None:
    def token(_: str | None) -> str:
        raise OSError("no network")

    millrace, _ = client([], token)

    with pytest.raises(Unreachable, match="the token function failed: no network"):
        millrace.create_agent({})


def test_a_304_is_none() -> None:
    millrace, server = client([httpx.Response(304)])

    assert millrace.get_session("ses_1", if_none_match='"3"') is None
    assert server.sent("if-none-match") == ['"3"']


def test_pages_follow_the_cursor_to_the_end() -> None:
    millrace, server = client([success({"agents": [AGENT], "cursor": "next"}), success({"agents": [], "cursor": None})])

    assert [len(page.agents) for page in millrace.pages(millrace.list_agents, limit=1)] == [1, 0]
    assert [each.url.query for each in server.requests] == [b"limit=1", b"limit=1&cursor=next"]


def test_the_asynchronous_client_does_the_same() -> None:
    server = FakeServer([success({"agents": [AGENT], "cursor": "next"}), success({"agents": [], "cursor": None})])

    async def pages() -> list[int]:
        async def token(_: str | None) -> str:
            return "token"

        async with AsyncMillrace("https://api.example", token, http=httpx.AsyncClient(transport=server)) as millrace:
            return [len(page.agents) async for page in millrace.pages(millrace.list_agents, limit=1)]

    assert asyncio.run(pages()) == [1, 0]


def test_both_clients_have_the_same_operations_with_the_same_parameters() -> None:
    def signatures(kind: type) -> dict[str, list[str]]:
        return {
            name: [str(each) for each in inspect.signature(method).parameters.values()]
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    assert signatures(Operations) == signatures(AsyncOperations)


def test_models_accept_fields_and_texts_of_a_newer_server() -> None:
    agent = models.AgentDetail.model_validate({**AGENT, "mood": "calm"})
    summary = models.AgentRef.model_validate({"agentId": "agt_1", "version": 1, "later": []})

    assert (agent.name, summary.agent_id) == ("Terse", "agt_1")
    assert models.JobLinks.model_validate({"sessionId": None, "runId": None, "projectId": None}).run_id is None
