"""Decode a provider's streamed output from bytes as they arrive, whatever the provider sends instead of a stream."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

from shared.characters import whole_characters
from shared.errors import MillraceError, ModelDisconnected
from shared.llm.json_in_text import WantedAnswer
from shared.llm.model import ResponseGone, ToolCall
from shared.llm.openai.faults import fault_in_stream, fault_of_page
from shared.llm.sse_reader import SseReader

_DONE: Final = "[DONE]"
_BETWEEN_DOCUMENTS: Final = re.compile(r"(?:\s|data:)*")
_JSON: Final = json.JSONDecoder()

KEEP_ALIVE: Final = frozenset({"heartbeat", "keep-alive", "keepalive", "ping"})
"""The types, or the only data, of events that show that the connection is open, not that the model works.

OpenAI sends them even before a response has its id.
"""

UNEXPECTED_SHAPE: Final = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What reading a document of another shape raises. To catch it is cheaper than to check every level of every event."""


class EventDecoder(ABC):
    """Decode the bytes that `feed` receives, without any I/O. A subclass knows the events of one API.

    Each event is read with `json.loads` instead of the SDK's models: see docs/decisions/0003-openai-raw-stream.md.
    What servers send besides well-formed events is told in docs/decisions/0023-endpoints-as-they-are.md.
    `opened` is true once the provider has accepted the request. `events` counts the events so far, `done` is true after
    the last one, and `fault` is set after an error event. A fault after the end of the output changes nothing.
    """

    def __init__(self, wanted: WantedAnswer | None = None) -> None:
        """`wanted` is what a whole answer looks like; None if any text is one."""
        self.wanted = wanted
        self.has_output = False
        self.opened = False
        self.events = 0
        self.done = False
        self.input_tokens = 0
        self.output_tokens = 0
        self.cached_input_tokens = 0
        self.reasoning_tokens = 0
        self.fault: MillraceError | ResponseGone | None = None
        self._reader = SseReader()
        self._text: list[str] = []
        self._whole: list[str] = []
        self._reasoning: list[str] = []
        self.reasoning_length = 0
        self._held = ""

    @property
    @abstractmethod
    def complete(self) -> bool:
        """Whether the output is finished. If so, it is valid however the connection ends."""

    @property
    @abstractmethod
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of a complete output, in the model's order; no calls before it is complete."""

    @property
    @abstractmethod
    def arguments_length(self) -> int:
        """The number of characters in the arguments of the tool calls so far."""

    @property
    @abstractmethod
    def truncated(self) -> bool:
        """Whether the provider stopped at the output limit."""

    @property
    def reasoning(self) -> str:
        """The reasoning that the provider sent besides the output."""
        return "".join(self._reasoning)

    @abstractmethod
    def _take(self, event: dict[str, Any]) -> None:
        """Read one event. An exception for an unexpected shape is allowed: the caller turns it into a fault."""

    @abstractmethod
    def _complete_early(self) -> None:
        """Take the output as finished, although the provider has not declared it so."""

    @abstractmethod
    def _conclude(self, *, declared: bool) -> None:
        """Decide whether an output that the provider has not declared finished is whole nevertheless.

        `declared` is true if the provider has ended its stream, false if only the connection has ended.
        """

    def feed(self, data: bytes) -> str:
        """Decode the bytes of one read, and return the text in them. Drop bytes after the last event or a fault."""
        if self._ended():
            return ""
        for kind, payload in self._reader.feed(data):
            self._take_payload(kind, payload)
            if self._ended():
                return self._new_text()
        if len(self._reader.data_lines) > 1:
            self._take_unended()
        return self._new_text()

    def end(self) -> str:
        """Decode what the end of the connection left unread, and return the text in it.

        Decide whether the output is whole, and if there is none, what the provider sent instead.
        """
        for kind, payload in () if self._ended() else self._reader.end():
            if _is_whole(payload):
                self._take_payload(kind, payload)
            else:
                self._reader.other_lines.append(payload.encode())
        if self.events:
            self._conclude_unless_decided(declared=self.done)
        if not (self.complete or self.fault is not None):
            self._take_page(b"\n".join(self._reader.other_lines).decode("utf-8", "replace").strip())
        return self._new_text()

    def end_early(self, fault: MillraceError) -> None:
        """End an output that does not end by itself: it is finished if an answer is in it, else it has the fault."""
        if self.wanted is not None and self.wanted.fits("".join(self._whole)):
            self._complete_early()
        else:
            self.fault = self.fault or fault
        self.done = True

    def _ended(self) -> bool:
        return self.done or self.fault is not None

    def _fail(self, fault: MillraceError | ResponseGone) -> None:
        """End the output with a fault, unless it is finished already."""
        if self.complete:
            self.done = True
        else:
            self.fault = fault

    def _add_reasoning(self, reasoning: str) -> None:
        """Add reasoning beside the output. Raises TypeError if it is not text."""
        self.reasoning_length += len("" + reasoning)
        self._reasoning.append(reasoning)

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
        self.has_output = True
        return text

    def _release_text(self) -> str:
        """Add the text that waits for its other half, because the output has ended without it."""
        text, self._held = whole_characters(self._held), ""
        self._text.append(text)
        return text

    def _new_text(self) -> str:
        text = "".join(self._text)
        self._text.clear()
        return text

    def _take_payload(self, kind: str, payload: str) -> None:
        if kind in KEEP_ALIVE:
            return
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError):
            self._take_odd_payload(kind, payload.strip())
        else:
            self._take_document(kind, document)

    def _take_document(self, kind: str, document: Any) -> None:
        self.events += 1
        try:
            if isinstance(document, dict):
                if kind == "error":
                    self._fail(fault_in_stream(document.get("error") or document))
                else:
                    self._take(document)
            elif isinstance(document, list):
                for each in document:
                    self._take_document(kind, each)
            elif kind == "error":
                self._fail(fault_in_stream(document))
        except UNEXPECTED_SHAPE:
            self._fail(undecodable())

    def _take_odd_payload(self, kind: str, payload: str) -> None:
        """Read what is not one JSON document: nothing, the end, several documents, or words."""
        if payload == _DONE:
            self.events += 1
            self.done = True
            self._conclude_unless_decided(declared=True)
        elif not payload or payload.casefold() in KEEP_ALIVE:
            pass
        elif payload[0] in "{[":
            self._take_documents(kind, payload)
        elif kind == "error":
            self._fail(fault_in_stream(payload))
        else:
            self._reader.other_lines.append(payload.encode())

    def _take_documents(self, kind: str, payload: str) -> None:
        """Read several documents in one event, because the server left out the blank line between two events."""
        position = 0
        while position < len(payload) and not self._ended():
            if payload.startswith(_DONE, position):
                self._take_odd_payload(kind, _DONE)
                return
            try:
                document, position = _JSON.raw_decode(payload, position)
            except (ValueError, RecursionError):
                self._fail(fault_in_stream(payload) if kind == "error" else undecodable())
                return
            self._take_document(kind, document)
            between = _BETWEEN_DOCUMENTS.match(payload, position)
            position = between.end() if between else position

    def _take_unended(self) -> None:
        """Read the whole documents of an event that does not end: the server sends no blank lines between events."""
        lines = self._reader.data_lines
        while len(lines) > 1 and not self._ended():
            line = lines[0].decode("utf-8", "replace")
            try:
                document = json.loads(line)
            except (ValueError, RecursionError):
                return
            del lines[0]
            self._take_document("", document)
        if len(lines) == 1 and lines[0].strip() == _DONE.encode():
            self._take_odd_payload("", _DONE)

    def _take_page(self, page: str) -> None:
        """Read what came instead of events: a JSON document, a web page, or words."""
        if not page:
            return
        if page[0] in "{[":
            self._take_documents("", page)
            self._conclude_unless_decided(declared=True)
        elif not self.events:
            self._fail(fault_of_page(page))

    def _conclude_unless_decided(self, *, declared: bool) -> None:
        if not (self.complete or self.fault is not None):
            self._conclude(declared=declared)


def _is_whole(payload: str) -> bool:
    """Return whether the payload is a document or the end, and not what a broken connection has left of one."""
    if payload.rstrip().endswith(_DONE):
        return True
    try:
        json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return True


def undecodable() -> ModelDisconnected:
    """Return the fault for data that is not what the API's documentation says."""
    return ModelDisconnected("the model's stream could not be decoded")


def count_within(usage: Any, details: str, field: str) -> int:
    """Return a number of tokens from one of the usage's detail objects; 0 where a provider does not send it."""
    return count_of(usage.get(details), field) if isinstance(usage, Mapping) else 0


def count_of(usage: Any, field: str) -> int:
    """Return a number of tokens that the provider reports; 0 if it is missing or not a positive integer."""
    value = usage.get(field) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and value > 0 else 0
