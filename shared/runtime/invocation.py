"""Wrap every handler that serves no HTTP request: ids for its log lines, a span, its error reports."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from shared.clock import ending_in
from shared.observability import error_reports, metering, tracing
from shared.observability.log import log
from shared.observability.metering import Meter
from shared.runtime import at_end, startup

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

Handler = Callable[[dict[str, Any], "LambdaContext"], dict[str, Any]]
"""A Lambda handler: gets the invocation event and the context, and returns the result."""


def _metered(event: dict[str, Any], context: LambdaContext) -> AbstractContextManager[object]:
    """Count what the invocation uses if its payload names a job: a state machine has sent it."""
    if "jobId" not in event:
        return contextlib.nullcontext()
    return metering.metered(Meter(megabytes=metering.megabytes_of_function(context), transitions=1))


def observed(handler: Handler) -> Handler:
    """Return the handler that Lambda calls. It raises the same exceptions, because Step Functions needs their names."""

    @functools.wraps(handler)
    def observing(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        header = tracing.header_of_invocation()
        ids = {"request_id": context.aws_request_id, "trace_id": header.trace_id}
        if "jobId" in event:
            ids["job_id"] = str(event["jobId"])
        name = context.function_name.rpartition("-")[2]
        try:
            left = context.get_remaining_time_in_millis() / 1000
            with (
                log.about(function=name, **ids),
                tracing.span(name, at=header),
                ending_in(left),
                _metered(event, context),
            ):
                return handler(event, context)
        finally:
            at_end.run()
            error_reports.flush()
            startup.finish()

    return observing
