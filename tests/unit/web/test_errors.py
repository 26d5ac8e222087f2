"""From the error tree to HTTP."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from shared import errors
from shared.errors import FieldIssue, MillraceError
from shared.jobs.job import Job
from shared.jobs.start import NotStarted
from shared.observability.log import log
from shared.web.envelope import Exchange, Operation
from shared.web.errors import STATUS, defect, refusals, refuse, status_of

EXPECTED = {
    "MalformedRequest": 400,
    "Unauthenticated": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "CheckpointUnfit": 409,
    "PayloadTooLarge": 413,
    "UnsupportedMediaType": 415,
    "InvalidInput": 422,
    "RateLimitExceeded": 429,
    "StreamLimitExceeded": 429,
    "ModelRateLimited": 503,
    "ModelTimeout": 503,
    "ModelUnavailable": 503,
    "ModelDisconnected": 503,
    "StorageThrottled": 503,
    "StorageUnavailable": 503,
    "NotStarted": 503,
    "ModelRefused": 500,
    "ModelRejectedRequest": 500,
    "InvalidModelOutput": 500,
    "InternalFault": 500,
    "AttemptSuperseded": 500,
    "JobEnded": 500,
}
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def leaves(kind: type[MillraceError]) -> Iterator[type[MillraceError]]:
    """The classes that are raised: those with no subclass."""
    for each in kind.__subclasses__():
        yield from leaves(each) if each.__subclasses__() else (each,)


def an_error(kind: type[MillraceError]) -> MillraceError:
    if issubclass(kind, errors.InvalidInput):
        return kind([FieldIssue("input.a", "is required")])
    if issubclass(kind, errors.LimitExceeded):
        return kind("too many", retry_after=7)
    if issubclass(kind, NotStarted):
        return kind(a_job())
    return kind("a message")


def a_job() -> Job:
    return Job(
        id="job_1",
        owner="me",
        pipeline="p",
        input={},
        model="m",
        created_at=NOW,
        updated_at=NOW,
        expires_at=1_900_000_000,
    )


def test_every_class_of_the_tree_has_its_status() -> None:
    ours = [kind for kind in leaves(MillraceError) if kind.__module__.startswith("shared.")]

    assert {kind.__name__: status_of(an_error(kind)) for kind in ours} == EXPECTED


def test_every_refusal_of_a_request_is_named_in_the_table() -> None:
    refused = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.RequestRefused) and kind is not errors.RequestRefused
    ]

    for kind in refused:
        assert any(parent in STATUS for parent in kind.__mro__ if parent is not MillraceError), kind
        assert 400 <= status_of(an_error(kind)) < 500


def answered(error: MillraceError) -> tuple[int, dict[str, str], dict[str, Any]]:
    answer = refuse(Exchange(Operation.GET_JOB), error)
    return answer.status_code, dict(answer.headers), json.loads(bytes(answer.body))


@pytest.mark.parametrize("kind", list(leaves(MillraceError)), ids=lambda kind: kind.__name__)
def test_an_error_is_answered_with_its_code_and_message_in_the_envelope(kind: type[MillraceError]) -> None:
    error = an_error(kind)

    _, _, envelope = answered(error)

    assert envelope["success"] is False
    body = envelope["error"]
    assert (body["code"], body["message"], body["retryable"]) == (error.code, error.message, error.retryable)


def test_broken_rules_are_listed_by_field() -> None:
    error = errors.InvalidInput([FieldIssue("input.a", "is required"), FieldIssue("b", "is not a known field")])

    _, _, envelope = answered(error)

    assert envelope["error"]["details"]["fields"] == [
        {"field": "input.a", "rule": "is required"},
        {"field": "b", "rule": "is not a known field"},
    ]


def test_a_limit_says_when_to_come_back() -> None:
    status, headers, envelope = answered(errors.RateLimitExceeded("too many", retry_after=7))

    assert (status, headers["retry-after"]) == (429, "7")
    assert envelope["error"]["details"]["retryAfterSeconds"] == 7


def test_a_401_says_how_to_authenticate_and_nothing_else_does() -> None:
    assert answered(errors.Unauthenticated("who?"))[1]["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in answered(errors.Forbidden("not yours"))[1]


def test_a_job_that_could_not_start_is_named() -> None:
    assert answered(NotStarted(a_job()))[2]["error"]["details"]["jobId"] == "job_1"


def test_a_defect_tells_nothing_but_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(log, "defect", lambda message, error, **fields: logged.append({"error": error, **fields}))
    exchange = Exchange(Operation.GET_JOB)

    answer = defect(exchange, ValueError("a secret"))

    envelope = json.loads(bytes(answer.body))
    assert answer.status_code == 500
    assert envelope["error"]["code"] == "INTERNAL_ERROR"
    assert envelope["meta"]["requestId"] == exchange.request_id
    assert "a secret" not in json.dumps(envelope)
    assert logged[0]["request_id"] == exchange.request_id
    assert isinstance(logged[0]["error"], ValueError)


def test_a_described_refusal_always_comes_with_the_defect() -> None:
    assert refusals(errors.NotFound, errors.RateLimitExceeded, NotStarted).keys() == {404, 429, 500, 503}
