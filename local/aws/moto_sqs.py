"""Moto's queues, called one request at a time, with a way to wait for messages without asking again and again.

It relies on moto's internals: `tests/contract/test_moto_sqs.py` tests each place, and moto is pinned exactly.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, sqs_backends
from moto.sqs.models import Queue as MotoQueue

from local.template.event_sources import Queue, queue_arn
from local.template.intrinsics import ACCOUNT, REGION

T = TypeVar("T")


class MotoQueues:
    """The queues of a template. `changed` is notified when a message may have become visible. Thread-safe."""

    def __init__(self, queues: Iterable[Queue]) -> None:
        self.changed = threading.Condition(threading.RLock())
        self._backend = sqs_backends[ACCOUNT][REGION]
        for queue in queues:
            attributes: dict[str, Any] = dict(queue.attributes)
            if queue.dead_letters is not None:
                redrive = {"deadLetterTargetArn": queue.dead_letters, "maxReceiveCount": queue.receives}
                attributes["RedrivePolicy"] = json.dumps(redrive)
            self._backend.create_queue(queue.name, **attributes)

    def call(self, request: Callable[[], T]) -> T:
        """Let moto answer a request of SQS, and wake who waits for messages."""
        with self.changed:
            response = request()
            self.changed.notify_all()
            return response

    def send(self, arn: str, body: Mapping[str, Any]) -> None:
        """Send a message to a queue."""
        self.call(lambda: self._backend.send_message(arn.rpartition(":")[2], json.dumps(body)))

    def receive(self, name: str, count: int) -> list[dict[str, Any]]:
        """Return up to `count` visible messages as Lambda hands them to a function, and hide them for a while."""
        with self.changed:
            hidden_for = int(self._queue(name).visibility_timeout)  # type: ignore[attr-defined]
            found = self._backend.receive_message(name, count, 0, hidden_for, ["All"])
            return [_record(name, each) for each in found]

    def delete(self, name: str, handles: Sequence[str]) -> None:
        """Delete messages that were received with these handles."""
        with self.changed:
            queue = self._queue(name)
            for handle in handles:
                # The message may be in another queue already, if its function took longer than it was hidden.
                with contextlib.suppress(ReceiptHandleIsInvalid):
                    queue.delete_message(handle)
            # Moto remembers the handles of all messages that were ever deleted.
            queue.deleted_messages.clear()

    def put_back(self, name: str, handles: Sequence[str]) -> None:
        """Make received messages visible again, as if they had not been received."""
        with self.changed:
            for message in self._messages(name):
                if message.receipt_handle in handles:
                    message.visible_at = 0
                    message.approximate_receive_count -= 1
            self.changed.notify_all()

    def seconds_to_next(self, name: str) -> float | None:
        """Return in how many seconds the next message becomes visible; None without one."""
        now = time.time() * 1000
        with self.changed:
            moments = [max(each.visible_at, each.delayed_until) for each in self._messages(name)]
        return max(0.001, (min(moments) - now) / 1000 + 0.001) if moments else None

    def advance(self, seconds: float) -> None:
        """Let this time pass for all messages: those that are delayed or hidden for less become visible."""
        with self.changed:
            for name in self._backend.queues:
                for message in self._messages(name):
                    message.visible_at -= seconds * 1000
                    message.delayed_until -= seconds * 1000
            self.changed.notify_all()

    def as_json(self) -> dict[str, dict[str, int]]:
        """Return the number of messages of each queue: `visible`, `delayed`, and `hidden` after they were received."""
        with self.changed:
            return {name: self._counts(name) for name in self._backend.queues}

    def _counts(self, name: str) -> dict[str, int]:
        messages = self._messages(name)
        delayed = sum(each.delayed for each in messages)
        visible = sum(each.visible and not each.delayed for each in messages)
        return {"visible": visible, "delayed": delayed, "hidden": len(messages) - visible - delayed}

    def _queue(self, name: str) -> MotoQueue:
        return self._backend.get_queue(name)

    def _messages(self, name: str) -> list[Message]:
        return self._queue(name)._messages


def _record(queue: str, message: Message) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": ACCOUNT,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    if message.group_id is not None:
        attributes["MessageGroupId"] = message.group_id
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {
            name: {"dataType": each.get("DataType"), "stringValue": each.get("StringValue")}
            for name, each in message.message_attributes.items()
        },
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn(queue),
        "awsRegion": REGION,
    }
