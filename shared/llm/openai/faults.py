"""Map an error of an OpenAI-compatible provider, by its status, code and words, to a fault of `shared/errors.py`.

A provider's message may quote the prompt or the key, so it is read, but never shown. Our messages are built from the
status or from what came without one, from the reasons that this module knows, and from the provider's code and
parameter if they are identifiers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.errors import (
    MillraceError,
    ModelNotReady,
    ModelRateLimited,
    ModelRefused,
    ModelRejectedRequest,
    ModelTimeout,
    ModelUnavailable,
    TransientFault,
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

_KNOWN_CODES: Final = _REFUSAL_CODES | _QUOTA_CODES | _REASONS.keys()

_STATUS_REASONS: Final[Mapping[int, str]] = {
    401: "the API key is not accepted",
    402: "the account cannot pay",
    403: "the account has no permission for this request",
    404: "the model or the endpoint is unknown",
    413: "the request is too large",
    501: "the endpoint does not support this request",
}

_UNVERSIONED_REASONS: Final[Mapping[int, str]] = {
    404: "the endpoint is unknown; check the base URL, which usually ends in /v1 and has no version",
    405: "the endpoint does not support this request; check the base URL, which usually ends in /v1 and has no version",
}
"""What a status usually means if the URL has no version such as `/v1`."""

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

# What a provider's words mean if it sends no code that we know: a pattern, the code that it means, and the status
# that an error without one gets. The first match decides.
_WORDS: Final[tuple[tuple[re.Pattern[str], str, int], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), code, status)
    for pattern, code, status in (
        (r"context (length|window|size)|maximum context|prompt is too long|too many (input )?tokens",
         "context_length_exceeded", 400),
        (r"insufficient (quota|balance|credit|funds)|exceeded your current quota|out of credits", "insufficient_quota",
         402),
        (r"(invalid|incorrect|missing|no) api[ _-]?key|unauthori[sz]ed", "invalid_api_key", 401),
        (r"model\b.{0,80}\b(not found|does not exist|not exist|unknown)|(unknown|no such|invalid) model",
         "model_not_found", 404),
        (r"content (policy|filter|management policy)|safety system", "content_filter", 400),
        (r"rate.?limit|too many requests|requests per (minute|second|day)", "", 429),
        (r"(is |still |currently )?(loading|warming up|starting up|booting)", "", 503),
        (r"time[d]?.?out", "", 504),
    )
)  # fmt: skip

_LOADING: Final = re.compile(
    r"\bload(ing|ed)?\b|warm(ing)?.?up|starting.?up|booting|initiali[sz]ing|not (yet )?ready|cold start", re.IGNORECASE
)

# How errors without a field for it name a parameter. A word of everyday language needs more around it.
_PARAMETER_WORDS: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "strict": r"""['"`]strict['"`]""",
        "response_format": r"response[_ ]format|json_schema|structured[_ ]outputs?|json mode|text\.format",
        "stream_options": r"stream_options|include_usage",
        "stream": r"""['"`]stream['"`]|streaming is not supported|not support stream""",
        "max_completion_tokens": r"max_completion_tokens",
        "max_tokens": r"max_tokens",
        "temperature": r"""['"`]temperature['"`]|(parameter|support):? temperature|temperature is not supported""",
        "tool_choice": r"tool_choice",
        "tools": r"""['"`]tools['"`]|not support (tools|tool use|tool calling|function calling)""",
        "background": r"""['"`]background['"`]|background (mode|response)""",
        "store": r"""['"`]store['"`]""",
    }.items()
}

_TIMEOUTS: Final = frozenset({408, 499, 504, 522, 524, 598, 599})
"""The server, or a proxy in front of it, has waited too long. 499: nginx saw its client leave; 522, 524: Cloudflare."""

_BUSY: Final = frozenset({409, 423, 425})
"""A conflict with another request at the provider, a lock, or "too early": the SDK's own retries treat 409 so, too."""

