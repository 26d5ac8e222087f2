"""Calls of AWS that the local stack holds back, so that a test stops or kills their caller at an exact point."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_LONGEST_HOLD = 300.0  # seconds


@dataclass(slots=True)
class Hold:
    """Holds the `skip`-th next call, from 0, of `operation` by `role` that names all of `containing`.

    A call names what its payload or its path contains; S3 has the key in the path.

    An empty `operation` or `role` means any. `executed`: the call is executed and its response held back; without,
    it is not executed at all. `calls` describes the calls that fit so far, up to and with the held one, which waits as
    soon as `reached` is set.
    """

    operation: str
    containing: Sequence[str]
    executed: bool
    skip: int = 0
    role: str = ""
    calls: list[str] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def fits(self, role: str, operation: str, payload: bytes, path: str = "") -> bool:
        """Return whether the call is one of those that this hold counts."""
        return (
            self.operation in {"", operation}
            and self.role in {"", role}
            and all(text in path or text.encode() in payload for text in self.containing)
            and len(self.calls) <= self.skip
        )

    def wait(self) -> None:
        """Return when the hold is released, or after five minutes. If the call is executed, call this after that."""
        self.reached.set()
        self.released.wait(_LONGEST_HOLD)


class HeldCalls:
    """Calls that wait, so that a test kills their caller between two writes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holds: dict[str, Hold] = {}

    def add(self, name: str, hold: Hold) -> None:
        """Hold this call. The first hold that a call fits counts it, in the order in which they were added."""
        with self._lock:
            self._holds[name] = hold

    def as_json(self, name: str) -> dict[str, Any]:
        """Return whether the call of this hold is held, and the descriptions of the calls that the hold has counted."""
        with self._lock:
            hold = self._holds[name]
            return {"held": hold.reached.is_set(), "calls": list(hold.calls)}

    def release(self, name: str) -> None:
        """Let the call of this hold continue, and hold no other."""
        with self._lock:
            self._holds.pop(name).released.set()

    def take(self, role: str, operation: str, payload: bytes, path: str = "") -> Hold | None:
        """Return the hold of this call, or None if the call is not to be held."""
        with self._lock:
            hold = next((each for each in self._holds.values() if each.fits(role, operation, payload, path)), None)
            if hold is None:
                return None
            hold.calls.append(describe(operation, payload))
            return hold if len(hold.calls) > hold.skip else None


def describe(operation: str, payload: bytes) -> str:
    """Return the operation with what tells its calls apart: the keys, and the types of the events that it appends.

    As in `PutItem EVT#00000007 delta item` and `TransactWriteItems JOB NOTEBOOK`.
    """
    try:
        body = json.loads(payload or b"{}")
    except ValueError:
        return operation
    words = [str(body.get("SecretId", ""))]
    for part in body.get("TransactItems", [body]):
        item = next(iter(part.values())) if "TransactItems" in body else part
        key = item.get("Key") or item.get("Item") or {}
        words.append(key.get("SK", {}).get("S", ""))
        events = item.get("Item", {}).get("events", {}).get("S")
        words += [event["type"] for event in json.loads(events)] if events else []
    return " ".join([operation, *filter(None, words)])
