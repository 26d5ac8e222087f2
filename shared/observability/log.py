"""Write structured log lines with job and request ids, and never a prompt or an output."""

from __future__ import annotations

import contextlib
import functools
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from shared.observability import error_reports

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


@functools.cache
def _logger() -> Logger:
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - a function that logs nothing starts faster

    return Logger(location=None)


_NO_FIELDS: Mapping[str, Any] = {}
_context_fields: ContextVar[Mapping[str, Any]] = ContextVar("context_fields", default=_NO_FIELDS)


class Log:
    """Write log lines: a message, and fields to search by. Report errors and defects to Sentry too, if it is set up."""

    def info(self, message: str, **fields: Any) -> None:
        """Log a normal event."""
        _logger().info(message, extra={**_context_fields.get(), **fields})

    def warning(self, message: str, **fields: Any) -> None:
        """Log an event that needs no action, but may explain an error."""
        _logger().warning(message, extra={**_context_fields.get(), **fields})

    def error(self, message: str, **fields: Any) -> None:
        """Log and report an error that Millrace expects, such as a failed job."""
        about = {**_context_fields.get(), **fields}
        _logger().error(message, extra=about)
        self._report(message, about)

    def defect(self, message: str, error: BaseException, **fields: Any) -> None:
        """Log and report an unexpected exception: its type and stack, but not its text, which may quote a prompt."""
        about = {**_context_fields.get(), **fields}
        frames = [error_reports.without_folders(each) for each in traceback.format_tb(error.__traceback__)]
        _logger().error(message, extra={**about, "error_type": type(error).__name__, "frames": frames})
        self._report(message, about, error)

    def _report(self, message: str, about: Mapping[str, Any], error: BaseException | None = None) -> None:
        reason = error_reports.report(message, about, error)
        if reason is not None:
            _logger().warning("not reported to Sentry", extra={"reason": reason})

    @contextlib.contextmanager
    def about(self, **fields: Any) -> Iterator[None]:
        """Add these fields to every line that is written in the block, also by tasks that start in it."""
        token = _context_fields.set({**_context_fields.get(), **fields})
        try:
            yield
        finally:
            _context_fields.reset(token)


log = Log()
"""The log of this process."""
