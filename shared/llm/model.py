"""Define the port to a chat model: a request goes in; text deltas and one finish come out."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from shared.log.usage import TokenUsage

_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class TextPart:
    """A text beside images in one message."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a message: its bytes and media type, such as `image/png`.

    Adapters send it as a `data:` URL, because a provider reaches neither loopback nor a private bucket.
    """

    data: bytes
    media_type: str

    @property
    def url(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool. `arguments` is JSON text as the model wrote it, which may be unparsable."""

    id: str
    name: str
    arguments: str

    @property
    def sendable_name(self) -> str:
        """Return the name for sending it back: providers refuse a name with other characters, or a longer one.

        A model that invents a tool may call it `functions.search`.
        """
        return _NOT_IN_NAMES.sub("_", self.name)[:_LONGEST_NAME] or "unnamed"

    @property
    def sendable_arguments(self) -> str:
        """Return the arguments as a JSON object for sending them back.

        Several providers refuse a conversation whose calls hold unparsable arguments. Several models send no arguments
        at all for a tool that needs none.
        """
        if not self.arguments.strip():
            return "{}"
        try:
            parsed = json.loads(self.arguments, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            parsed = None
        return self.arguments if isinstance(parsed, dict) else json.dumps({"unparsable": self.arguments})


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may call; `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation.

    An assistant's message may hold `tool_calls`. Each of them needs a message of role `tool` behind it, whose
    `tool_call_id` is the call's id and whose content is the result: providers refuse a call without its result.
    Images belong into messages of the roles `user` and `tool`.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str | tuple[TextPart | ImagePart, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """The message's text without its images."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def says_nothing(self) -> bool:
        """Whether this is a turn of the model without text and calls. It is not sent: several providers refuse it."""
        return self.role == "assistant" and not self.tool_calls and not self.text.strip()


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """The JSON Schema that the output must match; `name` is the schema's name in the request to the provider.

    `max_chars` is the length of the longest JSON text that fits; None if the schema does not bound it. It does not
    follow from `schema`, in which keywords may be missing that providers refuse.
    """

    name: str
    schema: dict[str, Any]
    max_chars: int | None = None


@dataclass(frozen=True, slots=True)
class OneTool:
    """The choice of one tool: the model must call the offered tool with this name."""

    name: str


def never_spare() -> float:
    """Return 0: text is of use as soon as it arrives."""
    return 0.0


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of a model.

    `model` is the provider's id of the model. `tool_choice` says whether the model calls a tool: as it likes, never, at
    least one, or the one that is named. `temperature` is from 0 to 2. If `temperature` or `max_output_tokens` is
    None, the provider's default applies.

    `max_chars` is the longest output that is of use, in characters. The call ends with a fault if the output is longer.
    If it is None, the bound of the schema applies, or one that no text needs.

    `resume_from` is a cursor from an earlier call with the same request. If it is set, no new response is started: the
    call re-attaches to the earlier response, running or ended, and reads what follows the cursor.

    `spare` returns for how many seconds the caller has no use for more text. The call need not read any meanwhile,
    which saves the CPU time of many short reads.
    """

    model: str
    messages: tuple[Message, ...]
    output_schema: OutputSchema | None = None
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "none", "required"] | OneTool = "auto"
    temperature: float | None = None
    max_output_tokens: int | None = None
    max_chars: int | None = None
    resume_from: str | None = None
    spare: Callable[[], float] = field(default=never_spare, compare=False, repr=False)


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
class ToolCalled:
    """The model has written a whole tool call. No cursor goes beyond a call: a resumed response repeats its calls."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of the output. `truncated` is true if the provider stopped at the output limit.

    `why_empty` is why there is no output; None if there is one, or if the reason is not known.
    """

    usage: TokenUsage
    truncated: bool = False
    why_empty: str | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a call has used that fails next: it has no `Finished`. It is yielded only if the model may have worked."""

    usage: TokenUsage


Piece = Started | TextDelta | ToolCalled | Finished | Spent
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

        A call that fails yields `Spent` before it raises, if the model may have worked.

        Closing the iterator ends the call. A response without cursors then ends at the provider, too. A response with
        cursors continues there and is billed, so either re-attach to it or `cancel` it.

        Raises:
            ModelRateLimited, ModelNotReady, ModelTimeout, ModelUnavailable, ModelDisconnected: a retry may succeed.
            ModelRefused, ModelRejectedRequest, ModelOutputTooLong: a retry would fail, too.
            ResponseGone: the response at the request's `resume_from` cannot be read any further.
        """
        ...

    async def cancel(self, cursor: str) -> None:
        """End the response of `cursor` at the provider. Do nothing if the response has ended or is unknown.

        Raises:
            ModelRateLimited, ModelNotReady, ModelTimeout, ModelUnavailable, ModelDisconnected: a retry may succeed.
            ModelRejectedRequest: a retry would fail, too.
        """
        ...
