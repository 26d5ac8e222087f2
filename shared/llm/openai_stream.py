"""The bytes of a streamed chat completion, decoded: text, usage, and how the answer ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.errors import MillraceError, ModelDisconnected
from shared.llm.openai_faults import fault_in_stream, refusal


class AnswerDecoder:
    """Feed it bytes as they arrive; it does no I/O.

    Plain `json.loads` on each event instead of the SDK's models: see docs/decisions/0003-openai-raw-stream.md.
    """

    def __init__(self) -> None:
        self.events = 0
        self.done = False
        self.finish_reason: str | None = None
        self.input_tokens = 0
        self.output_tokens = 0
        self.fault: MillraceError | None = None
        self._rest = b""
        self._data: list[bytes] = []
        self._text: list[str] = []

    def feed(self, data: bytes) -> str:
        """Decode one read and return the text in it; after an error event `fault` is set and the rest is ignored."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._take_line(line)
            if self.done or self.fault is not None:
                break
        text = "".join(self._text)
        self._text.clear()
        return text

    def end(self) -> str:
        """The connection has ended: decode what came without a final line break or blank line."""
        return self.feed(b"\n\n")

    def _take_line(self, line: bytes) -> None:
        line = line.rstrip(b"\r")
        if line.startswith(b"data:"):
            self._data.append(line[5:].strip())
        elif not line and self._data:
            payload = b"\n".join(self._data)
            self._data.clear()
            self._take_event(payload)

    def _take_event(self, payload: bytes) -> None:
        self.events += 1
        if payload == b"[DONE]":
            self.done = True
            return
        try:
            chunk = json.loads(payload)
            if isinstance(chunk, dict):
                self._take_chunk(chunk)
        except (ValueError, TypeError, AttributeError, LookupError):
            # Not JSON, or not of the shape it must have: looking is cheaper than checking every level of every chunk.
            self.fault = ModelDisconnected("The model's stream is damaged.")

    def _take_chunk(self, chunk: dict[str, Any]) -> None:
        if chunk.get("error"):
            self.fault = fault_in_stream(chunk["error"])
            return
        usage = chunk.get("usage")
        if usage:
            # Some servers count up in every chunk: the last one stands.
            self.input_tokens = _count(usage, "prompt_tokens")
            self.output_tokens = _count(usage, "completion_tokens")
        choices = chunk.get("choices")
        if choices:
            self._take_choice(choices[0])

    def _take_choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta") or {}
        content = delta.get("content")
        if content:
            self._text.append("" + content)  # what is not text fails here, where it counts as damage
        reason = choice.get("finish_reason")
        if reason:
            self.finish_reason = reason
        if reason == "content_filter" or delta.get("refusal"):
            self.fault = refusal()


def _count(usage: Any, field: str) -> int:
    value = usage.get(field) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and value > 0 else 0
