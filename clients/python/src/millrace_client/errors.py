"""The errors of the client.

MillraceError
├── Refused       the API refused the request; the same request fails again, at least until `retry_after`
├── Unreachable   the network or the service failed; the same request may succeed later
├── Unreadable    the response is not from this API
├── JobFailed     the job that was waited for has failed
└── JobCancelled  the job that was waited for was cancelled
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millrace_client import models


class MillraceError(Exception):
    """Any error of this client."""


class Refused(MillraceError):
    """The API refused the request.

    `status` is the HTTP status, `code` the API's code, `fields` the fields of the input that broke a rule,
    `retry_after` the seconds to wait before the same request may succeed, `request_id` the id for support.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        fields: Sequence[models.FieldError] = (),
        retryable: bool = False,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.fields = tuple(fields)
        self.retryable = retryable
        self.retry_after = retry_after
        self.request_id = request_id


class Unreachable(MillraceError):
    """There was no response, or the service returned a server error. `retry_after` is in seconds."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Unreadable(MillraceError):
    """The response is not from this API: from another server, or from an incompatible version."""


class JobFailed(MillraceError):
    """The job has failed. `failure` has the code, the message, the stage, and whether a resumption may help."""

    def __init__(self, job_id: str, failure: models.Failed | models.Fault) -> None:
        super().__init__(f"job {job_id} has failed: {failure.message}")
        self.job_id = job_id
        self.failure = failure


class JobCancelled(MillraceError):
    """The job was cancelled."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} was cancelled")
        self.job_id = job_id
