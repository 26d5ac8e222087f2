"""What surrounds every invocation that is not an HTTP request: its log lines' ids, its span, its error reports."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from shared.observability import error_reports, tracing
from shared.observability.log import log
from shared.runtime import startup

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def observed(handler: Handler) -> Handler:
    """The handler as Lambda is to call it. Its exceptions stay what they are: Step Functions goes by their names."""

    @functools.wraps(handler)
    def observing(event: dict[str, Any], context: Any) -> dict[str, Any]:
        place = tracing.header_of_invocation()
        ids = {"request_id": context.aws_request_id, "trace_id": place.trace_id}
        if "jobId" in event:
            ids["job_id"] = str(event["jobId"])
        name = str(context.function_name).rpartition("-")[2]
        try:
            with log.about(**ids), tracing.span(name, at=place):
                return handler(event, context)
        finally:
            error_reports.flush()
            startup.finish()

    return observing
