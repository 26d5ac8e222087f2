"""A provider's server-sent events, decoded from bytes as they arrive, whatever they mean."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from shared.errors import MillraceError, ModelDisconnected
from shared.llm.model import ResponseGone


class EventDecoder(ABC):
    """Feed it bytes as they arrive; it does no I/O. Subclasses know what the events say.

    Plain `json.loads` on each event instead of the SDK's models: see docs/decisions/0003-openai-raw-stream.md.
    """

    def __init__(self) -> None:
        self.events = 0
        self.done = False
        self.input_tokens = 0
        self.output_tokens = 0
        self.fault: MillraceError | ResponseGone | None = None
        self._rest = b""
        self._data: list[bytes] = []
        self._text: list[str] = []

    @property
    @abstractmethod
    def whole(self) -> bool:
        """The provider has declared the answer finished: it stands, however its connection then ends."""

    @property
    @abstractmethod
    def truncated(self) -> bool:
        """The provider stopped at its output limit."""

    @abstractmethod
    def _take(self, event: dict[str, Any]) -> None:
        """Take one event. What is not of the shape it must have fails here, where it counts as damage."""

    def feed(self, data: bytes) -> str:
        """Decode one read and return the text in it; after an error event `fault` is set and the rest is ignored."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._take_line(line)
            if self.done or self.fault is not None:
                break
        return self._new_text()

    def end(self) -> str:
        """The connection has ended: decode what came without a final line break or blank line."""
        return self.feed(b"\n\n")

    def _new_text(self) -> str:
        text = "".join(self._text)
        self._text.clear()
        return text

    def _take_line(self, line: bytes) -> None:
        line = line.rstrip(b"\r")
        if line.startswith(b"data:"):
            self._data.append(line[5:].strip())
        elif not line and self._data:
            payload = b"\n".join(self._data)
            self._data.clear()
            self._take_payload(payload)

    def _take_payload(self, payload: bytes) -> None:
        self.events += 1
        if payload == b"[DONE]":
            self.done = True
        else:
            self._take_json(payload, self._take)

    def _take_json(self, payload: bytes, take: Callable[[dict[str, Any]], None]) -> None:
        try:
            document = json.loads(payload)
            if isinstance(document, dict):
                take(document)
        except (ValueError, TypeError, AttributeError, LookupError):
            # Not JSON, or not of the shape it must have: looking is cheaper than checking every level of every event.
            self.fault = ModelDisconnected("The model's stream is damaged.")


def count_of(usage: Any, field: str) -> int:
    """A number of tokens as a provider reports it; what makes no sense counts as 0."""
    value = usage.get(field) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and value > 0 else 0
