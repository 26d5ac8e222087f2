"""Invokes scheduled functions as EventBridge Scheduler does; moto stores schedules but does not run them."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from local.template.template import Schedule

Invoke = Callable[[str, bytes], object]


def start(schedules: Iterable[Schedule], invoke: Invoke) -> None:
    """Start one daemon thread for each schedule. The first invocation follows the first interval, as on AWS."""
    for schedule in schedules:
        threading.Thread(target=_keep_invoking, args=(schedule, invoke), name="schedule", daemon=True).start()


def _keep_invoking(schedule: Schedule, invoke: Invoke) -> None:
    while True:
        time.sleep(schedule.every_seconds)
        invoke(schedule.function.name, _event())


def _event() -> bytes:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {"version": "0", "id": str(uuid.uuid4()), "source": "aws.scheduler", "time": now, "detail": "{}"}
    return json.dumps({**event, "detail-type": "Scheduled Event"}).encode()
