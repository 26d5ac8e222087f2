"""Handle the records of a batch one by one, and tell Lambda which of them to deliver again.

A record that fails holds up no other record of its batch: all are handled, and only the failed ones are reported. How
often Lambda delivers a record again, and where it puts one that keeps failing, is in the template
(docs/decisions/0049-who-learns-of-a-jobs-end.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from shared.errors import MillraceError
from shared.jobs.transitions import JobTransition
from shared.observability.log import log
from shared.runtime import event_loop
from shared.storage.job_transitions import transition_in

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.common import DictWrapper

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a queue. `body` is its JSON, `receive_count` counts this delivery, `group` is its MessageGroupId."""

    id: str
    body: Mapping[str, Any]
    receive_count: int
    sent_at: datetime
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """A handled batch: what the handler returned for each record that succeeded, and the function's response.

    `response` is Lambda's partial batch response, `{"batchItemFailures": [{"itemIdentifier": …}]}`.
    """

    results: Sequence[T]
    response: dict[str, Any]


def handle_transitions(event: Mapping[str, Any], handle: Callable[[JobTransition], T | Awaitable[T]]) -> Batch[T]:
    """Call `handle` for each change of a job's status in an event of the stream of JobsTable, in order.

    If `handle` is a coroutine function, all run at the same time on the process's event loop. Other records are
    skipped. `handle` must have the same effect if it is called again for the same `record_id`.
    """

    return _handle(event, "DynamoDBStreams", transition_in, handle)


def handle_messages(event: Mapping[str, Any], handle: Callable[[Message], T | Awaitable[T]]) -> Batch[T]:
    """Call `handle` for each message in an event of a queue, as `handle_transitions` does.

    A message whose body is not a JSON object fails, so that SQS moves it to the dead-letter queue in the end.
    """
    return _handle(event, "SQS", _message, handle)


def _message(record: Mapping[str, Any]) -> Message:
    body = json.loads(record["body"])
    if not isinstance(body, dict):
        raise TypeError("the body of a message must be a JSON object")
    attributes = record["attributes"]
    return Message(
        id=record["messageId"],
        body=body,
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        group=attributes.get("MessageGroupId"),
    )


@contextlib.contextmanager
def _logged(record: DictWrapper) -> Iterator[None]:
    """Log why the record failed, without the error's text if Millrace has not written it."""
    try:
        yield
    except MillraceError as error:
        log.warning("record failed", record=_id(record.raw_event), code=error.code, reason=str(error))
        raise
    except Exception as error:
        log.defect("record failed", error, record=_id(record.raw_event))
        raise


def _id(record: Mapping[str, Any]) -> str:
    return str(record.get("eventID") or record.get("messageId"))


def _handle(
    event: Mapping[str, Any],
    source: str,
    parse: Callable[[Mapping[str, Any]], Any],
    handle: Callable[[Any], Any],
) -> Batch[Any]:
    from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, BatchProcessor, EventType  # noqa: PLC0415

    results: list[Any] = []

    def handled(record: DictWrapper) -> None:
        with _logged(record):
            parsed = parse(record.raw_event)
            if parsed is not None:
                results.append(handle(parsed))

    async def handled_async(record: DictWrapper) -> None:
        with _logged(record):
            parsed = parse(record.raw_event)
            if parsed is not None:
                results.append(await asyncio.wrap_future(event_loop.start(handle(parsed))))

    records = list(event["Records"])
    # If all records fail, the exception that Powertools would raise has the text of every error, which may quote a
    # prompt, and Lambda would write it to the log.
    options: Any = {"event_type": EventType(source), "raise_on_entire_batch_failure": False}
    if inspect.iscoroutinefunction(handle):
        processor: Any = AsyncBatchProcessor(**options)
        with processor(records, handled_async):
            processor.async_process()
    else:
        processor = BatchProcessor(**options)
        with processor(records, handled):
            processor.process()
    return Batch(results, processor.response())