# A word that a program compares. It has no hyphen, because keys have them; and no space, because prompts have them.
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,39}(?:[_.][A-Za-z0-9]{1,39}){0,7}")
_PARAMETER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}(?:\.[A-Za-z0-9_]{1,39}|\[\d{1,4}\]){0,7}")
_STATUS_IN_PAGE: Final = re.compile(r"<(?:title|h1|h2)[^>]*>[^<]*?\b([45]\d\d)\b", re.IGNORECASE)


def fault_of_status(
    status: int,
    error: object = None,
    *,
    retry_after: float | None = None,
    came: str | None = None,
    versioned: bool = True,
) -> MillraceError:
    """Return the fault for an HTTP error response; `error` is the provider's error object, if it sent one.

    `retry_after` is how many seconds the provider tells us to wait; None if it says nothing. `came` is what the message
    names if no response with this status came. `versioned` is false if the URL has no version such as `/v1`.
    """
    came = came or f"HTTP {status}"
    code = _code_of(error) or ("" if status == 429 or status >= 500 else _code_by_words(error))
    if code in _REFUSAL_CODES and status < 500:
        return refusal()
    if code in _QUOTA_CODES:
        return _rejection(status, code, error, came)
    fault = _transient(status, error, came, told_to_wait=retry_after is not None)
    if fault is None:
        return _rejection(status, code, error, came, versioned=versioned)
    fault.retry_after = retry_after
    return fault


def fault_in_stream(error: object) -> MillraceError:
    """Return the fault for an error inside a stream whose status was 200. An unknown error is transient."""
    named = _status_named_in(error)
    if named is not None:
        return fault_of_status(named, error, came=f"status {named} in a stream")
    return fault_of_status(_status_meant_by(error), error, came="an error in a stream")


def fault_of_page(page: str) -> MillraceError:
    """Return the fault for a web page or words instead of a stream whose status was 200.

    A page that names an error's status is a gateway's. Any other page is that of a server whose API has another URL.
    """
    if not page.startswith("<"):
        return fault_of_status(_status_meant_by(page), page, came="words instead of a stream")
    named = _STATUS_IN_PAGE.search(page)
    if named:
        return fault_of_status(int(named[1]), came=f"a web page that says {named[1]}")
    return ModelRejectedRequest(
        "the model provider sent a web page instead of a model's output; check the base URL, which usually ends in /v1"
    )


def parameters_in(error: object) -> frozenset[str]:
    """Return the request's parameters that the provider's error seems to refuse.

    The error's own field counts more than its words, because words may quote the prompt.
    """
    named = parameter_of(error)
    if named is not None:
        inside = {name for name in _PARAMETER_WORDS if re.search(rf"\b{name}\b", named)}
        return frozenset(inside | ({"response_format"} if named.startswith("text") else set()) or {named})
    texts = list(texts_of(error))
    return frozenset(name for name, words in _PARAMETER_WORDS.items() if any(words.search(text) for text in texts))


def refusal() -> ModelRefused:
    """Return the fault for a request that the provider's content policy forbids."""
    return ModelRefused("the model refused the request because of its content policy; change the input")


def texts_of(error: object) -> Iterator[str]:
    """Yield every text in a provider's error, at any depth: for comparison with known words, never to be shown."""
    if isinstance(error, str):
        yield error
    elif isinstance(error, Mapping):
        for value in error.values():
            yield from texts_of(value)
    elif isinstance(error, list):
        for value in error:
            yield from texts_of(value)


def parameter_of(error: object) -> str | None:
    """Return the request's parameter that the provider's error names, such as `temperature`; None if it names none."""
    if isinstance(error, Mapping):
        for name in (error.get("param"), _location(error.get("loc"))):
            if isinstance(name, str) and _PARAMETER.fullmatch(name):
                return name
        inner: list[object] = [error.get(field) for field in ("error", "message", "detail", "errors")]
    else:
        inner = error if isinstance(error, list) else []
    return next((found for each in inner if (found := parameter_of(each)) is not None), None)


