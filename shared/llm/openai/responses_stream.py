"""Decode the bytes of a streamed response of OpenAI's Responses API: text, usage, position and how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Self

from shared.errors import ModelDisconnected
from shared.llm.json_in_text import WantedAnswer
from shared.llm.model import ResponseGone, ToolCall
from shared.llm.openai.call_items import CallItems
from shared.llm.openai.faults import fault_in_stream, refusal
from shared.llm.sse_decoder import KEEP_ALIVE, UNEXPECTED_SHAPE, EventDecoder, count_of, count_within, undecodable

_ENDED: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class ResponsePosition:
    """A position in a response: after event `sequence_number` and after `length` characters of its text.

    The stream continues after the sequence number. The length is for a response that the provider still stores but no
    longer streams: `sequence_number` is None if the text was read from there, and then the stream has no such position.
    """

    response_id: str
    sequence_number: int | None
    length: int

    def __str__(self) -> str:
        number = "" if self.sequence_number is None else self.sequence_number
        return f"{self.response_id}:{number}:{self.length}"

    @classmethod
    def parse(cls, cursor: str) -> Self | None:
        """Return the position of a cursor; None if the text is not a cursor of this API."""
        identity, _, numbers = cursor.partition(":")
        number, _, length = numbers.partition(":")
        if not (identity and length.isdecimal() and (number.isdecimal() or not number)):
            return None
        return cls(identity, int(number) if number else None, int(length))


class ResponseDecoder(EventDecoder):
    """Decode one response, from its beginning or after the position at which a call re-attaches."""

    def __init__(
        self, reattached_at: ResponsePosition | None = None, *, wanted: WantedAnswer | None = None, kept: bool = True
    ) -> None:
        """`wanted` is what a whole answer looks like. `kept` is false if the provider does not keep the response."""
        super().__init__(wanted)
        self.first_cursor: str | None = None
        """The cursor before any text; None until the provider has sent the response's id."""
        self._reattached = reattached_at is not None
        self._kept = kept
        self._in_text = False
        self._complete = False
        self._truncated = False
        self._calls = CallItems()
        self._text_behind_call = False
        self._id: str | None = None
        # The event up to which the text is returned and no call has begun, and the length of that text.
        self._number: int | None = None
        self._length = 0
        self._seen_before = -1
        if reattached_at is not None:
            self._id, self._number = reattached_at.response_id, reattached_at.sequence_number
            self._length = reattached_at.length
            self._seen_before = -1 if self._number is None else self._number

    @property
    def complete(self) -> bool:
        return self._complete

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return self._calls.calls if self._complete else ()

    @property
    def arguments_length(self) -> int:
        return self._calls.arguments_length

    @property
    def truncated(self) -> bool:
        return self._truncated

    @property
    def cursor(self) -> str | None:
        """The position after the text that was read so far; None if the server does not number its events.

        The position is before the first tool call, so that a call that re-attaches reads all calls. It is None if text
        came behind a call, because that text would be read twice.
        """
        if self._text_behind_call or not self._kept or self._id is None:
            return None
        if self._number is None and not self._complete:
            return None
        return str(ResponsePosition(self._id, self._number, self._length))

    def read_stored(self, payload: bytes) -> str:
        """Read the response as the provider stores it, and return the text that was not read before.

        If the response has ended, `complete` or `fault` is set. If not, nothing is read, because the text of a running
        response has no position in its stream.
        """
        try:
            self._take_stored(json.loads(payload))
        except UNEXPECTED_SHAPE:
            self._fail(undecodable())
        return self._new_text()

    def _take_stored(self, response: dict[str, Any]) -> None:
        status = response["status"]
        if status not in _ENDED:
            return
        self.fault = None
        if status in {"completed", "incomplete"} and not self._is_kept_in(response):
            self.fault = ResponseGone("the provider does not keep the response's output")
            return
        self._number = None
        self._end(status, response)

    def _is_kept_in(self, response: dict[str, Any]) -> bool:
        """Whether the stored response has the text and the calls that were read from the stream."""
        return len(_text_of(response)) >= self._length and self._calls.all_in(response.get("output") or [])

    def _take(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if kind == "error" or event.get("error"):
            self._fail(fault_in_stream(event.get("error") or event))
            return
        if kind in KEEP_ALIVE:
            self.events -= 1
            return
        if kind is None and "status" in event:
            self._take_instead_of_stream(event)
            return
        number = event.get("sequence_number")
        if isinstance(number, int):
            if number <= self._seen_before:
                return  # the server sends all events again, from the start
            before, self._number = self._number, number
        else:
            before = self._number
        self._take_new(str(kind), event)
        if self._calls or self._held:
            self._number = before

    def _take_new(self, kind: str, event: dict[str, Any]) -> None:
        match kind:
            case "response.output_text.delta" | "response.output_text.done":
                self._take_text_event(event)
            case "response.reasoning_text.delta":
                self._add_reasoning(event["delta"])
            case "response.created" | "response.queued" | "response.in_progress":
                self._accept(event["response"])
            case "response.output_item.added" | "response.output_item.done":
                self._calls.take(event["item"])
            case "response.function_call_arguments.delta":
                self._calls.add_arguments(event)
            case "response.function_call_arguments.done":
                self._calls.end_arguments(event)
            case "response.refusal.delta" | "response.refusal.done":
                self._fail(refusal())
            case "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled":
                self._end(kind.removeprefix("response."), event["response"])

    def _take_text_event(self, event: dict[str, Any]) -> None:
        """Read a part of a text, or a whole text, which counts only if the server has sent no parts of it."""
        if "delta" in event:
            self._take_text(event["delta"])
        elif not (self._in_text or self._reattached):
            self._take_text(event["text"])
        self._in_text = "delta" in event

    def _take_text(self, text: str) -> None:
        added = self._add_text(text)
        self._whole.append(added)
        self._length += len(added)
        self._text_behind_call = self._text_behind_call or bool(added and self._calls)

    def _accept(self, response: dict[str, Any]) -> None:
        if self._id is None:
            self._id = "" + response["id"]
            self.first_cursor = self.cursor

    def _end(self, status: str, response: dict[str, Any]) -> None:
        usage = response.get("usage")
        self.input_tokens, self.output_tokens = count_of(usage, "input_tokens"), count_of(usage, "output_tokens")
        self.cached_input_tokens = count_within(usage, "input_tokens_details", "cached_tokens")
        self.reasoning_tokens = count_within(usage, "output_tokens_details", "reasoning_tokens")
        if status == "failed":
            fault = fault_in_stream(response.get("error"))
            # To re-attach again would show the same failure again, so a retry must start a new response.
            self.fault = _gone("failed") if self._reattached and fault.retryable else fault
        elif status == "cancelled":
            self.fault = (
                _gone("was cancelled") if self._reattached else ModelDisconnected("the model's response was cancelled")
            )
        elif _is_refusal(response):
            self.fault = refusal()
        else:
            self._held = ""
            self._take_text(self._undelivered(_text_of(response)))
            for item in response.get("output") or []:
                self._calls.take(item)
            self._complete = self.done = True
            self._truncated = status == "incomplete"

    def _undelivered(self, text: str) -> str:
        """Return what the stream did not deliver of the text. If the two differ, the stream's text counts."""
        if self._reattached:
            return text[self._length :]
        delivered = "".join(self._whole)
        return text.removeprefix(delivered) if text.startswith(delivered) else ""

    def _take_instead_of_stream(self, response: dict[str, Any]) -> None:
        """Read a response that came as one JSON document, because the server does not stream."""
        if response["status"] in _ENDED:
            self._accept(response)
            self._end(response["status"], response)
        elif self._id is None and self._kept:
            self._id = "" + response["id"]
            self.first_cursor = str(ResponsePosition(self._id, None, 0))

    def _complete_early(self) -> None:
        self._complete = True

    def _conclude(self, *, declared: bool) -> None:
        # A response that the provider keeps is better looked up there: that costs nothing, and tells its usage.
        if self._reattached or self.cursor is not None or self.wanted is None:
            return
        self._whole.append(self._release_text())
        text = "".join(self._whole)
        self._complete = self.wanted.fits(text) or (declared and bool(text) and not self.wanted.is_cut(text))


def _gone(how: str) -> ResponseGone:
    return ResponseGone(f"the response {how} at the provider")


def _contents(response: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the contents of the messages. Some servers list a message twice; the second one does not count."""
    messages: list[list[dict[str, Any]]] = []
    for item in response.get("output") or []:
        contents = item.get("content") or []
        if item.get("type") == "message" and not (contents and contents in messages):
            messages.append(contents)
    return [content for contents in messages for content in contents]


def _text_of(response: dict[str, Any]) -> str:
    return "".join(content["text"] for content in _contents(response) if content.get("type") == "output_text")


def _is_refusal(response: dict[str, Any]) -> bool:
    filtered: bool = (response.get("incomplete_details") or {}).get("reason") == "content_filter"
    return filtered or any(content.get("type") == "refusal" for content in _contents(response))
