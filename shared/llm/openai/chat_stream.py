"""Decode the bytes of a streamed chat completion: its text, its usage and how it ended."""

from __future__ import annotations

from typing import Any

from shared.llm.model import ToolCall
from shared.llm.openai.call_fragments import CallFragments
from shared.llm.openai.faults import fault_in_stream, refusal
from shared.llm.sse_decoder import EventDecoder, count_of, count_within


class ChatDecoder(EventDecoder):
    """Decode one chat completion. It is complete only after a `finish_reason`; `[DONE]` alone is not enough."""

    def __init__(self) -> None:
        super().__init__()
        self.finish_reason: str | None = None
        self._calls = CallFragments()

    @property
    def complete(self) -> bool:
        return self.finish_reason is not None

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return self._calls.calls if self.complete else ()

    @property
    def truncated(self) -> bool:
        return self.finish_reason == "length"

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("error"):
            self.fault = fault_in_stream(event["error"])
            return
        usage = event.get("usage")
        if usage:
            # Some servers send a running total with every chunk, so the last one counts.
            self.input_tokens = count_of(usage, "prompt_tokens")
            self.output_tokens = count_of(usage, "completion_tokens")
            self.cached_input_tokens = count_within(usage, "prompt_tokens_details", "cached_tokens")
            self.reasoning_tokens = count_within(usage, "completion_tokens_details", "reasoning_tokens")
        choices = event.get("choices")
        if choices:
            self._take_choice(choices[0])

    def _take_choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta") or {}
        content = delta.get("content")
        if content:
            self._add_text(content)  # a TypeError if it is not text, which becomes a fault
        for fragment in delta.get("tool_calls") or ():
            self._calls.add(fragment)
        reason = choice.get("finish_reason")
        if reason:
            self.finish_reason = reason
            self._release_text()
        if reason == "content_filter" or delta.get("refusal"):
            self.fault = refusal()
