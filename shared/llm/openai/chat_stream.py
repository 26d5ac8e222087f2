"""Decode the bytes of a streamed chat completion: its text, its usage and how it ended."""

from __future__ import annotations

from typing import Any

from shared.llm.openai.faults import fault_in_stream, refusal
from shared.llm.sse_decoder import EventDecoder, count_of


class ChatDecoder(EventDecoder):
    """Decode one chat completion. It is complete only after a `finish_reason`; `[DONE]` alone is not enough."""

    def __init__(self) -> None:
        super().__init__()
        self.finish_reason: str | None = None

    @property
    def complete(self) -> bool:
        return self.finish_reason is not None

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
        choices = event.get("choices")
        if choices:
            self._take_choice(choices[0])

    def _take_choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta") or {}
        content = delta.get("content")
        if content:
            self._text.append("" + content)  # a TypeError if it is not text, which becomes a fault
        reason = choice.get("finish_reason")
        if reason:
            self.finish_reason = reason
        if reason == "content_filter" or delta.get("refusal"):
            self.fault = refusal()
