"""Every metric that the dashboard or an alarm uses is written by the code in the format that CloudWatch reads."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.template.intrinsics import parse_yaml
from tests.contract.emitted import CALLS, NAMESPACE, Measurement, emitted, every_measurement

ROOT = Path(__file__).parents[2]
RESOURCES: dict[str, Any] = parse_yaml((ROOT / "template.yaml").read_text())["Resources"]
ALARMS = {name: each["Properties"] for name, each in RESOURCES.items() if each["Type"] == "AWS::CloudWatch::Alarm"}

AWS_METRICS: dict[str, tuple[set[str], set[frozenset[str]]]] = {
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    # https://docs.aws.amazon.com/lambda/latest/dg/urls-monitoring.html
    "AWS/Lambda": (
        {
            *("Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions", "IteratorAge"),
            *("UrlRequestCount", "Url4xxCount", "Url5xxCount", "UrlRequestLatency"),
        },
        {frozenset(), frozenset({"FunctionName"})},
    ),
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
    "AWS/ApiGateway": (
        {
            *("4xx", "5xx", "Count", "IntegrationLatency", "Latency"),
            # of a WebSocket API:
            *("ConnectCount", "MessageCount", "IntegrationError", "ClientError", "ExecutionError"),
        },
        {frozenset({"ApiId"})},
    ),
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    "AWS/States": (
        {
            *("ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"),
            *("ExecutionsAborted", "ExecutionThrottled", "ExecutionTime"),
        },
        {frozenset({"StateMachineArn"})},
    ),
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    "AWS/DynamoDB": (
        {
            *("ReadThrottleEvents", "WriteThrottleEvents", "SystemErrors"),
            *("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"),
        },
        {frozenset({"TableName"}), frozenset({"TableName", "Operation"})},
    ),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": (
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
        {frozenset({"QueueName"})},
    ),
}


@dataclass(frozen=True, slots=True)
class Use:
    """A metric that a widget or an alarm uses; `dimensions` are those of our metrics with their values, if given."""

    where: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


def in_alarms() -> Iterator[Use]:
    for alarm, properties in ALARMS.items():
        stats = [each["MetricStat"]["Metric"] for each in properties.get("Metrics", ()) if "MetricStat" in each]
        for metric in stats or [properties]:
            dimensions = tuple((str(each["Name"]), str(each["Value"])) for each in metric.get("Dimensions", ()))
            yield Use(alarm, metric["Namespace"], metric["MetricName"], dimensions)


def in_dashboard() -> Iterator[Use]:
    for widget in DASHBOARD["widgets"]:
        title = widget["properties"]["title"]
        for row in widget["properties"]["metrics"]:
            found = SEARCHED.search(row[0].get("expression", "")) if isinstance(row[0], dict) else None
            if found is not None:
                namespace, *names = found["schema"].split(",")
                yield Use(title, namespace, found["metric"], tuple((name, "") for name in names))
                continue
            assert isinstance(row[0], str), row
            namespace, name, *rest = [each for each in row if not isinstance(each, dict)]
            yield Use(title, namespace, name, tuple(zip(rest[::2], rest[1::2], strict=True)))


SEARCHED = re.compile(r"SEARCH\('\{(?P<schema>[^}]+)\} .*MetricName=\"(?P<metric>\w+)\"'")
DASHBOARD: dict[str, Any] = json.loads(
    # `!Sub` was read as {"Fn::Sub": text}; its values do not matter here.
    RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
)
USES = [*in_alarms(), *in_dashboard()]
OURS = every_measurement()


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.where}: {use.name}")
def test_the_dashboard_and_alarms_use_only_metrics_that_the_code_writes(use: Use) -> None:
    names = frozenset(name for name, _ in use.dimensions)
    if use.namespace != NAMESPACE:
        metrics, dimension_sets = AWS_METRICS[use.namespace]
        assert use.name in metrics
        assert names in dimension_sets
        return
    written = [each for each in OURS if each.name == use.name]
    assert written, f"nothing writes {use.name}"
    assert any(names == frozenset(dict(each.dimensions)) for each in written), {each.dimensions for each in written}
    for name, value in use.dimensions:
        assert not value or value in {dict(each.dimensions)[name] for each in written}


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = {use.name for use in in_dashboard() if use.namespace == NAMESPACE}
    assert {each.name for each in OURS} == shown


def test_widgets_do_not_overlap() -> None:
    taken = [
        (column, row)
        for widget in DASHBOARD["widgets"]
        for column in range(widget["x"], widget["x"] + widget["width"])
        for row in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(taken) == len(set(taken))
    assert max(column for column, _ in taken) < 24


def rows(page: str) -> list[list[str]]:
    """Return the cells of every table row of the page that begins with code."""
    lines = (ROOT / "docs" / page).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]


def test_the_page_explains_exactly_the_alarms_of_the_template() -> None:
    patterns = [name for first, *_ in rows("operations.md") for name in re.findall(r"`([\w*]+Alarm)`", first)]
    unexplained = [name for name in ALARMS if not any(fnmatch.fnmatchcase(name, each) for each in patterns)]
    assert unexplained == []
    assert [each for each in patterns if not fnmatch.filter(ALARMS, each)] == []


def test_the_page_gives_the_meaning_and_the_remedy_of_every_alarm() -> None:
    for first, *rest in rows("operations.md"):
        if "Alarm`" in first:
            assert len(rest) == 2, first
            assert all(len(cell) > 20 for cell in rest), first


def test_the_page_explains_every_metric_of_ours() -> None:
    explained = {name for first, *_ in rows("operations.md") for name in re.findall(r"`(\w+)`", first)}
    assert {each.name for each in OURS} <= explained


@pytest.mark.parametrize("page", ["performance.md", "troubleshooting.md"])
def test_pages_name_only_metrics_that_exist(page: str) -> None:
    named = set(
        re.findall(
            r"`([A-Z]\w+(?:Seconds|Milliseconds|Tokens|Failed|Share|Count|Events|Units|Jobs\w*))`",
            (ROOT / "docs" / page).read_text(),
        )
    )
    known = {each.name for each in OURS}.union(*(metrics for metrics, _ in AWS_METRICS.values()))
    assert named
    assert named <= known, named - known


def test_every_log_group_has_a_retention_time() -> None:
    groups = {name: each["Properties"] for name, each in RESOURCES.items() if each["Type"] == "AWS::Logs::LogGroup"}
    assert all("RetentionInDays" in properties for properties in groups.values())
    functions = [each for each in RESOURCES.values() if each["Type"] == "AWS::Serverless::Function"]
    assert all(each["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] in groups for each in functions)


# ---- the lines themselves ------------------------------------------------------------------------------------------

P, S, OP = ("pipeline", "suggestion"), ("service", "millrace"), ("operation", "create_job")
STAGE, KIND = ("stage", "generate_suggestions"), ("kind", "version")
EXPECTED: dict[str, list[Measurement]] = {
    "job_created": [Measurement("JobsCreated", "Count", 1, (P, S))],
    "job_ended": [
        Measurement("JobsCompleted", "Count", 1, (P, S)),
        Measurement("JobSeconds", "Seconds", 90, (P, S)),
        Measurement("FailedShare", "None", 0, (S,)),
        Measurement("JobsFailed", "Count", 1, (P, S)),
        Measurement("JobSeconds", "Seconds", 90, (P, S)),
        Measurement("FailedShare", "None", 1, (S,)),
        Measurement("JobsCancelled", "Count", 1, (P, S)),
        Measurement("JobSeconds", "Seconds", 90, (P, S)),
    ],
    "stage_finished": [
        Measurement("StagesFinished", "Count", 1, (S, STAGE)),
        Measurement("InputTokens", "Count", 7, (S, STAGE)),
        Measurement("OutputTokens", "Count", 11, (S, STAGE)),
        Measurement("CostInDollars", "None", 0.25, (S, STAGE)),
    ],
    "attempt_failed": [Measurement("AttemptsFailed", "Count", 1, (("code", "MODEL_RATE_LIMITED"), S, STAGE))],
    "first_delta": [Measurement("SecondsToFirstDelta", "Seconds", 0.5, (P, S))],
    "stream_ended": [
        Measurement("StreamSeconds", "Seconds", 12.5, (P, ("reason", "finished"), S)),
        Measurement("StreamSeconds", "Seconds", 3, (P, ("reason", "unavailable"), S)),
        Measurement("StreamsInterrupted", "Count", 1, (S,)),
    ],
    "swept": [
        Measurement("StuckJobsEnded", "Count", 2, (S,)),
        Measurement("OldestPendingJobSeconds", "Seconds", 75, (S,)),
    ],
    "lost_job_ended": [Measurement("StuckJobsEnded", "Count", 1, (S,))],
    "blocks_read": [
        Measurement("BlockCacheHits", "Count", 3, (S,)),
        Measurement("BlockCacheMisses", "Count", 1, (S,)),
    ],
    "cache_read": [
        Measurement("CacheHits", "Count", 3, (KIND, S)),
        Measurement("CacheMisses", "Count", 1, (KIND, S)),
    ],
    "not_modified": [Measurement("NotModified", "Count", 1, (("operation", "get_cells"), S))],
    "webhook_delivery_ended": [
        Measurement("WebhooksDelivered", "Count", 1, (S,)),
        Measurement("WebhookSeconds", "Seconds", 0.75, (S,)),
        Measurement("WebhooksFailed", "Count", 1, (S,)),
        Measurement("WebhooksDiscarded", "Count", 1, (S,)),
    ],
    "webhook_attempt_failed": [Measurement("WebhookAttemptsFailed", "Count", 1, (("reason", "5xx"), S))],
    "webhook_endpoint_disabled": [Measurement("WebhookEndpointsDisabled", "Count", 1, (S,))],
    "deliveries_swept": [
        Measurement("WebhooksQueuedAgain", "Count", 4, (S,)),
        Measurement("OldestDueDeliverySeconds", "Seconds", 12.5, (S,)),
    ],
    "answered": [
        Measurement("Requests", "Count", 1, (OP, S, ("status", "2xx"))),
        Measurement("RequestMilliseconds", "Milliseconds", 21.5, (OP, S)),
    ],
    "refused": [Measurement("Refusals", "Count", 1, (("code", "RATE_LIMIT_EXCEEDED"), OP, S))],
}


@pytest.mark.parametrize("method", CALLS)
def test_cloudwatch_can_read_the_line_of_every_measurement(method: str) -> None:
    assert emitted(method) == EXPECTED[method]
