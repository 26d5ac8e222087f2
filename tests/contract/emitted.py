"""Call every method of `Metrics`, and read its log lines as CloudWatch does."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from unittest import mock

from shared.errors import ErrorCode
from shared.observability.metrics import Metrics

NAMESPACE = "Millrace"


CALLS: dict[str, list[Callable[[Metrics], None]]] = {
    "job_created": [lambda to: to.job_created(pipeline="suggestion")],
    "job_ended": [
        lambda to: to.job_ended("completed", 90.0, pipeline="suggestion"),
        lambda to: to.job_ended("failed", 90.0, pipeline="suggestion"),
        lambda to: to.job_ended("cancelled", 90.0, pipeline="suggestion"),
    ],
    "stage_finished": [
        lambda to: to.stage_finished("generate_suggestions", input_tokens=7, output_tokens=11, cost_usd=0.25)
    ],
    "attempt_failed": [lambda to: to.attempt_failed("generate_suggestions", ErrorCode.MODEL_RATE_LIMITED)],
    "first_delta": [lambda to: to.first_delta(0.5, pipeline="suggestion")],
    "stream_ended": [
        lambda to: to.stream_ended(12.5, pipeline="suggestion", reason="finished"),
        lambda to: to.stream_ended(3.0, pipeline="suggestion", reason="unavailable"),
    ],
    "swept": [lambda to: to.swept(ended=2, oldest_pending=75.0)],
    "lost_job_ended": [lambda to: to.lost_job_ended()],
    "blocks_read": [lambda to: to.blocks_read(hits=3, misses=1)],
    "cache_read": [lambda to: to.cache_read("version", hits=3, misses=1)],
    "not_modified": [lambda to: to.not_modified("get_cells")],
    "webhook_delivery_ended": [
        lambda to: to.webhook_delivery_ended("delivered", 0.75),
        lambda to: to.webhook_delivery_ended("failed", 90.0),
        lambda to: to.webhook_delivery_ended("discarded", 90.0),
    ],
    "webhook_attempt_failed": [lambda to: to.webhook_attempt_failed("5xx")],
    "webhook_endpoint_disabled": [lambda to: to.webhook_endpoint_disabled()],
    "deliveries_swept": [lambda to: to.deliveries_swept(queued=4, oldest_due=12.5)],
    "answered": [lambda to: to.answered("create_job", 202, 21.5)],
    "refused": [lambda to: to.refused("create_job", ErrorCode.RATE_LIMIT_EXCEEDED)],
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of one metric with its dimensions."""

    name: str
    unit: str
    value: float
    dimensions: tuple[tuple[str, str], ...]


def measurements_in(lines: Iterable[str]) -> list[Measurement]:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"""
    found = []
    for line in lines:
        document: dict[str, Any] = json.loads(line) if line.startswith('{"_aws"') else {}
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
            assert directive["Namespace"] == NAMESPACE
            for names in directive["Dimensions"]:
                dimensions = tuple((name, document[name]) for name in sorted(names))
                for metric in directive["Metrics"]:
                    values = document[metric["Name"]]
                    found += [
                        Measurement(metric["Name"], metric["Unit"], value, dimensions)
                        for value in (values if isinstance(values, list) else [values])
                    ]
    return found


def emitted(method: str) -> list[Measurement]:
    """Return the measurements that the calls of this method write."""
    written = io.StringIO()
    variables = {"POWERTOOLS_SERVICE_NAME": "millrace", "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE}
    with mock.patch.dict(os.environ, variables), contextlib.redirect_stdout(written):
        for call in CALLS[method]:
            call(Metrics())
    return measurements_in(written.getvalue().splitlines())


def every_measurement() -> list[Measurement]:
    """Return every measurement that the code can write; AssertionError if CALLS lacks a method of `Metrics`."""
    methods = {name for name, _ in inspect.getmembers(Metrics, inspect.isfunction) if not name.startswith("_")}
    assert methods == CALLS.keys()
    return [each for method in CALLS for each in emitted(method)]
