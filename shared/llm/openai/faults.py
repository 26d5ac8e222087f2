"""What an error of an OpenAI-compatible provider means to us: its status and code in, one fault of our tree out.

A provider's own words may quote the prompt or the key, so none of them reach a message: it is built from the status and
from codes known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.errors import (
    MillraceError,
    ModelRateLimited,
    ModelRefused,
    ModelRejectedRequest,
    ModelTimeout,
    ModelUnavailable,
)

# Content policy: OpenAI ("content_policy_violation", "invalid_prompt", and `openai.types.responses.ResponseError` for
# its Responses API), Azure ("content_filter"), gateways.
_REFUSAL_CODES: Final = frozenset({
    "bio_policy",
    "content_filter",
    "content_policy",
    "content_policy_violation",
    "invalid_prompt",
    "misalignment_policy_violation",
    "moderation_blocked",
    "ResponsibleAIPolicyViolation",
})  # fmt: skip

# Sent as 429, but waiting does not help: https://platform.openai.com/docs/guides/error-codes
_QUOTA_CODES: Final = frozenset({"billing_hard_limit_reached", "billing_not_active", "insufficient_quota"})

_REASONS: Final[Mapping[str, str]] = {
    "billing_hard_limit_reached": "the account's spending limit is reached",
    "billing_not_active": "the account's billing is not active",
    "data_residency_mismatch": "the model may not be used where this account keeps its data",
    "context_length_exceeded": "the request is longer than the model accepts",
    "insufficient_quota": "the account's quota is used up",
    "invalid_api_key": "the API key is not accepted",
    "model_not_found": "the model is unknown or not open to this account",
    "string_above_max_length": "the request is longer than the model accepts",
    "unsupported_parameter": "the model does not support a parameter",
    "unsupported_value": "the model does not support a parameter's value",
}

_STATUS_REASONS: Final[Mapping[int, str]] = {
    401: "the API key is not accepted",
    402: "the account cannot pay",
    403: "the account may not do this",
    404: "the model or the endpoint is unknown",
    413: "the request is too large",
}

# Fragments of `code` and `type` of errors inside a stream, where no status comes along; the first that fits decides.
_FRAGMENTS: Final[tuple[tuple[str, int], ...]] = (
    ("rate_limit", 429),
    ("too_many_requests", 429),
    ("timeout", 504),
    ("invalid_request", 400),
    ("authentication", 401),
    ("permission", 403),
    ("not_found", 404),
    ("context_length", 400),
    ("unsupported", 400),
)


def fault_of_status(status: int, error: object = None) -> MillraceError:
    """Map an HTTP error answer; `error` is the provider's error object when it sent one."""
    code = _code_of(error)
    if code in _REFUSAL_CODES and status < 500:
        return refusal()
    if code in _QUOTA_CODES:
        return _rejection(status, code)
    if status == 429:
        return ModelRateLimited("The model provider limits the rate of requests (HTTP 429).")
    if status in {408, 504}:
        return ModelTimeout(f"The model provider timed out (HTTP {status}).")
    # 409 is a conflict between concurrent requests at the provider; the SDK's own retries treat it as transient too.
    if status >= 500 or status == 409:
        return ModelUnavailable(f"The model provider is unavailable (HTTP {status}).")
    return _rejection(status, code)


def fault_in_stream(error: object) -> MillraceError:
    """Map an error object that came inside a stream which had begun with 200; unknown ones count as transient."""
    return fault_of_status(_status_of(error), error)


def refusal() -> ModelRefused:
    return ModelRefused("The model declined to answer because of its content policy.")


def _rejection(status: int, code: str) -> ModelRejectedRequest:
    reason = _REASONS.get(code) or _STATUS_REASONS.get(status) or "the request is not valid"
    return ModelRejectedRequest(f"The model provider rejected the request: {reason} (HTTP {status}).")


def _code_of(error: object) -> str:
    if not isinstance(error, Mapping):
        return ""
    inner = error.get("innererror")
    codes: tuple[Any, ...] = (
        error.get("code"),
        error.get("type"),
        inner.get("code") if isinstance(inner, Mapping) else None,
    )
    known = _REFUSAL_CODES | _QUOTA_CODES | _REASONS.keys()
    return next((code for code in codes if isinstance(code, str) and code in known), "")


def _status_of(error: object) -> int:
    if not isinstance(error, Mapping):
        return 500
    for field in ("status", "status_code", "code"):
        value = error.get(field)
        # OpenRouter and LiteLLM put the upstream's status into `code`, as a number or as digits.
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    if _code_of(error):
        return 400
    words = f"{error.get('code')} {error.get('type')}".lower()
    return next((status for fragment, status in _FRAGMENTS if fragment in words), 500)
