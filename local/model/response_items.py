"""The output items of a response, and the events that OpenAI sends while each of them is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from local.model.output import Call

Event = tuple[str, dict[str, Any]]
"""The type of an event, without `response.`, and its fields."""


@dataclass(slots=True)
class Item(ABC):
    """One output item. `index` is its position in the output, `parts` are the tokens that were sent of it."""

    id: str
    index: int
    parts: list[str] = field(default_factory=list)

    @abstractmethod
    def document(self, status: str) -> dict[str, Any]:
        """Return the item as far as it is written."""

    @abstractmethod
    def opening(self) -> list[Event]:
        """Return the events before its first token."""

    @abstractmethod
    def delta(self, token: str) -> Event:
        """Add a token and return its event."""

    @abstractmethod
    def closing(self, status: str) -> list[Event]:
        """Return the events after its last token."""

    @property
    def _position(self) -> dict[str, Any]:
        return {"output_index": self.index, "item_id": self.id}

    @property
    def _whole(self) -> str:
        return "".join(self.parts)


@dataclass(slots=True)
class MessageItem(Item):
    """A text, or a refusal."""

    refused: bool = False

    def document(self, status: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": [self._content()],
        }

    def opening(self) -> list[Event]:
        item = {**self.document("in_progress"), "content": []}
        return [
            ("output_item.added", {"output_index": self.index, "item": item}),
            ("content_part.added", {**self._position, "content_index": 0, "part": self._content()}),
        ]

    def delta(self, token: str) -> Event:
        self.parts.append(token)
        return f"{self._kind}.delta", {**self._position, "content_index": 0, "delta": token, "logprobs": []}

    def closing(self, status: str) -> list[Event]:
        content = self._content()
        return [
            (f"{self._kind}.done", {**self._position, "content_index": 0, **content}),
            ("content_part.done", {**self._position, "content_index": 0, "part": content}),
            ("output_item.done", {"output_index": self.index, "item": self.document(status)}),
        ]

    @property
    def _kind(self) -> str:
        return "refusal" if self.refused else "output_text"

    def _content(self) -> dict[str, Any]:
        if self.refused:
            return {"type": "refusal", "refusal": self._whole}
        return {"type": "output_text", "text": self._whole, "annotations": [], "logprobs": []}


@dataclass(slots=True)
class CallItem(Item):
    """A tool call."""

    call: Call = field(kw_only=True)

    def document(self, status: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "function_call",
            "status": status,
            "call_id": self.call.id,
            "name": self.call.name,
            "arguments": self._whole,
        }

    def opening(self) -> list[Event]:
        return [("output_item.added", {"output_index": self.index, "item": self.document("in_progress")})]

    def delta(self, token: str) -> Event:
        self.parts.append(token)
        return "function_call_arguments.delta", {**self._position, "delta": token}

    def closing(self, status: str) -> list[Event]:
        return [
            ("function_call_arguments.done", {**self._position, "name": self.call.name, "arguments": self._whole}),
            ("output_item.done", {"output_index": self.index, "item": self.document(status)}),
        ]
