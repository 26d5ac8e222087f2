"""Faults that the local DynamoDB returns on request, and calls that it holds back, each once or several times."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

_LONGEST_HOLD = 300.0  # seconds


class InjectedFaults:
    """The faults that are still to be returned. Thread-safe."""

    def __init__(self) -> None:
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
                body = {"__type": f"com.amazonaws.dynamodb.v20120810#{fault['error']}", "message": "injected"}
                return int(fault.get("status", 400)), json.dumps(body).encode()
        return None


@dataclass(slots=True)
class Hold:
    """Holds the `skip`-th next call, from 0, of `operation` whose payload contains `containing`.

    `executed`: the call is executed and its response held back; without, it is not executed at all.
    """

    operation: str
    containing: str
    executed: bool
    skip: int = 0
    calls: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Return when the hold is released, or after five minutes."""
        self.released.wait(_LONGEST_HOLD)


class HeldCalls:
    """Calls that wait, so that a test kills their caller between two writes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hold: Hold | None = None
        self._held = 0

    @property
    def held(self) -> int:
        """How many calls the present hold has held."""
        return self._held

    def add(self, hold: Hold) -> None:
        """Hold this call. There is one hold at a time."""
        with self._lock:
            self._hold, self._held = hold, 0

    def release(self) -> None:
        """Let the held call continue, and hold no other."""
        with self._lock:
            if self._hold is not None:
                self._hold.released.set()
            self._hold = None

    def take(self, operation: str, payload: bytes) -> Hold | None:
        """Return the hold of this call, which counts it as held, or None."""
        with self._lock:
            hold = self._hold
            if hold is None or hold.operation != operation or hold.containing.encode() not in payload:
                return None
            hold.calls += 1
            if hold.calls != hold.skip + 1:
                return None
            self._held += 1
            return hold
