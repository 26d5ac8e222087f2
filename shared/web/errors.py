"""From the error tree to HTTP: the one table, and the handlers that apply it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared import errors
from shared.errors import ErrorCode, FieldIssue, MillraceError
from shared.jobs.start import NotStarted
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.web.envelope import ErrorBody, ErrorDetails, ErrorEnvelope, Exchange, FieldError

STATUS: dict[type[MillraceError], int] = {
    errors.MalformedRequest: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.CheckpointUnfit: 409,
    errors.PayloadTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.InvalidInput: 422,
    errors.LimitExceeded: 429,
    errors.TransientFault: 503,
    NotStarted: 503,
    MillraceError: 500,
}
"""The status of each class; a class that is not named has its nearest ancestor's."""

Refusals = tuple[type[MillraceError], ...]

AUTHENTICATED: Refusals = (errors.Unauthenticated, errors.InvalidInput, errors.TransientFault)
"""The refusals of every operation that asks who is calling."""

OWNED: Refusals = (*AUTHENTICATED, errors.Forbidden, errors.NotFound)
"""Those of an operation on one thing, which has to be the caller's."""

BODY: Refusals = (errors.PayloadTooLarge, errors.UnsupportedMediaType)
"""Those of a request with a body, besides the above; also where nobody reads it."""

JSON_BODY: Refusals = (*BODY, errors.MalformedRequest)
"""Those of a request whose body is read."""


def status_of(error: MillraceError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def refuse(exchange: Exchange, error: MillraceError) -> JSONResponse:
    """The answer to a request that ended in this error."""
    status = status_of(error)
    metrics.refused(exchange.operation, error.code)
    details = ErrorDetails(
        fields=tuple(FieldError(field=issue.field, rule=issue.rule) for issue in getattr(error, "issues", ())),
        job_id=error.job.id if isinstance(error, NotStarted) else None,
        retry_after_seconds=getattr(error, "retry_after", None),
    )
    body = ErrorBody(code=error.code, message=error.message, details=details, retryable=error.retryable)
    headers = {}
    if details.retry_after_seconds is not None:
        headers["Retry-After"] = str(details.retry_after_seconds)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(exchange.refusal(body).model_dump(mode="json"), status, headers)


def defect(exchange: Exchange, error: Exception) -> JSONResponse:
    """The answer when a request met a defect of ours: nothing about it but where to find it in the log."""
    log.defect("request broke", error, operation=exchange.operation, **exchange.ids)
    body = ErrorBody(code=ErrorCode.INTERNAL_ERROR, message="something went wrong on our side", retryable=True)
    return JSONResponse(exchange.refusal(body).model_dump(mode="json"), 500)


def refusals(*kinds: type[MillraceError]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of these refusals, and of the defect that every operation may meet."""
    described: dict[int | str, dict[str, Any]] = {
        500: {"model": ErrorEnvelope, "description": "A defect on our side; the log tells more under `meta.requestId`."}
    }
    for kind in kinds:
        status = next(STATUS[each] for each in kind.__mro__ if each in STATUS)
        text = (kind.__doc__ or kind.__name__).splitlines()[0]
        described[status] = {"model": ErrorEnvelope, "description": text}
    return described


def install(app: FastAPI, *, union_branches: frozenset[str]) -> None:
    """Make the app answer every error with the envelope; `union_branches` are tags to leave out of field paths."""
    app.state.union_branches = union_branches
    app.add_exception_handler(MillraceError, _millrace_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)


def _exchange(request: Request) -> Exchange:
    exchange: Exchange = request.scope["exchange"]
    return exchange


async def _millrace_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MillraceError)  # noqa: S101 - registered for this class only
    return refuse(_exchange(request), error)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    found = error.errors()
    for each in found:
        if each["type"] == "json_invalid":
            reason = each.get("ctx", {}).get("error", "not JSON")
            place = each["loc"][-1] if isinstance(each["loc"][-1], int) else 0
            return refuse(
                _exchange(request), errors.MalformedRequest(f"the body must be JSON: {reason} at character {place}")
            )
    return refuse(_exchange(request), errors.InvalidInput(list(_issues(found, request.app.state.union_branches))))


def _issues(found: Iterable[Any], branches: frozenset[str]) -> Iterable[FieldIssue]:
    for each in found:
        source, *where = each["loc"]
        if where and where[0] in branches:
            del where[0]  # pydantic names the branch of a tagged union; the client never wrote that
        if each["type"] in {"union_tag_not_found", "union_tag_invalid"}:
            where.append(each["ctx"]["discriminator"].strip("'"))
        yield FieldIssue(".".join(str(part) for part in where) or str(source), _rule(each))


def _rule(each: Any) -> str:
    message = str(each["msg"])
    match each["type"]:
        case "extra_forbidden":
            return "is not a known field"
        case "missing" | "union_tag_not_found":
            return "is required"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "should be an object"
        case "too_short" | "too_long":
            return message.removeprefix(f"{each['ctx']['field_type']} ").replace(" after validation", "")
        case "union_tag_invalid":
            return f"should be one of: {each['ctx']['expected_tags']}"
        case _:
            return message[:1].lower() + message[1:]


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    known = {
        404: (ErrorCode.NOT_FOUND, "there is no such route"),
        405: (ErrorCode.METHOD_NOT_ALLOWED, "this route does not take this method"),
        400: (ErrorCode.MALFORMED_REQUEST, "the request cannot be read"),
    }
    code, message = known.get(error.status_code, (ErrorCode.INTERNAL_ERROR, "the request failed"))
    exchange = _exchange(request)
    body = exchange.refusal(ErrorBody(code=code, message=message)).model_dump(mode="json")
    return JSONResponse(body, error.status_code, error.headers)
