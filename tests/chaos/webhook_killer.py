"""Kill the functions of webhooks at their calls, and repeat and hold back what they are handed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from collections import Counter
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from local.aws.deliveries import DELIVER
from local.stack import Held, LocalStack

_PATIENCE = 6.0
"""Seconds for a call to be held; a function that nothing reaches makes none."""

LEAST = 8
"""The number of things that are done in the shortest run."""

_SHOWN_AGAIN = 46
"""Seconds after which SQS shows the message of a dead process again: when its claim has ended. AWS takes longer."""

_ID = re.compile(r"dlv_[0-9a-z]{26}|whk_[0-9a-z]{26}$")


class _Target(NamedTuple):
    """A function, the number of calls among which the killer chooses, and what each of its payloads contains."""

    logical_id: str
    folder: str
    calls: int
    named: str


QUEUE = "millrace-DeliverWebhookQueue"

_DISPATCH = _Target("DispatchWebhooksFunction", "dispatch_webhooks", 10, "aws:dynamodb")
_DELIVER = _Target("DeliverWebhookFunction", "deliver_webhook", 8, "aws:sqs")

FOLDERS = (_DISPATCH.folder, _DELIVER.folder)
"""The folders of the functions that are killed."""


class WebhookKiller:
    """Does something every second or so until it is stopped. `done` counts what, by name."""

    def __init__(self, stack: LocalStack, seed: int) -> None:
        self._stack = stack
        self._chance = random.Random(f"webhooks of {seed}")
        self._attempts_last = True
        self._stopped = False
        self.done: Counter[str] = Counter()

    async def keep_killing(self) -> None:
        """Kill, repeat and hold until `stop` is called, but at least LEAST times."""
        acts = 0
        while acts < LEAST or not self._stopped:
            await asyncio.to_thread(self._act)
            acts += 1
            await asyncio.sleep(self._chance.uniform(0, 1))

    def stop(self) -> None:
        """Begin nothing more, but for the first LEAST."""
        self._stopped = True

    def _act(self) -> None:
        kind = self._chance.random()
        self._attempts_last = not self._attempts_last
        target = _DELIVER if self._attempts_last else _DISPATCH
        if kind < 0.7:
            self._kill(target)
        elif kind < 0.85:
            count = self._chance.randint(1, 4)
            self._stack.repeat_deliveries(f"millrace-{target.folder}", count)
            self.done[f"repeated batches of {target.folder}"] += count
        else:
            self._hold_back(target)

    def _kill(self, target: _Target) -> None:
        """Kill the function's process that waits at a call; if the call does not tell which that is, all that run."""
        executed = self._chance.random() < 0.5
        skip = self._chance.randrange(target.calls)
        with self._stack.holding(function=target.logical_id, executed=executed, skip=skip) as held:
            if not _reached(held):
                return
            call = held.calls()[-1]
            named = _ID.search(call) if target is _DELIVER else None
            victims = self._running(target, named[0] if named else target.named)
            for each in victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each["pid"], signal.SIGKILL)
        self.done[f"{target.folder} killed {'after' if executed else 'before'} {call.split()[0]}"] += bool(victims)
        if target is _DELIVER:
            for each in victims:
                self._show_again(each["payload"])

    def _running(self, target: _Target, named: str) -> list[dict[str, Any]]:
        records = self._stack.invocations(named)
        return [each for each in records if each["function"] == target.folder and not each["ended"]]

    def _show_again(self, payload: dict[str, Any]) -> None:
        sqs = self._stack.client("sqs")
        for record in payload["Records"]:
            # The batch may have been repeated, and its message deleted.
            with contextlib.suppress(ClientError):
                sqs.change_message_visibility(
                    QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"],
                    ReceiptHandle=record["receiptHandle"],
                    VisibilityTimeout=_SHOWN_AGAIN,
                )

    def _hold_back(self, target: _Target) -> None:
        executed = self._chance.random() < 0.5
        with self._stack.holding(DELIVER, executed=executed, function=target.logical_id) as held:
            if _reached(held):
                time.sleep(self._chance.uniform(0.2, 1.5))
                self.done[f"held batches of {target.folder}"] += 1


def _reached(held: Held) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if held():
            return True
        time.sleep(0.03)
    return False
