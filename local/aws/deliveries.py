"""Hands batches of records to functions, as Lambda's event source mappings do."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.aws.held_calls import HeldCalls
from local.aws.upstream import Upstream

DELIVER = "Deliver"
"""The name under which a delivery can be held back, as calls of AWS can."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a delivery. `ran`: the function was invoked at all; `failed`: it raised, was killed or timed out.

    `response` is what it returned, None if it failed.
    """

    ran: bool
    failed: bool = False
    response: Any = None
    request_id: str = ""

    def reported(self) -> list[str] | None:
        """Return the identifiers of the records that the function reports as failed.

        None if the whole batch counts as failed: it failed, or its report is not in the form that Lambda asks for.
        """
        if not self.ran or self.failed:
            return None
        if self.response is None or self.response == {}:
            return []
        if not isinstance(self.response, dict):
            return []
        failures = self.response.get("batchItemFailures")
        if failures is None:
            return []
        identifiers = [each.get("itemIdentifier") for each in failures if isinstance(each, dict)]
        if len(identifiers) < len(failures) or not all(isinstance(each, str) and each for each in identifiers):
            return None
        return [str(each) for each in identifiers]


def delivery_to(logical_id: str) -> str:
    """Return what a delivery to this function is called where calls name the role of their caller."""
    return f"deliveries to {logical_id}"


class Deliveries:
    """Invokes functions with batches. Thread-safe."""

    def __init__(self, functions: Upstream | None, held: HeldCalls) -> None:
        self._functions = functions
        self._held = held
        self._lock = threading.Lock()
        self._repeats: Counter[str] = Counter()

    def repeat(self, function: str, count: int) -> None:
        """Deliver each of the next `count` batches of the function of this name twice, as Lambda may."""
        with self._lock:
            self._repeats[function] += count

    def deliver(self, function: str, logical_id: str, records: Sequence[Record]) -> Outcome:
        """Invoke the function with these records, and return what came of it."""
        event = json.dumps({"Records": records}, default=_encode_bytes).encode()
        hold = self._held.take(delivery_to(logical_id), DELIVER, event)
        if hold is not None and not hold.executed:
            hold.wait()
            return Outcome(ran=False)
        outcome = self._invoke(function, event)
        if hold is not None:
            hold.wait()
        with self._lock:
            again = self._repeats[function] > 0
            self._repeats[function] -= again
        return self._invoke(function, event) if again else outcome

    def _invoke(self, function: str, event: bytes) -> Outcome:
        if self._functions is None:
            return Outcome(ran=False)
        try:
            status, headers, body = self._functions.post(f"/2015-03-31/functions/{function}/invocations", event, {})
        except (OSError, http.client.HTTPException):
            return Outcome(ran=False)
        if status != 200:
            return Outcome(ran=False)
        named = {name.lower(): value for name, value in headers}
        failed = "x-amz-function-error" in named
        response = None if failed else json.loads(body or b"null")
        return Outcome(True, failed, response, named.get("x-amzn-requestid", ""))


def _encode_bytes(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} in a record")
