"""The port to a chat model: a request in, text deltas and one finish out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from shared.log.usage import TokenUsage


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """The JSON Schema the answer has to fit; `name` is what the provider calls it."""

    name: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call. `model` is the provider's id; `temperature` 0–2; `max_output_tokens` None leaves it to the provider.

    `resume_from` is a cursor that an earlier call for the same request gave: no new response is started, the running
    (or ended) one goes on after that place.
    """

    model: str
    messages: tuple[Message, ...]
    output_schema: OutputSchema | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    resume_from: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The provider has accepted the response and goes on with it alone; `cursor` is the place before any text.

    Comes first, before the model has said anything, and only where a response can be resumed; a resumed one does not
    start again.
    """

    cursor: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer. `cursor`: the place after it, opaque; None where a response cannot be resumed."""

    text: str
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer. `truncated`: the provider stopped at its output limit."""

    usage: TokenUsage
    truncated: bool = False


Piece = Started | TextDelta | Finished


class ResponseGone(Exception):
    """There is nothing to go on with at `resume_from`; the text says whether it is unknown, failed or was cancelled.

    Outside the tree of `shared/errors.py`, because it is for the caller alone: that drops the cursor and the text it
    has, and asks again without one. Neither Step Functions nor an owner should ever see it.
    """


class ChatModel(Protocol):
    """A streaming chat model.

    `stream` yields `Started` where the response can be resumed, `TextDelta`s as they come, and exactly one `Finished`
    last. It raises the model faults of `shared/errors.py` (ModelRateLimited, ModelTimeout, ModelUnavailable,
    ModelDisconnected, ModelRefused, ModelRejectedRequest), ResponseGone when the request has a `resume_from`, and
    nothing else.

    Closing the iterator leaves the call. Without cursors that ends it at the provider too. A response with cursors
    goes on there, and is paid for: after leaving, failing or crashing, either resume it or `cancel` it.
    """

    def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]: ...

    async def cancel(self, cursor: str) -> None:
        """End the response that `cursor` belongs to at the provider; nothing happens if it has ended or is unknown.

        Raises the transient model faults when the provider cannot be asked, and ModelRejectedRequest.
        """
        ...
