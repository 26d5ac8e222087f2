"""The bytes of a streamed response of OpenAI's Responses API, decoded: text, usage, its place, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

from shared.errors import ModelDisconnected
from shared.llm.model import ResponseGone
from shared.llm.openai.faults import fault_in_stream, refusal
from shared.llm.sse_decoder import EventDecoder, count_of

_ENDED: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})

# They say that the connection lives, not that the model does. OpenAI sends them also before a response has its id.
_KEEP_ALIVE: Final = frozenset({"keepalive", "ping"})


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a response: after event `sequence_number`, with `length` characters of its text delivered.

    The number is what the provider resumes by. The length is for what it no longer streams but still stores; a place
    whose number is None was taken from there and can only be gone on from there.
    """

    response_id: str
    sequence_number: int | None
    length: int

    def __str__(self) -> str:
        number = "" if self.sequence_number is None else self.sequence_number
        return f"{self.response_id}:{number}:{self.length}"

    @classmethod
    def parse(cls, cursor: str) -> Self | None:
        """None for what is not a place."""
        identity, _, numbers = cursor.partition(":")
        number, _, length = numbers.partition(":")
        if not (identity and length.isdecimal() and (number.isdecimal() or not number)):
            return None
        return cls(identity, int(number) if number else None, int(length))


class ResponseDecoder(EventDecoder):
    """Of one response, from its beginning or, with `resumed_from`, from that place on."""

    def __init__(self, resumed_from: Place | None = None) -> None:
        super().__init__()
        self.accepted: str | None = None
        """The cursor before any text, once the provider has given the response its id."""
        self._resumed = resumed_from is not None
        self._whole = False
        self._truncated = False
        self._id: str | None = None
        self._number: int | None = None
        self._length = 0
        self._seen_before = -1
        if resumed_from is not None:
            self._id, self._number = resumed_from.response_id, resumed_from.sequence_number
            self._length = resumed_from.length
            self._seen_before = -1 if self._number is None else self._number

    @property
    def whole(self) -> bool:
        return self._whole

    @property
    def truncated(self) -> bool:
        return self._truncated

    @property
    def cursor(self) -> str | None:
        """The place after everything taken so far; None from a server that does not number its events."""
        if self._id is None or (self._number is None and not self._whole):
            return None
        return str(Place(self._id, self._number, self._length))

    def take_stored(self, payload: bytes) -> str:
        """Take the response as the provider stores it, and return the text not seen yet once it has ended.

        That it has ended shows in `whole` or `fault`; while it has not, nothing changes: what it holds then has no
        place in the stream.
        """
        self._take_json(payload, self._take_stored)
        return self._new_text()

    def _take_stored(self, response: dict[str, Any]) -> None:
        status = response["status"]
        if status not in _ENDED:
            return
        self.fault = None
        if status in {"completed", "incomplete"} and len(_text_of(response)) < self._length:
            self.fault = ResponseGone("The provider does not keep the response's text.")
            return
        self._number = None
        self._end(status, response)

    def _take(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if kind == "error" or event.get("error"):
            self.fault = fault_in_stream(event.get("error") or event)
            return
        if kind in _KEEP_ALIVE:
            self.events -= 1
            return
        number = event.get("sequence_number")
        if isinstance(number, int):
            if number <= self._seen_before:
                return  # a server that replays from the start
            self._number = number
        self._take_new(str(kind), event)

    def _take_new(self, kind: str, event: dict[str, Any]) -> None:
        match kind:
            case "response.output_text.delta":
                text = "" + event["delta"]  # what is not text fails here, where it counts as damage
                self._text.append(text)
                self._length += len(text)
            case "response.created" | "response.queued" | "response.in_progress":
                self._accept(event["response"])
            case "response.refusal.delta" | "response.refusal.done":
                self.fault = refusal()
            case "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled":
                self._end(kind.removeprefix("response."), event["response"])

    def _accept(self, response: dict[str, Any]) -> None:
        if self._id is None:
            self._id = "" + response["id"]
            self.accepted = self.cursor

    def _end(self, status: str, response: dict[str, Any]) -> None:
        usage = response.get("usage")
        self.input_tokens, self.output_tokens = count_of(usage, "input_tokens"), count_of(usage, "output_tokens")
        if status == "failed":
            fault = fault_in_stream(response.get("error"))
            # Re-attaching shows the same failure again: what is worth another attempt is worth it from the start.
            self.fault = _gone("failed") if self._resumed and fault.retryable else fault
        elif status == "cancelled":
            self.fault = (
                _gone("was cancelled") if self._resumed else ModelDisconnected("The model's response was cancelled.")
            )
        elif _is_refusal(response):
            self.fault = refusal()
        else:
            # What the stream left out, or had sent before we came.
            rest = _text_of(response)[self._length :]
            self._text.append(rest)
            self._length += len(rest)
            self._whole = self.done = True
            self._truncated = status == "incomplete"


def _gone(how: str) -> ResponseGone:
    return ResponseGone(f"The response to go on with {how} at the provider.")


def _contents(response: dict[str, Any]) -> list[dict[str, Any]]:
    items = response.get("output") or []
    return [content for item in items if item.get("type") == "message" for content in item.get("content") or []]


def _text_of(response: dict[str, Any]) -> str:
    return "".join(content["text"] for content in _contents(response) if content.get("type") == "output_text")


def _is_refusal(response: dict[str, Any]) -> bool:
    filtered: bool = (response.get("incomplete_details") or {}).get("reason") == "content_filter"
    return filtered or any(content.get("type") == "refusal" for content in _contents(response))
