"""Errors of the scripted model, in OpenAI's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from local.model.behaviour import Behaviour
from local.model.connection import HttpConnection

_ERRORS: Final[dict[int, tuple[str, str | None]]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "permission_denied"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class BadRequest(Exception):
    """The request is not valid; the text says why."""


def send_scripted_error(connection: HttpConnection, behaviour: Behaviour, status: int) -> None:
    """Send the HTTP error that the behaviour describes."""
    retry_after = 1 if behaviour.retry_after is None and status == 429 else behaviour.retry_after
    headers = [] if retry_after is None else [("retry-after", str(retry_after))]
    send_error(connection, status, f"Scripted error {status}.", code=behaviour.error_code, headers=headers)


def send_error(
    connection: HttpConnection,
    status: int,
    message: str,
    *,
    code: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> None:
    """Send an error response."""
    connection.send_json(status, error_document(status, message, code), headers)


def error_document(status: int, message: str, code: str | None) -> dict[str, Any]:
    """Return the body of an error response."""
    kind, usual_code = _ERRORS.get(status, ("server_error", None))
    return {"error": {"message": message, "type": kind, "param": None, "code": code or usual_code}}
