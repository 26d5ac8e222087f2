"""Faults that the local DynamoDB is told to answer with, once or a few times."""

from __future__ import annotations

import json
import threading
from typing import Any


class InjectedFaults:
    """What is still to be answered; safe to use from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[dict[str, Any]] = []

    def add(self, fault: dict[str, Any]) -> None:
        """Answer the next `count` calls of `operation` with `error`; `partition` narrows it to one partition key."""
        with self._lock:
            self._faults.append({"count": 1, "error": "ProvisionedThroughputExceededException", **fault})

    def take(self, operation: str, payload: bytes) -> tuple[int, bytes] | None:
        """Status and JSON body to answer this call with, if it is to fail."""
        with self._lock:
            for fault in self._faults:
                if fault.get("operation", operation) != operation:
                    continue
                if "partition" in fault and fault["partition"] not in json.dumps(json.loads(payload)):
                    continue
                fault["count"] -= 1
                if fault["count"] <= 0:
                    self._faults.remove(fault)
                answer = {"__type": f"com.amazonaws.dynamodb.v20120810#{fault['error']}", "message": "injected"}
                return int(fault.get("status", 400)), json.dumps(answer).encode()
        return None
