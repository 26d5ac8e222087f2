"""Decode the bytes of a streamed chat completion: its text, its usage and how it ended."""

from __future__ import annotations

from typing import Any, Final

from shared.errors import ModelRefused, ModelUnavailable
from shared.llm.json_in_text import WantedAnswer
from shared.llm.model import ToolCall
from shared.llm.openai.call_fragments import CallFragments
from shared.llm.openai.faults import fault_in_stream, refusal
from shared.llm.sse_decoder import EventDecoder, count_of, count_within

# How servers call the end of an output, in lower case. Every other reason means that the output is finished.
_TRUNCATED: Final = frozenset({"length", "max_output_tokens", "max_tokens", "model_length"})
_REFUSED: Final = frozenset({
    "blocklist", "content_filter", "content_filtered", "guardrail", "prohibited_content", "recitation", "refusal",
    "safety", "sensitive", "spii",
})  # fmt: skip
_FAILED: Final = frozenset({
    "abort", "aborted", "cancelled", "error", "failed", "insufficient_system_resource", "internal_error",
    "malformed_function_call", "network_error", "overloaded", "server_error", "timeout", "unavailable",
})  # fmt: skip

# A message behind messages that begins with all text so far is the whole text again from this length on. A shorter one
# may be the next part.
_LEAST_REPEATED: Final = 16


class ChatDecoder(EventDecoder):
    """Decode one chat completion.

    A `finish_reason` completes it. Without one it is complete if the provider has ended its stream (`[DONE]`, or one
    JSON document instead of a stream), unless its JSON is visibly cut off; or if its text is the answer that was
    wanted. `wanted` is None if any text would be an answer.
    """

    def __init__(self, wanted: WantedAnswer | None = None) -> None:
        super().__init__(wanted)
        self.finish_reason: str | None = None
        self._calls = CallFragments()
        self._from_deltas = False

    @property
    def complete(self) -> bool:
        return self.finish_reason is not None

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return self._calls.calls if self.complete else ()

    @property
    def arguments_length(self) -> int:
        return self._calls.arguments_length

    @property
    def truncated(self) -> bool:
        return self.finish_reason in _TRUNCATED

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("error"):
            self._fail(fault_in_stream(event["error"]))
            return
        usage = event.get("usage")
        if usage:
            self._take_usage(usage)
        choices = event.get("choices")
        if choices:
            self._take_choice(choices[0])
        elif choices is None and _is_error(event):
            self._fail(fault_in_stream(event))

    def _take_usage(self, usage: Any) -> None:
        # Some servers send a running total with every chunk, so the last one counts.
        self.input_tokens = count_of(usage, "prompt_tokens")
        self.output_tokens = count_of(usage, "completion_tokens")
        self.cached_input_tokens = count_within(usage, "prompt_tokens_details", "cached_tokens")
        self.reasoning_tokens = count_within(usage, "completion_tokens_details", "reasoning_tokens")

    def _take_choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if delta:
            content = delta.get("content")
            if content:
                self._from_deltas = True
                self._take_content(content)
            else:
                self._take_reasoning(delta.get("reasoning_content") or delta.get("reasoning"))
            self._take_calls(delta)
        else:
            self._take_instead_of_delta(choice)
        reason = choice.get("finish_reason")
        if reason:
            self._finish(str(reason).lower(), choice)
        if delta and delta.get("refusal"):
            self._refuse()

    def _take_content(self, content: Any) -> None:
        if isinstance(content, list):
            for part in content:
                self._take_part(part)
        elif isinstance(content, dict):
            self._take_part({"type": "text", **content})
        else:
            self._whole.append(self._add_text(content))  # a TypeError if it is not text, which becomes a fault

    def _take_part(self, part: Any) -> None:
        """Read one part of a text that comes as a list: of the text, or of the reasoning beside it."""
        if isinstance(part, str):
            self._take_content(part)
        elif part.get("type") in {"text", "output_text"}:
            text = part.get("text")
            self._take_content(text if isinstance(text, str) else text["value"])
        else:
            self._take_reasoning(part.get("thinking") or part.get("reasoning"))

    def _take_reasoning(self, reasoning: Any) -> None:
        if isinstance(reasoning, str):
            self._add_reasoning(reasoning)
        elif isinstance(reasoning, list):
            for part in reasoning:
                self._take_reasoning(part if isinstance(part, str) else part.get("text"))

    def _take_calls(self, message: dict[str, Any]) -> None:
        for fragment in message.get("tool_calls") or ():
            self._calls.add(fragment)
        call = message.get("function_call")  # the API before `tool_calls`
        if call:
            self._calls.add({"index": 0, "function": call})

    def _take_instead_of_delta(self, choice: dict[str, Any]) -> None:
        """Read a choice of another shape: a whole message, or the text of the older completions API."""
        message = choice.get("message") or {"content": choice.get("text")}
        content = message.get("content")
        if isinstance(content, str) and content:
            content = self._new_in(content)
        if content:
            self._take_content(content)
        self._take_reasoning(message.get("reasoning_content") or message.get("reasoning"))
        self._take_calls(message)
        if message.get("refusal"):
            self._refuse()

    def _new_in(self, message: str) -> str:
        """Return what a whole message adds to the text so far, which it may repeat."""
        so_far = "".join(self._whole)
        if self._from_deltas:
            return message.removeprefix(so_far) if message.startswith(so_far) else ""
        return message.removeprefix(so_far) if len(so_far) >= _LEAST_REPEATED else message

    def _finish(self, reason: str, choice: dict[str, Any]) -> None:
        if self.complete or reason in {"null", "none"}:
            return
        if reason in _REFUSED:
            self._fail(refusal())
        elif reason in _FAILED and choice.get("error"):
            self._fail(fault_in_stream(choice["error"]))
        elif reason in _FAILED:
            self._fail(ModelUnavailable(f"the model provider ended the output early (finish_reason {reason})"))
        else:
            self._whole.append(self._release_text())
            self.finish_reason = reason

    def _refuse(self) -> None:
        """Take a refusal, also behind the end of the output, where it belongs to the same message."""
        if isinstance(self.fault, ModelRefused):
            return
        self.finish_reason = None
        self._fail(refusal())

    def _complete_early(self) -> None:
        self.finish_reason = self.finish_reason or "stop"

    def _conclude(self, *, declared: bool) -> None:
        self._whole.append(self._release_text())
        if self._is_whole("".join(self._whole), declared=declared):
            self.finish_reason = "stop"

    def _is_whole(self, text: str, *, declared: bool) -> bool:
        if self._calls:
            return declared and self._calls.all_whole
        if self.wanted is None:
            return declared and bool(text)
        return self.wanted.fits(text) or (declared and bool(text.strip()) and not self.wanted.is_cut(text))


_KEYS_OF_ERRORS: Final = frozenset({"detail", "error_code", "error_message", "error_msg", "errors", "message", "msg"})


def _is_error(event: dict[str, Any]) -> bool:
    """Whether a chunk without choices is an error: that of vLLM, of FastAPI, or of a gateway."""
    return "error" in {event.get("object"), event.get("type")} or not _KEYS_OF_ERRORS.isdisjoint(event)
