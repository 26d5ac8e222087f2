"""Map the error tree to HTTP responses: one table of statuses, and the exception handlers that use it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared import errors
from shared.errors import ErrorCode, FieldIssue, MillraceError
from shared.jobs.executions import NotStarted
from shared.observability.log import log
from shared.observability.metrics import metrics
from shared.rules import rule_of
from shared.web.envelope import ErrorBody, ErrorDetails, ErrorEnvelope, Exchange, FieldError

STATUS: dict[type[MillraceError], int] = {
    errors.MalformedRequest: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.DataBeingErased: 409,
    errors.CheckpointUnfit: 409,
    errors.PreconditionFailed: 412,
    errors.PayloadTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.InvalidInput: 422,
    errors.LimitExceeded: 429,
    errors.TransientFault: 503,
    errors.RendererMissing: 503,
    NotStarted: 503,
    MillraceError: 500,
}
"""HTTP status of each error class. A class that is missing here has the status of its nearest ancestor."""

Refusals = tuple[type[MillraceError], ...]
"""The error classes that an operation may respond with, for its OpenAPI description."""

AUTHENTICATED: Refusals = (errors.Unauthenticated, errors.InvalidInput, errors.TransientFault)
"""The refusals of every operation that authenticates its user."""

OWNED: Refusals = (*AUTHENTICATED, errors.Forbidden, errors.NotFound)
"""The refusals of an operation on one job, run or agent, which must be the user's own."""

OWNED_BY_KEY: Refusals = (*AUTHENTICATED, errors.NotFound)
"""The refusals of an operation on something that is found among the user's own only, such as a webhook."""

BODY: Refusals = (errors.PayloadTooLarge, errors.UnsupportedMediaType)
"""The further refusals of an operation that may receive a body, even if it ignores the body."""

JSON_BODY: Refusals = (*BODY, errors.MalformedRequest)
"""The further refusals of an operation that reads its body as JSON."""


def status_of(error: MillraceError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def refuse(exchange: Exchange, error: MillraceError) -> JSONResponse:
    """Return the response to a request that ended in this error, and count it."""
    status = status_of(error)
    metrics.refused(exchange.operation, error.code)
    details = ErrorDetails(
        fields=tuple(FieldError(field=issue.field, rule=issue.rule) for issue in getattr(error, "issues", ())),
        job_id=error.job.id if isinstance(error, NotStarted) else None,
        retry_after_seconds=_seconds_to_wait(error, status),
        **_of_conflict(error),
    )
    body = ErrorBody(code=error.code, message=error.message, details=details, retryable=error.retryable)
    headers = {}
    if details.retry_after_seconds is not None:
        headers["Retry-After"] = str(details.retry_after_seconds)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(exchange.refusal(body).model_dump(mode="json"), status, headers)


def _of_conflict(error: MillraceError) -> dict[str, Any]:
    if not isinstance(error, errors.Conflict):
        return {}
    return {"state": error.state, "allowed": error.allowed, "active_job_id": error.active_job_id}


def _seconds_to_wait(error: MillraceError, status: int) -> int | None:
    """Return after how many seconds the request may succeed; None if that is not known, or if it cannot.

    A storage fault, such as a repeat that meets the transaction of the first request, is over within a second.
    """
    told: float | None = getattr(error, "retry_after", None)
    if told is None:
        return 1 if status == 503 and error.retryable else None
    return max(1, math.ceil(told))


def defect(exchange: Exchange, error: Exception, **about: str) -> JSONResponse:
    """Return the response to a request that met a defect, and log the defect with the ids `about` the request.

    The response says nothing about the defect: `meta.requestId` leads to its log line.
    """
    log.defect("request broke", error, operation=exchange.operation, **exchange.ids, **about)
    message = "an internal error occurred; try again, and report the requestId if it occurs again"
    body = ErrorBody(code=ErrorCode.INTERNAL_ERROR, message=message, retryable=True)
    return JSONResponse(exchange.refusal(body).model_dump(mode="json"), 500)


def refusals(*kinds: type[MillraceError]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses for these refusals, and for the defect that every operation may meet."""
    described: dict[int | str, dict[str, Any]] = {
        500: {
            "model": ErrorEnvelope,
            "description": "An internal error. Try again, and report `meta.requestId` if it occurs again.",
        }
    }
    for kind in kinds:
        status = next(STATUS[each] for each in kind.__mro__ if each in STATUS)
        text = (kind.__doc__ or kind.__name__).splitlines()[0]
        described[status] = {"model": ErrorEnvelope, "description": text}
    return described


def install(app: FastAPI, *, union_branches: frozenset[str]) -> None:
    """Register handlers that turn every error into an envelope.

    `union_branches` are tags that pydantic adds to field paths and that the client did not write: leave them out.
    """
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
            position = each["loc"][-1] if isinstance(each["loc"][-1], int) else 0
            message = f"the body is not valid JSON: {reason} at character {position}"
            return refuse(_exchange(request), errors.MalformedRequest(message))
    return refuse(_exchange(request), errors.InvalidInput(list(_issues(found, request.app.state.union_branches))))


def _issues(found: Iterable[Any], branches: frozenset[str]) -> Iterable[FieldIssue]:
    for each in found:
        source, *path = each["loc"]
        if path and path[0] in branches:
            del path[0]
        if each["type"] in {"union_tag_not_found", "union_tag_invalid"}:
            path.append(each["ctx"]["discriminator"].strip("'"))
        yield FieldIssue(".".join(str(part) for part in path) or str(source), rule_of(each))


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    known = {
        404: (ErrorCode.NOT_FOUND, "the path was not found"),
        405: (ErrorCode.METHOD_NOT_ALLOWED, "the path does not support this method"),
        400: (ErrorCode.MALFORMED_REQUEST, "the request could not be read"),
    }
    code, message = known.get(error.status_code, (ErrorCode.INTERNAL_ERROR, "the request failed"))
    exchange = _exchange(request)
    body = exchange.refusal(ErrorBody(code=code, message=message)).model_dump(mode="json")
    return JSONResponse(body, error.status_code, error.headers)
