"""The HTTP responses that our errors become."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from shared import errors
from shared.errors import FieldIssue, MillraceError
from shared.jobs.executions import NotStarted
from shared.jobs.job import Job
from shared.observability.log import log
from shared.web.envelope import Exchange, Operation
from shared.web.errors import STATUS, defect, refusals, refuse, status_of

EXPECTED = {
    "MalformedRequest": 400,
    "Unauthenticated": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "DataBeingErased": 409,
    "CheckpointUnfit": 409,
    "PreconditionFailed": 412,
    "PayloadTooLarge": 413,
    "UnsupportedMediaType": 415,
    "InvalidInput": 422,
    "RateLimitExceeded": 429,
    "StreamLimitExceeded": 429,
    "ModelRateLimited": 503,
    "ModelNotReady": 503,
    "ModelTimeout": 503,
    "ModelUnavailable": 503,
    "ModelDisconnected": 503,
    "StageUnfinished": 503,
    "StorageThrottled": 503,
    "StorageUnavailable": 503,
    "NotStarted": 503,
    "ModelRefused": 500,
    "ModelRejectedRequest": 500,
    "ModelMisconfigured": 500,
    "StageTimedOut": 500,
    "ModelOutputTooLong": 500,
    "InvalidModelOutput": 500,
    "SceneChanged": 500,
    "UnusableFile": 500,
    "CompilerMissing": 500,
    "RendererMissing": 503,
    "SceneBroken": 500,
    "DataLost": 500,
    "DataUnreadable": 500,
    "InternalFault": 500,
    "AttemptSuperseded": 500,
    "JobEnded": 500,
}
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def leaves(kind: type[MillraceError]) -> Iterator[type[MillraceError]]:
    """Yield the product's classes that are raised: those without a subclass in the product."""
    for each in of_product(kind):
        yield from leaves(each) if of_product(each) else (each,)


def of_product(kind: type[MillraceError]) -> list[type[MillraceError]]:
    """Return the subclasses that no other test has made."""
    return [each for each in kind.__subclasses__() if each.__module__.startswith("shared.")]


def an_error(kind: type[MillraceError]) -> MillraceError:
    if issubclass(kind, errors.InvalidInput):
        return kind([FieldIssue("input.a", "is required")])
    if issubclass(kind, (errors.LimitExceeded, errors.DataBeingErased)):
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


def test_every_error_class_has_its_status() -> None:
    assert {kind.__name__: status_of(an_error(kind)) for kind in leaves(MillraceError)} == EXPECTED


def test_every_request_refusal_is_in_the_status_table() -> None:
    refused = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.RequestRefused) and kind is not errors.RequestRefused
    ]

    for kind in refused:
        assert any(parent in STATUS for parent in kind.__mro__ if parent is not MillraceError), kind
        assert 400 <= status_of(an_error(kind)) < 500


def response_to(error: MillraceError) -> tuple[int, dict[str, str], dict[str, Any]]:
    response = refuse(Exchange(Operation.GET_JOB), error)
    return response.status_code, dict(response.headers), json.loads(bytes(response.body))


@pytest.mark.parametrize("kind", list(leaves(MillraceError)), ids=lambda kind: kind.__name__)
def test_the_envelope_has_the_errors_code_and_message(kind: type[MillraceError]) -> None:
    error = an_error(kind)

    _, _, envelope = response_to(error)

    assert envelope["success"] is False
    body = envelope["error"]
    assert (body["code"], body["message"], body["retryable"]) == (error.code, error.message, error.retryable)


def test_validation_issues_are_listed_by_field() -> None:
    error = errors.InvalidInput([FieldIssue("input.a", "is required"), FieldIssue("b", "is not a known field")])

    _, _, envelope = response_to(error)

    assert envelope["error"]["details"]["fields"] == [
        {"field": "input.a", "rule": "is required"},
        {"field": "b", "rule": "is not a known field"},
    ]


def test_a_limit_response_has_the_time_to_wait() -> None:
    status, headers, envelope = response_to(errors.RateLimitExceeded("too many", retry_after=7))

    assert (status, headers["retry-after"]) == (429, "7")
    assert envelope["error"]["details"]["retryAfterSeconds"] == 7


def test_a_fault_that_says_how_long_it_lasts_has_the_time_to_wait() -> None:
    fault = errors.TransientFault("no keys", code=errors.ErrorCode.IDENTITY_UNAVAILABLE)
    fault.retry_after = 3

    status, headers, envelope = response_to(fault)

    assert (status, headers["retry-after"], "www-authenticate" in headers) == (503, "3", False)
    assert (envelope["error"]["retryable"], envelope["error"]["details"]["retryAfterSeconds"]) == (True, 3)


@pytest.mark.parametrize("kind", [errors.StorageThrottled, errors.StorageUnavailable, NotStarted])
def test_every_503_of_a_transient_fault_has_the_time_to_wait_and_is_retryable(kind: type[MillraceError]) -> None:
    status, headers, envelope = response_to(an_error(kind))

    assert (status, headers["retry-after"]) == (503, "1")
    assert (envelope["error"]["retryable"], envelope["error"]["details"]["retryAfterSeconds"]) == (True, 1)


def test_a_503_that_another_request_meets_again_names_no_time_to_wait() -> None:
    status, headers, envelope = response_to(errors.RendererMissing("install chromium"))

    assert (status, "retry-after" in headers, envelope["error"]["retryable"]) == (503, False, False)


def test_only_a_401_has_a_www_authenticate_header() -> None:
    assert response_to(errors.Unauthenticated("who?"))[1]["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in response_to(errors.Forbidden("not yours"))[1]


def test_a_job_that_could_not_start_is_in_the_details() -> None:
    assert response_to(NotStarted(a_job()))[2]["error"]["details"]["jobId"] == "job_1"


def test_a_conflict_says_in_which_states_the_request_is_possible_and_which_job_has_to_end() -> None:
    conflict = errors.Conflict(
        "busy", code=errors.ErrorCode.SESSION_BUSY, state="ACTIVE", allowed=("ERROR",), active_job_id="job_1"
    )

    status, _, envelope = response_to(conflict)

    assert (status, envelope["error"]["code"]) == (409, "SESSION_BUSY")
    details = envelope["error"]["details"]
    assert (details["state"], details["allowed"], details["activeJobId"]) == ("ACTIVE", ["ERROR"], "job_1")


def test_the_response_to_a_defect_has_only_the_request_id(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(log, "defect", lambda message, error, **fields: logged.append({"error": error, **fields}))
    exchange = Exchange(Operation.GET_JOB)

    response = defect(exchange, ValueError("a secret"))

    envelope = json.loads(bytes(response.body))
    assert response.status_code == 500
    assert envelope["error"]["code"] == "INTERNAL_ERROR"
    assert envelope["meta"]["requestId"] == exchange.request_id
    assert "a secret" not in json.dumps(envelope)
    assert logged[0]["request_id"] == exchange.request_id
    assert isinstance(logged[0]["error"], ValueError)


def test_described_refusals_always_include_500() -> None:
    assert refusals(errors.NotFound, errors.RateLimitExceeded, NotStarted).keys() == {404, 429, 500, 503}
