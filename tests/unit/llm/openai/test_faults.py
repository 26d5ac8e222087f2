"""The faults that a provider's errors become."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import (
    MillraceError,
    ModelNotReady,
    ModelRateLimited,
    ModelRefused,
    ModelRejectedRequest,
    ModelTimeout,
    ModelUnavailable,
)
from shared.llm.openai.faults import fault_in_stream, fault_of_page, fault_of_status

SECRET = "sk-live-1234 and the prompt"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, None, ModelRejectedRequest),
        (400, "context_length_exceeded", ModelRejectedRequest),
        (400, "content_policy_violation", ModelRefused),
        (400, "content_filter", ModelRefused),
        (403, "moderation_blocked", ModelRefused),
        (401, "invalid_api_key", ModelRejectedRequest),
        (402, None, ModelRejectedRequest),
        (403, None, ModelRejectedRequest),
        (404, "model_not_found", ModelRejectedRequest),
        (408, None, ModelTimeout),
        (409, None, ModelUnavailable),
        (413, None, ModelRejectedRequest),
        (422, None, ModelRejectedRequest),
        (429, None, ModelRateLimited),
        (429, "rate_limit_exceeded", ModelRateLimited),
        (429, "insufficient_quota", ModelRejectedRequest),
        (500, None, ModelUnavailable),
        (502, None, ModelUnavailable),
        (503, None, ModelUnavailable),
        (504, None, ModelTimeout),
        (529, None, ModelUnavailable),
    ],
)
def test_a_status_becomes_one_fault(status: int, code: str | None, expected: type[MillraceError]) -> None:
    fault = fault_of_status(status, {"message": SECRET, "type": SECRET, "param": SECRET, "code": code})

    assert type(fault) is expected
    assert "sk-live" not in fault.message
    assert "prompt" not in fault.message


@pytest.mark.parametrize(
    "error", [None, "text", [], {}, {"code": 7}, {"code": SECRET, "type": SECRET, "innererror": SECRET}]
)
def test_the_fault_of_any_error_object_does_not_quote_it(error: Any) -> None:
    for fault in (fault_of_status(400, error), fault_in_stream(error)):
        assert "sk-live" not in fault.message


def test_azures_inner_error_is_a_refusal() -> None:
    error = {"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}
    assert isinstance(fault_of_status(400, error), ModelRefused)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"type": "server_error", "code": None}, ModelUnavailable),
        ({"type": "overloaded_error"}, ModelUnavailable),
        ({"type": "rate_limit_error"}, ModelRateLimited),
        ({"code": "rate_limit_exceeded", "type": "tokens"}, ModelRateLimited),
        ({"code": "insufficient_quota", "type": "insufficient_quota"}, ModelRejectedRequest),
        ({"type": "timeout_error"}, ModelTimeout),
        ({"type": "invalid_request_error", "code": "context_length_exceeded"}, ModelRejectedRequest),
        ({"type": "invalid_request_error"}, ModelRejectedRequest),
        ({"code": "content_filter"}, ModelRefused),
        ({"code": 429}, ModelRateLimited),
        ({"code": "502"}, ModelUnavailable),
        ({"status": 504}, ModelTimeout),
        ("anything", ModelUnavailable),
    ],
)
def test_an_error_inside_a_stream_becomes_the_same_fault_as_its_status(
    error: Any, expected: type[MillraceError]
) -> None:
    assert type(fault_in_stream(error)) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (425, ModelUnavailable),
        (499, ModelTimeout),
        (501, ModelRejectedRequest),
        (520, ModelUnavailable),
        (522, ModelTimeout),
        (524, ModelTimeout),
        (526, ModelUnavailable),
    ],
)
def test_the_statuses_of_proxies_become_faults(status: int, expected: type[MillraceError]) -> None:
    assert type(fault_of_status(status, "<html>")) is expected


@pytest.mark.parametrize(
    "error",
    [
        {"code": 503, "message": "Loading model", "type": "unavailable_error"},
        "Model some/model is currently loading",
        {"error": "not yet", "estimated_time": 20.0},
    ],
)
def test_a_server_that_loads_its_model_is_not_ready(error: Any) -> None:
    assert type(fault_of_status(503, error)) is ModelNotReady
    assert type(fault_of_status(503, "no upstream")) is ModelUnavailable


def test_a_server_that_says_when_to_come_again_is_not_ready() -> None:
    fault = fault_of_status(503, "busy", retry_after=7.0)
    assert isinstance(fault, ModelNotReady)
    assert fault.retry_after == 7.0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("the context length of 4096 is exceeded", ModelRejectedRequest),
        ("Rate limit reached for requests", ModelRateLimited),
        ("Model is loading, please wait", ModelNotReady),
        ("The model gpt-9 does not exist", ModelRejectedRequest),
        ("Incorrect API key provided", ModelRejectedRequest),
        ("Your account has insufficient balance", ModelRejectedRequest),
        ("upstream request timed out", ModelTimeout),
        ("rejected by the content filter", ModelRefused),
        ("something else", ModelUnavailable),
    ],
)
def test_an_error_that_is_only_words_is_known_by_them(words: str, expected: type[MillraceError]) -> None:
    for error in (words, {"message": words}, {"message": {"detail": [{"msg": words}]}}):
        assert type(fault_in_stream(error)) is expected, error


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<!doctype html><title>Welcome</title>", ModelRejectedRequest),
        ("<html><head><title>502 Bad Gateway</title></head>", ModelUnavailable),
        ("<html><h1>429 Too Many Requests</h1>", ModelRateLimited),
        ("upstream connect error or disconnect/reset before headers", ModelUnavailable),
    ],
)
def test_a_page_instead_of_a_stream_becomes_a_fault(page: str, expected: type[MillraceError]) -> None:
    assert type(fault_of_page(page)) is expected


def test_the_owner_sees_the_providers_code_and_parameter() -> None:
    error = {"message": SECRET, "type": "invalid_request_error", "param": "messages[0].content", "code": "bad_value"}
    message = fault_of_status(400, error).message
    assert message.endswith("(HTTP 400, code bad_value, parameter messages[0].content)")


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        (fault_of_status(500, "x"), "(HTTP 500)"),
        (fault_in_stream({"type": "overloaded_error"}), "(an error in a stream, code overloaded_error)"),
        (fault_in_stream("something else"), "(an error in a stream)"),
        (fault_in_stream({"code": "502"}), "(status 502 in a stream)"),
        (fault_in_stream({"code": "insufficient_quota"}), "(an error in a stream, code insufficient_quota)"),
        (fault_of_page("upstream connect error"), "(words instead of a stream)"),
        (fault_of_page("<title>502 Bad Gateway</title>"), "(a web page that says 502)"),
    ],
)
def test_the_owner_sees_what_came_and_no_status_that_did_not_come(fault: MillraceError, end: str) -> None:
    assert fault.message.endswith(end)


@pytest.mark.parametrize(
    ("error", "parameters"),
    [
        ({"param": "response_format.json_schema.strict"}, {"response_format", "strict"}),
        ({"message": {"detail": [{"loc": ["body", "stream_options"], "msg": SECRET}]}}, {"stream_options"}),
        ({"detail": [{"loc": ["body", "temperature"]}]}, {"temperature"}),
        ({"message": "This response_format type is unavailable now"}, {"response_format"}),
        ("Unrecognized request argument supplied: stream_options", {"stream_options"}),
        ({"param": "text.format"}, {"response_format"}),
        ({"message": "a prompt about the temperature of a store"}, set()),
        ({"code": "context_length_exceeded", "message": "about response_format"}, set()),
    ],
)
def test_a_rejection_names_the_parameters_that_the_provider_refuses(error: Any, parameters: set[str]) -> None:
    fault = fault_of_status(400, error)
    assert isinstance(fault, ModelRejectedRequest)
    assert fault.parameters == parameters
