"""Map an error of an OpenAI-compatible provider, by its status and code, to a fault of `shared/errors.py`.

A provider's message may quote the prompt or the key, so it is never used. Our messages are built from the status and
from the codes that this module knows.
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

# Codes of content policies: of OpenAI ("content_policy_violation", "invalid_prompt", and those of
# `openai.types.responses.ResponseError` in its Responses API), of Azure ("content_filter") and of gateways.
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

# Codes that come with 429 although a retry cannot help: https://platform.openai.com/docs/guides/error-codes
_QUOTA_CODES: Final = frozenset({"billing_hard_limit_reached", "billing_not_active", "insufficient_quota"})

_REASONS: Final[Mapping[str, str]] = {
    "billing_hard_limit_reached": "the account has reached its spending limit",
    "billing_not_active": "the account's billing is not active",
    "data_residency_mismatch": "the model is not available in the region where this account keeps its data",
    "context_length_exceeded": "the request is longer than the model accepts",
    "insufficient_quota": "the account's quota is used up",
    "invalid_api_key": "the API key is not accepted",
    "model_not_found": "the model is unknown or not available to this account",
    "string_above_max_length": "the request is longer than the model accepts",
    "unsupported_parameter": "the model does not support a parameter",
    "unsupported_value": "the model does not support a parameter's value",
}

_STATUS_REASONS: Final[Mapping[int, str]] = {
    401: "the API key is not accepted",
    402: "the account cannot pay",
    403: "the account has no permission for this request",
    404: "the model or the endpoint is unknown",
    413: "the request is too large",
}

# Parts of the `code` or `type` of an error inside a stream, where errors have no status. The first match decides.
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
    """Return the fault for an HTTP error response; `error` is the provider's error object, if it sent one."""
    code = _code_of(error)
    if code in _REFUSAL_CODES and status < 500:
        return refusal()
    if code in _QUOTA_CODES:
        return _rejection(status, code)
    if status == 429:
        return ModelRateLimited("the model provider limits the rate of requests (HTTP 429)")
    if status in {408, 504}:
        return ModelTimeout(f"the model provider timed out (HTTP {status})")
    # 409 is a conflict between concurrent requests at the provider. The SDK's own retries treat it as transient, too.
    if status >= 500 or status == 409:
        return ModelUnavailable(f"the model provider is unavailable (HTTP {status})")
    return _rejection(status, code)


def fault_in_stream(error: object) -> MillraceError:
    """Return the fault for an error object inside a stream whose status was 200. An unknown error is transient."""
    return fault_of_status(_status_of(error), error)


def refusal() -> ModelRefused:
    """Return the fault for a request that the provider's content policy forbids."""
    return ModelRefused("the model refused the request because of its content policy; change the input")


def _rejection(status: int, code: str) -> ModelRejectedRequest:
    reason = _REASONS.get(code) or _STATUS_REASONS.get(status) or "the request is not valid"
    return ModelRejectedRequest(f"the model provider rejected the request: {reason} (HTTP {status})")


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
        # OpenRouter and LiteLLM send the status of their own provider in `code`, as a number or as digits.
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    if _code_of(error):
        return 400
    words = f"{error.get('code')} {error.get('type')}".lower()
    return next((status for fragment, status in _FRAGMENTS if fragment in words), 500)
