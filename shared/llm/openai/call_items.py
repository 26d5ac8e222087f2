"""Collect the tool calls of a streamed response from its items and the events between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from shared.characters import whole_characters, whole_escapes
from shared.llm.model import ToolCall
from shared.llm.openai.call_fragments import arguments_text


class CallItems:
    """The tool calls of one response.

    OpenAI sends a call's item without its arguments, then the arguments in fragments, then the whole item, and all
    items again at the end. Any one of them is enough here, because not every server sends them all.
    """

    def __init__(self) -> None:
        self._calls: dict[str, ToolCall] = {}
        self._call_ids: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Whether a call has begun."""
        return bool(self._calls)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls in the order in which they began."""
        return tuple(
            ToolCall(whole_characters(call.id), whole_characters(call.name), whole_escapes(call.arguments))
            for call in self._calls.values()
        )

    @property
    def arguments_length(self) -> int:
        """The number of characters in the arguments so far."""
        return sum(len(call.arguments) for call in self._calls.values())

    def all_in(self, items: Iterable[dict[str, Any]]) -> bool:
        """Whether every call is among these items."""
        return self._calls.keys() <= {_call_id(item) for item in items if _is_call(item)}

    def take(self, item: dict[str, Any]) -> None:
        """Take an item as far as it is written. Raises LookupError for a call without any id."""
        if not _is_call(item):
            return
        call_id = _call_id(item)
        self._call_ids[str(item.get("id") or call_id)] = call_id
        known = self._calls.get(call_id)
        arguments = arguments_text(item.get("arguments")) or (known.arguments if known else "")
        self._calls[call_id] = ToolCall(call_id, str(item.get("name") or ""), arguments)

    def add_arguments(self, event: dict[str, Any]) -> None:
        """Take a fragment of a call's arguments. Raises LookupError and TypeError for an event of another shape."""
        call_id = self._call_ids.get(event["item_id"])
        if call_id is not None:
            call = self._calls[call_id]
            self._calls[call_id] = replace(call, arguments=call.arguments + event["delta"])

    def end_arguments(self, event: dict[str, Any]) -> None:
        """Take a call's whole arguments. Raises LookupError for an event of another shape."""
        call_id = self._call_ids.get(event["item_id"])
        if call_id is not None:
            self._calls[call_id] = replace(self._calls[call_id], arguments=arguments_text(event["arguments"]))


def _is_call(item: dict[str, Any]) -> bool:
    return item.get("type") == "function_call"


def _call_id(item: dict[str, Any]) -> str:
    return str(item.get("call_id") or item["id"])
