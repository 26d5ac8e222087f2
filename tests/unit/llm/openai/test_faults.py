"""The faults that a provider's errors become."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import (
    MillraceError,
    ModelRateLimited,
    ModelRefused,
    ModelRejectedRequest,
    ModelTimeout,
    ModelUnavailable,
)
from shared.llm.openai.faults import fault_in_stream, fault_of_status

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
