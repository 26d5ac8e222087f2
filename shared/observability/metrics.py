"""Write metrics in CloudWatch's embedded metric format."""

from __future__ import annotations

import json
import os
import sys
import time

from shared.errors import ErrorCode


class Metrics:
    """The metrics, as CloudWatch embedded metric format on standard output; names are those of docs/operations.md."""

    def job_created(self, *, pipeline: str) -> None:
        self._put("JobsCreated", 1, "Count", pipeline=pipeline)

    def job_ended(self, status: str, seconds: float, *, pipeline: str) -> None:
        """Count a job that ended as `status` ("completed", "failed" or "cancelled"), `seconds` after its creation."""
        self._put(f"Jobs{status.title()}", 1, "Count", pipeline=pipeline)
        self._put("JobSeconds", seconds, "Seconds", pipeline=pipeline)
        if status != "cancelled":
            self._put("FailedShare", float(status == "failed"), "None")

    def stage_finished(self, stage: str, *, input_tokens: int, output_tokens: int, cost_usd: float | None) -> None:
        self._put("StagesFinished", 1, "Count", stage=stage)
        if input_tokens or output_tokens:
            self._put("InputTokens", input_tokens, "Count", stage=stage)
            self._put("OutputTokens", output_tokens, "Count", stage=stage)
        if cost_usd is not None:
            self._put("CostInDollars", cost_usd, "None", stage=stage)

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


metrics = Metrics()
