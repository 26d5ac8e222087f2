"""Write metrics in CloudWatch's embedded metric format, with Powertools (docs/decisions/0018-powertools.md)."""

from __future__ import annotations

import json
import os
import sys

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

    def lost_job_ended(self) -> None:
        self._put("StuckJobsEnded", 1, "Count")

    def blocks_read(self, *, hits: int, misses: int) -> None:
        """Count the blocks of workbooks that the process's cache had (`hits`), and those that it had to read."""
        self._put("BlockCacheHits", hits, "Count")
        self._put("BlockCacheMisses", misses, "Count")

    def cache_read(self, kind: str, *, hits: int, misses: int) -> None:
        """Count what a cache of this kind had (`hits`), and what it did not have (`misses`)."""
        self._put("CacheHits", hits, "Count", kind=kind)
        self._put("CacheMisses", misses, "Count", kind=kind)

    def not_modified(self, operation: str) -> None:
        """Count a response that told the client to use what it has."""
        self._put("NotModified", 1, "Count", operation=operation)

    def webhook_delivery_ended(self, status: str, seconds: float) -> None:
        """Count a delivery that ended as `status` ("delivered", "failed" or "discarded"), `seconds` after its event."""
        self._put(f"Webhooks{status.title()}", 1, "Count")
        if status == "delivered":
            self._put("WebhookSeconds", seconds, "Seconds")

    def webhook_attempt_failed(self, reason: str) -> None:
        """Count an attempt that failed; `reason` is the class of the status, such as `5xx`, or why there was none."""
        self._put("WebhookAttemptsFailed", 1, "Count", reason=reason)

    def webhook_endpoint_disabled(self) -> None:
        """Count an endpoint that was disabled because its receiver is gone or has failed for days."""
        self._put("WebhookEndpointsDisabled", 1, "Count")

    def deliveries_swept(self, *, queued: int, oldest_due: float) -> None:
        """`oldest_due`: seconds since the time of the delivery that was due for longest; 0 if none was late."""
        self._put("WebhooksQueuedAgain", queued, "Count")
        self._put("OldestDueDeliverySeconds", oldest_due, "Seconds")

    def answered(self, operation: str, status: int, milliseconds: float) -> None:
        self._put("Requests", 1, "Count", operation=operation, status=f"{status // 100}xx")
        self._put("RequestMilliseconds", milliseconds, "Milliseconds", operation=operation)

    def refused(self, operation: str, code: ErrorCode) -> None:
        self._put("Refusals", 1, "Count", operation=operation, code=code.value)

    def _put(self, name: str, value: float, unit: str, **dimensions: str) -> None:
        """Write one metric as one line, with its own dimensions."""
        # Imported on first use: importing a function loads nothing that only an invocation needs.
        from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (  # noqa: PLC0415
            AmazonCloudWatchEMFProvider,
        )

        provider = AmazonCloudWatchEMFProvider(
            namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Millrace"),
            service=os.environ.get("POWERTOOLS_SERVICE_NAME", "millrace"),
        )
        for dimension, text in dimensions.items():
            provider.add_dimension(dimension, text)
        provider.add_metric(name, unit, value)
        document = provider.serialize_metric_set()
        # Powertools would print the line and its line feed apart: threads that write at the same time would mix them.
        sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")


metrics = Metrics()