def _location(path: object) -> str | None:
    """Return the parameter of a validation error of FastAPI, whose path begins with `body`."""
    if not isinstance(path, list):
        return None
    return ".".join(str(each) for each in path if each != "body")


def _transient(status: int, error: object, came: str, *, told_to_wait: bool) -> TransientFault | None:
    """Return the fault if another try may succeed, else None."""
    if status == 429:
        return ModelRateLimited(f"the model provider limits the rate of requests ({came}{_named(status, error)})")
    if status in _TIMEOUTS:
        return ModelTimeout(f"the model provider timed out ({came}{_named(status, error)})")
    if status == 503 and (told_to_wait or _is_loading(error)):
        return ModelNotReady(f"the model provider is not ready yet ({came}{_named(status, error)})")
    if (status >= 500 and status != 501) or status in _BUSY:
        return ModelUnavailable(f"the model provider is unavailable ({came}{_named(status, error)})")
    return None


def _is_loading(error: object) -> bool:
    if isinstance(error, Mapping) and "estimated_time" in error:
        return True
    return any(_LOADING.search(text) for text in texts_of(error))


def _rejection(status: int, code: str, error: object, came: str, *, versioned: bool = True) -> ModelRejectedRequest:
    reason = (
        _REASONS.get(code)
        or (not versioned and _UNVERSIONED_REASONS.get(status))
        or _STATUS_REASONS.get(status)
        or "the request is not valid"
    )
    parameters: frozenset[str] = frozenset()
    if code not in _REASONS or code.startswith("unsupported"):
        parameters = parameters_in(error)
    fault = ModelRejectedRequest(
        f"the model provider rejected the request: {reason} ({came}{_named(status, error, parameters)})"
    )
    fault.parameters = parameters
    fault.key_refused = status == 401
    return fault


def _named(status: int, error: object, parameters: frozenset[str] = frozenset()) -> str:
    """Return the provider's own code and the parameter that it names, if both are words that a program compares."""
    code = next((shown for each in _codes_in(error) if (shown := _shown(each)) and shown != str(status)), None)
    parameter = parameter_of(error) or ", ".join(sorted(parameters))
    return "".join((f", code {code}" if code else "", f", parameter {parameter}" if parameter else ""))


def _shown(code: object) -> str | None:
    if isinstance(code, int) and not isinstance(code, bool):
        return str(code)
    return code if isinstance(code, str) and (_IDENTIFIER.fullmatch(code) or code.isdecimal()) else None


def _codes_in(error: object) -> tuple[Any, ...]:
    if not isinstance(error, Mapping):
        return ()
    inner = error.get("innererror")
    return error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, Mapping) else None


def _code_of(error: object) -> str:
    return next((code for code in _codes_in(error) if isinstance(code, str) and code in _KNOWN_CODES), "")


def _code_by_words(error: object) -> str:
    """Return the code that the provider's words stand for. With 429 and 5xx the status says more than words."""
    return next((code for _, code, _ in _meanings(error) if code), "")


def _meanings(error: object) -> Iterator[tuple[re.Pattern[str], str, int]]:
    texts = list(texts_of(error))
    return (each for each in _WORDS if any(each[0].search(text) for text in texts))


def _status_named_in(error: object) -> int | None:
    """Return the status that an error object names; None if it names none.

    OpenRouter and LiteLLM send the status of their own provider in `code`, as a number or as digits.
    """
    if not isinstance(error, Mapping):
        return None
    for field in ("status", "status_code", "code"):
        value = error.get(field)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    return None


def _status_meant_by(error: object) -> int:
    """Return the status that an error's code, type or words stand for; 500 if they are not known."""
    if isinstance(error, Mapping):
        if _code_of(error):
            return 400
        words = f"{error.get('code')} {error.get('type')}".lower()
        named = next((status for fragment, status in _FRAGMENTS if fragment in words), None)
        if named is not None:
            return named
    return next((status for _, _, status in _meanings(error)), 500)
