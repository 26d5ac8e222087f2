"""Decode a provider's server-sent events from bytes as they arrive, without knowledge of what the events mean."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from shared.errors import MillraceError, ModelDisconnected
from shared.llm.model import ResponseGone, ToolCall


class EventDecoder(ABC):
    """Decode the bytes that `feed` receives, without any I/O. A subclass knows the events of one API.

    Each event is read with `json.loads` instead of the SDK's models: see docs/decisions/0003-openai-raw-stream.md.
    `events` counts the events so far, `done` is true after the last one, and `fault` is set after an error event.
    """

    def __init__(self) -> None:
        self.events = 0
        self.done = False
        self.input_tokens = 0
        self.output_tokens = 0
        self.cached_input_tokens = 0
        self.reasoning_tokens = 0
        self.fault: MillraceError | ResponseGone | None = None
        self._rest = b""
        self._data: list[bytes] = []
        self._text: list[str] = []
        self._held = ""

    @property
    @abstractmethod
    def complete(self) -> bool:
        """Whether the provider has declared the output finished. If so, it is valid however the connection ends."""

    @property
    @abstractmethod
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of a complete output, in the model's order; no calls before it is complete."""

    @property
    @abstractmethod
    def truncated(self) -> bool:
        """Whether the provider stopped at the output limit."""

    @abstractmethod
    def _take(self, event: dict[str, Any]) -> None:
        """Read one event. An exception for an unexpected shape is allowed: the caller turns it into a fault."""

    def feed(self, data: bytes) -> str:
        """Decode the bytes of one read, and return the text in them. Drop bytes after the last event or a fault."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._take_line(line)
            if self.done or self.fault is not None:
                break
        return self._new_text()

    def end(self) -> str:
        """Decode an event that the end of the connection left without its blank line, and return the text in it."""
        return self.feed(b"\n\n")

    def _add_text(self, text: str) -> str:
        """Add output text, and return what was added. Raises TypeError if it is not text.

        Servers written in JavaScript may cut a text in the middle of a character that takes a surrogate pair. `_held`
        then holds the text until its other half comes, because half a character can be neither stored nor sent.
        """
        text, self._held = self._held + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._held = "", text
        text = whole_characters(text)
        self._text.append(text)
        return text

    def _release_text(self) -> None:
        """Add the text that waits for its other half, because the output has ended without it."""
        self._text.append(whole_characters(self._held))
        self._held = ""

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
            # Not JSON, or not the expected shape. To catch this is cheaper than to check every level of every event.
            self.fault = ModelDisconnected("the model's stream could not be decoded")


def whole_characters(text: str) -> str:
    """Join surrogate pairs into characters, and replace a half whose other half is missing."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def count_within(usage: Any, details: str, field: str) -> int:
    """Return a number of tokens from one of the usage's detail objects; 0 where a provider does not send it."""
    return count_of(usage.get(details), field) if isinstance(usage, Mapping) else 0


def count_of(usage: Any, field: str) -> int:
    """Return a number of tokens that the provider reports; 0 if it is missing or not a positive integer."""
    value = usage.get(field) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and value > 0 else 0
