"""Logs and metrics: structured, keyed by job and request, and never a word of a prompt or an answer."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from shared import error_reports

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from shared.errors import ErrorCode
    from shared.jobs.job import Job
    from shared.jobs.usage import TokenUsage


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


def ids_of(job: Job) -> dict[str, str | None]:
    """What every line about the job carries: the job, the request that made it run, and their trace."""
    return {"job_id": job.id, "request_id": job.request_id, "trace_id": job.trace_id}


class Metrics:
    """The metrics, as CloudWatch embedded metric format on standard output; names are those of docs/operations.md."""

    def job_created(self, job: Job) -> None:
        self._put("JobsCreated", 1, "Count", pipeline=job.pipeline)

    def job_ended(self, job: Job) -> None:
        self._put(f"Jobs{job.status.value.title()}", 1, "Count", pipeline=job.pipeline)
        if job.ended_at is not None:
            self._put("JobSeconds", (job.ended_at - job.created_at).total_seconds(), "Seconds", pipeline=job.pipeline)
        if job.status.value in {"completed", "failed"}:
            self._put("FailedShare", float(job.status.value == "failed"), "None")

    def stage_finished(self, stage: str, usage: TokenUsage) -> None:
        self._put("StagesFinished", 1, "Count", stage=stage)
        if usage.total_tokens:
            self._put("InputTokens", usage.input_tokens, "Count", stage=stage)
            self._put("OutputTokens", usage.output_tokens, "Count", stage=stage)
        if usage.cost_usd is not None:
            self._put("CostInDollars", usage.cost_usd, "None", stage=stage)

    def attempt_failed(self, stage: str, code: ErrorCode) -> None:
        self._put("AttemptsFailed", 1, "Count", stage=stage, code=code.value)

    def first_delta(self, seconds: float, *, pipeline: str) -> None:
        self._put("SecondsToFirstDelta", seconds, "Seconds", pipeline=pipeline)

    def stream_ended(self, seconds: float, *, pipeline: str, reason: str) -> None:
        self._put("StreamSeconds", seconds, "Seconds", pipeline=pipeline, reason=reason)
        if reason == "unavailable":
            self._put("StreamsInterrupted", 1, "Count")

    def swept(self, *, ended: int, oldest_pending: float) -> None:
        """`oldest_pending`: seconds that the job which waits longest to be started has waited; 0 if none does."""
        self._put("StuckJobsEnded", ended, "Count")
        self._put("OldestPendingJobSeconds", oldest_pending, "Seconds")

    def answered(self, operation: str, status: int, milliseconds: float) -> None:
        self._put("Requests", 1, "Count", operation=operation, status=f"{status // 100}xx")
        self._put("RequestMilliseconds", milliseconds, "Milliseconds", operation=operation)

    def refused(self, operation: str, code: ErrorCode) -> None:
        self._put("Refusals", 1, "Count", operation=operation, code=code.value)

    def _put(self, name: str, value: float, unit: str, **dimensions: str) -> None:
        """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

        Written here rather than with Powertools: every request has metrics, and most have no log line to load that for.
        """
        named = {**dimensions, "service": os.environ.get("POWERTOOLS_SERVICE_NAME", "millrace")}
        directive = {
            "Namespace": os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Millrace"),
            "Dimensions": [[*named]],
            "Metrics": [{"Name": name, "Unit": unit}],
        }
        about = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]}
        # One write, line feed included: threads that print at the same time must not share a line.
        sys.stdout.write(json.dumps({"_aws": about, **named, name: [value]}, separators=(",", ":")) + "\n")


log = Log()
metrics = Metrics()
