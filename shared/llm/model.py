"""Define the port to a chat model: a request goes in; text deltas and one finish come out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from shared.log.usage import TokenUsage


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """The JSON Schema that the output must match; `name` is the schema's name in the request to the provider."""

    name: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model.

    `model` is the provider's id of the model. `temperature` is from 0 to 2. If `temperature` or `max_output_tokens` is
    None, the provider's default applies.

    `resume_from` is a cursor from an earlier call with the same request. If it is set, no new response is started: the
    call re-attaches to the earlier response, running or ended, and reads what follows the cursor.
    """

    model: str
    messages: tuple[Message, ...]
    output_schema: OutputSchema | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    resume_from: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The provider has started a response and continues it even if the connection ends.

    `cursor` is the position before any text. `Started` is the first piece, before any output, and is only yielded for a
    response that a later call can re-attach to. A call that re-attaches does not yield it.
    """

    cursor: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A part of the output. `cursor` is the position after it; None if no later call can re-attach to the response."""

    text: str
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of the output. `truncated` is true if the provider stopped at the output limit."""

    usage: TokenUsage
    truncated: bool = False


Piece = Started | TextDelta | Finished
"""What `ChatModel.stream` yields."""


class ResponseGone(Exception):
    """The response at `resume_from` cannot be read any further: it is unknown, failed or was cancelled.

    The stage catches it, drops what it has read of the response, and calls the model again. It is not in the tree of
    `shared/errors.py`, because neither Step Functions nor an owner may see it.
    """


class ChatModel(Protocol):
    """A chat model that streams its output."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        """Yield `Started` if later calls can re-attach to the response, then `TextDelta`s, and one `Finished` at last.

        Closing the iterator ends the call. A response without cursors then ends at the provider, too. A response with
        cursors continues there and is billed, so either re-attach to it or `cancel` it.

        Raises:
            ModelRateLimited, ModelTimeout, ModelUnavailable, ModelDisconnected: a retry may succeed.
            ModelRefused, ModelRejectedRequest: a retry would fail, too.
            ResponseGone: the response at the request's `resume_from` cannot be read any further.
        """
        ...

    async def cancel(self, cursor: str) -> None:
        """End the response of `cursor` at the provider. Do nothing if the response has ended or is unknown.

        Raises:
            ModelRateLimited, ModelTimeout, ModelUnavailable, ModelDisconnected: a retry may succeed.
            ModelRejectedRequest: a retry would fail, too.
        """
        ...
