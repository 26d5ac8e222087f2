"""Write structured log lines, keyed by job and request, that never contain a prompt or an output."""

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
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - costs start-up time where nothing is logged

    return Logger(location=None)


_NOTHING: Mapping[str, Any] = {}
_subject: ContextVar[Mapping[str, Any]] = ContextVar("subject", default=_NOTHING)


class Log:
    """The log: a message in plain words, and fields to search by.

    Errors and defects are reported to Sentry as well, where that is set up.
    """

    def info(self, message: str, **fields: Any) -> None:
        _logger().info(message, extra={**_subject.get(), **fields})

    def warning(self, message: str, **fields: Any) -> None:
        _logger().warning(message, extra={**_subject.get(), **fields})

    def error(self, message: str, **fields: Any) -> None:
        about = {**_subject.get(), **fields}
        _logger().error(message, extra=about)
        self._report(message, about)

    def defect(self, message: str, error: BaseException, **fields: Any) -> None:
        """An unforeseen exception: its type and where it came from, without its text, which may quote a prompt."""
        about = {**_subject.get(), **fields}
        frames = traceback.format_tb(error.__traceback__)
        _logger().error(message, extra={**about, "error_type": type(error).__name__, "frames": frames})
        self._report(message, about, error)

    def _report(self, message: str, about: Mapping[str, Any], error: BaseException | None = None) -> None:
        problem = error_reports.report(message, about, error)
        if problem is not None:
            _logger().warning("not reported to Sentry", extra={"reason": problem})

    @contextlib.contextmanager
    def about(self, **fields: Any) -> Iterator[None]:
        """Every line written in this block, or by whatever begins in it, has these fields too."""
        token = _subject.set({**_subject.get(), **fields})
        try:
            yield
        finally:
            _subject.reset(token)


log = Log()
