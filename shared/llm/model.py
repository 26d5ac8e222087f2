"""The port to a chat model: a request in, text deltas and one finish out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from shared.jobs.usage import TokenUsage


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
    """One call. `model` is the provider's id; `temperature` 0–2; `max_output_tokens` None leaves it to the provider."""

    model: str
    messages: tuple[Message, ...]
    output_schema: OutputSchema | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer. `truncated`: the provider stopped at its output limit."""

    usage: TokenUsage
    truncated: bool = False


class ChatModel(Protocol):
    """A streaming chat model.

    `stream` yields `TextDelta`s as they come and exactly one `Finished` last; closing the iterator ends the call at the
    provider. Raises the model faults of `shared/errors.py` (ModelRateLimited, ModelTimeout, ModelUnavailable,
    ModelDisconnected, ModelRefused, ModelRejectedRequest) and nothing else.
    """

    def stream(self, request: ModelRequest) -> AsyncGenerator[TextDelta | Finished, None]: ...
