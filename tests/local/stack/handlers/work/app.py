"""Succeed, fail, hang or return the environment, as the event says."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any


class Flaky(Exception):
    """A fault that a retry may fix."""


class Broken(Exception):
    """A fault that no retry fixes."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    what, retry = event.get("do"), event.get("retry", 0)
    if event.get("marker"):
        Path(event["marker"]).touch()
    if what == "fail twice" and retry < 2:
        raise Flaky(f"attempt {retry}")
    if what == "break":
        raise Broken("permanently")
    if what == "hang" and retry == 0:
        threading.Event().wait()
    if what == "exit":
        os._exit(3)
    if what == "unserialisable":
        return {"set": {1, 2}}
    return {
        "retry": retry,
        "pid": os.getpid(),
        "functionName": context.function_name,
        "requestId": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "remaining": context.get_remaining_time_in_millis(),
        "environment": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("AWS_LAMBDA", "LAMBDA_")) or "PROXY" in name
        },
        "streamUrl": os.environ.get("STREAM_URL"),
    }
