"""Reads queues, and the event sources of functions: the streams and queues whose records Lambda hands to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.template.intrinsics import ACCOUNT, REGION, TemplateError

QUEUE = "AWS::SQS::Queue"
# The attributes of CreateQueue that CloudFormation has under the same names.
_ATTRIBUTES = ("DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "VisibilityTimeout")
QUEUE_PROPERTIES = (*_ATTRIBUTES, "RedrivePolicy")
"""The properties of a queue that `queue_of` reads."""
_UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue: `attributes` are those of CreateQueue, without the redrive policy.

    `dead_letters` is the ARN of the queue that gets a message after `receives` failures; None keeps it.
    """

    name: str
    arn: str
    attributes: Mapping[str, str]
    dead_letters: str | None = None
    receives: int = 0


@dataclass(frozen=True, slots=True)
class StreamSource:
    """A stream whose records a function gets, in the words of Lambda's event source mapping.

    `function` is its name and `role` its logical id; `table` is the table's name. `patterns` are the filter, of which a
    record must fit one; without any, every record passes. `window` and `longest_age` are in seconds, and `retries` and
    `longest_age` None without a limit. `given_up` is the ARN of the queue that is told of records that are given up.
    """

    function: str
    logical_id: str
    table: str
    patterns: tuple[Mapping[str, Any], ...]
    batch_size: int
    window: float
    lanes: int
    bisects: bool
    partial: bool
    retries: int | None
    longest_age: float | None
    given_up: str | None


@dataclass(frozen=True, slots=True)
class QueueSource:
    """A queue whose messages a function gets; `concurrency` is how many batches at the same time."""

    function: str
    logical_id: str
    queue: str
    batch_size: int
    partial: bool
    concurrency: int


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def queue_url(name: str) -> str:
    """Return what `Ref` has on AWS; here the client's endpoint decides where the queue is."""
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


def queue_of(name: str, properties: Mapping[str, Any]) -> Queue:
    """Return the queue with these resolved properties."""
    redrive = properties.get("RedrivePolicy") or {}
    return Queue(
        name,
        queue_arn(name),
        {each: str(properties[each]) for each in _ATTRIBUTES if each in properties},
        redrive.get("deadLetterTargetArn"),
        int(redrive.get("maxReceiveCount", 0)),
    )


def sources_of(
    logical_id: str, function: str, events: Mapping[str, Any], resolve: Callable[[Any, str], Any]
) -> Iterator[StreamSource | QueueSource]:
    """Yield the event sources among SAM's `Events` of a function. Raises TemplateError for what is not supported."""
    for name, event in events.items():
        kind = event.get("Type")
        if kind not in {"DynamoDB", "SQS"}:
            continue
        path = f"{logical_id}.Events.{name}"
        properties: dict[str, Any] = resolve(event["Properties"], path)
        if kind == "DynamoDB":
            yield _stream(logical_id, function, properties, path)
        else:
            yield _queue(logical_id, function, properties, path)


def _stream(logical_id: str, function: str, properties: Mapping[str, Any], path: str) -> StreamSource:
    if properties.get("StartingPosition") != "TRIM_HORIZON":
        raise TemplateError(f"{path}.StartingPosition: only TRIM_HORIZON is supported")
    destination = ((properties.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    return StreamSource(
        function=function,
        logical_id=logical_id,
        table=str(properties["Stream"]).split("/")[1],
        patterns=_patterns(properties),
        batch_size=int(properties.get("BatchSize", 100)),
        window=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
        lanes=int(properties.get("ParallelizationFactor", 1)),
        bisects=bool(properties.get("BisectBatchOnFunctionError")),
        partial=_is_partial(properties),
        retries=_limit(properties, "MaximumRetryAttempts"),
        longest_age=_limit(properties, "MaximumRecordAgeInSeconds"),
        given_up=destination,
    )


def _queue(logical_id: str, function: str, properties: Mapping[str, Any], path: str) -> QueueSource:
    if "FilterCriteria" in properties:
        raise TemplateError(f"{path}.FilterCriteria: not supported for queues; SQS deletes what a filter leaves out")
    if properties.get("MaximumBatchingWindowInSeconds"):
        raise TemplateError(f"{path}.MaximumBatchingWindowInSeconds: not supported for queues")
    return QueueSource(
        function=function,
        logical_id=logical_id,
        queue=str(properties["Queue"]).rpartition(":")[2],
        batch_size=int(properties.get("BatchSize", 10)),
        partial=_is_partial(properties),
        concurrency=int((properties.get("ScalingConfig") or {}).get("MaximumConcurrency", 5)),
    )


def _patterns(properties: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    filters = (properties.get("FilterCriteria") or {}).get("Filters") or ()
    return tuple(json.loads(each["Pattern"]) for each in filters)


def _is_partial(properties: Mapping[str, Any]) -> bool:
    return "ReportBatchItemFailures" in (properties.get("FunctionResponseTypes") or ())


def _limit(properties: Mapping[str, Any], name: str) -> int | None:
    value = int(properties.get(name, _UNLIMITED))
    return None if value == _UNLIMITED else value
