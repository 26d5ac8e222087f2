"""Faults that the local AWS returns on request, each once or several times."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any


class InjectedFaults:
    """The faults that are still to be returned, and how many were, by operation. Thread-safe."""

    def __init__(self) -> None:
        self.returned: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._faults: list[dict[str, Any]] = []

    def add(self, fault: dict[str, Any]) -> None:
        """Return `error` for the next `count` calls of `operation`; if `partition` is given, only for its calls."""
        with self._lock:
            self._faults.append({"count": 1, "error": "ProvisionedThroughputExceededException", **fault})

    def take(self, operation: str, payload: bytes) -> tuple[int, bytes] | None:
        """Return the status and the JSON body of the fault for this call, or None if the call may succeed."""
        with self._lock:
            for fault in self._faults:
                if fault.get("operation", operation) != operation:
                    continue
                if "partition" in fault and fault["partition"] not in json.dumps(json.loads(payload)):
                    continue
                fault["count"] -= 1
                if fault["count"] <= 0:
                    self._faults.remove(fault)
                self.returned[operation] += 1
                body = {"__type": f"com.amazonaws.dynamodb.v20120810#{fault['error']}", "message": "injected"}
                return int(fault.get("status", 400)), json.dumps(body).encode()
        return None
