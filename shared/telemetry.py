"""Logs and metrics: structured, keyed by job and request, and never a word of a prompt or an answer."""

from __future__ import annotations

import functools
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from shared.errors import ErrorCode
    from shared.jobs.job import Job
    from shared.jobs.usage import TokenUsage


@functools.cache
def _logger() -> Logger:
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - costs start-up time where nothing is logged

    return Logger(location=None)


class Log:
    """The log: a message in plain words, and fields to search by."""

    def info(self, message: str, **fields: Any) -> None:
        _logger().info(message, extra=fields)

    def warning(self, message: str, **fields: Any) -> None:
        _logger().warning(message, extra=fields)

    def error(self, message: str, **fields: Any) -> None:
        _logger().error(message, extra=fields)

    def defect(self, message: str, error: BaseException, **fields: Any) -> None:
        """An unforeseen exception: its type and where it came from, without its text, which may quote a prompt."""
        frames = traceback.format_tb(error.__traceback__)
        _logger().error(message, extra={**fields, "error_type": type(error).__name__, "frames": frames})


class Metrics:
    """The metrics, as CloudWatch embedded metric format on standard output; names are those of docs/operations.md."""

    def job_created(self, job: Job) -> None:
        self._put("JobsCreated", 1, "Count", pipeline=job.pipeline)

    def job_ended(self, job: Job) -> None:
        self._put(f"Jobs{job.status.value.title()}", 1, "Count", pipeline=job.pipeline)
        if job.ended_at is not None:
            self._put("JobSeconds", (job.ended_at - job.created_at).total_seconds(), "Seconds", pipeline=job.pipeline)

    def stage_finished(self, stage: str, usage: TokenUsage) -> None:
        self._put("StagesFinished", 1, "Count", stage=stage)
        if usage.total_tokens:
            self._put("InputTokens", usage.input_tokens, "Count", stage=stage)
            self._put("OutputTokens", usage.output_tokens, "Count", stage=stage)

    def attempt_failed(self, stage: str, code: ErrorCode) -> None:
        self._put("AttemptsFailed", 1, "Count", stage=stage, code=code.value)

    def first_delta(self, seconds: float, *, pipeline: str) -> None:
        self._put("SecondsToFirstDelta", seconds, "Seconds", pipeline=pipeline)

    def stream_ended(self, seconds: float, *, pipeline: str, reason: str) -> None:
        self._put("StreamSeconds", seconds, "Seconds", pipeline=pipeline, reason=reason)

    def swept(self, ended: int) -> None:
        self._put("StuckJobsEnded", ended, "Count")

    def answered(self, operation: str, status: int, milliseconds: float) -> None:
        self._put("Requests", 1, "Count", operation=operation, status=f"{status // 100}xx")
        self._put("RequestMilliseconds", milliseconds, "Milliseconds", operation=operation)

    def refused(self, operation: str, code: ErrorCode) -> None:
        self._put("Refusals", 1, "Count", operation=operation, code=code.value)

    def _put(self, name: str, value: float, unit: str, **dimensions: str) -> None:
        from aws_lambda_powertools.metrics import EphemeralMetrics  # noqa: PLC0415 - as above

        # One object per measurement: the function host runs handlers in threads, and a shared one would mix dimensions.
        metric = EphemeralMetrics()
        for key, dimension in dimensions.items():
            metric.add_dimension(name=key, value=dimension)
        metric.add_metric(name=name, unit=unit, value=value)
        metric.flush_metrics()


log = Log()
metrics = Metrics()
