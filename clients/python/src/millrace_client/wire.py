"""The API's responses: the envelope around data, and the errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from millrace_client import models
from millrace_client._model import ApiModel
from millrace_client.errors import MillraceError, Refused, Unreachable, Unreadable

M = TypeVar("M", bound=ApiModel)

NOT_MODIFIED = 304
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500

CODE_OF_STATUS = {401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND", 413: "PAYLOAD_TOO_LARGE"}
"""The codes of the refusals that API Gateway makes itself, which have no envelope."""


def data_of(response: httpx.Response) -> Any:
    """Return the data of a successful response, None for 304. Raises Unreadable."""
    if response.status_code == NOT_MODIFIED:
        return None
    envelope = _json(response)
    if not isinstance(envelope, dict) or envelope.get("success") is not True or "data" not in envelope:
        raise Unreadable(f"{response.request.method} {response.request.url.path}: the response is not from this API")
    return envelope["data"]


def parsed(model: type[M], data: Any) -> M:
    """Return the data as this model. Raises Unreadable."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise Unreadable(f"the response is no {model.__name__} that this client can read: {error}") from error


def is_successful(response: httpx.Response) -> bool:
    """Return whether the response is no error."""
    return response.is_success or response.status_code == NOT_MODIFIED


def error_of(response: httpx.Response) -> MillraceError:
    """Return the error of an unsuccessful response, whose body has been read.

    A 5xx, and a 429 from API Gateway, are Unreachable; every other response of the API is Refused.
    """
    status = response.status_code
    retry_after = _seconds(response.headers.get("retry-after"))
    body = _json(response)
    if isinstance(body, dict) and body.get("success") is False:
        try:
            return _error_of_envelope(models.ErrorEnvelope.model_validate(body), status, retry_after)
        except ValidationError:
            return Unreadable(f"the server returned {status} with an error that this client cannot read")
    if status >= SERVER_ERROR or status == TOO_MANY_REQUESTS:
        return Unreachable(f"the service returned {status}", status=status, retry_after=retry_after)
    code = CODE_OF_STATUS.get(status)
    if code is None:
        return Unreadable(f"the server returned {status}, which this API does not")
    # API Gateway's own refusals have the form {"message": "Unauthorized"}.
    told = body.get("message") if isinstance(body, dict) else None
    message = told if isinstance(told, str) else f"the server returned {status}"
    return Refused(message, status=status, code=code, retry_after=retry_after)


def _error_of_envelope(envelope: models.ErrorEnvelope, status: int, retry_after: float | None) -> MillraceError:
    error = envelope.error
    # A job was created although the request failed, so the same request would return the same error.
    created = error.details.job_id is not None
    if status >= SERVER_ERROR and not created and error.retryable:
        return Unreachable(error.message, status=status, retry_after=retry_after)
    return Refused(
        error.message,
        status=status,
        code=error.code,
        fields=error.details.fields,
        retryable=error.retryable,
        retry_after=retry_after if retry_after is not None else error.details.retry_after_seconds,
        request_id=envelope.meta.request_id,
    )


def query_of(query: Mapping[str, Any]) -> dict[str, str]:
    """Return the query parameters that are given."""
    return {name: _text(value) for name, value in query.items() if value is not None and value != ""}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else float(header)
    except ValueError:
        return None
