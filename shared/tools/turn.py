"""One turn of a tool loop: what the model said, its calls, and their results. It is kept as one item."""

from __future__ import annotations

from pydantic import Field

from shared.llm.model import Message, ToolCall
from shared.log.usage import TokenUsage
from shared.schema import Schema
from shared.tools.result import ToolResult

PREFIX = "turn-"


class KeptCall(Schema):
    """A tool call as the model wrote it."""

    id: str
    name: str
    arguments: str


class Turn(Schema):
    """A turn as it is kept: with its calls before they run, and again with all their results.

    A turn without calls is the last one: its text is the answer.
    """

    text: str
    calls: tuple[KeptCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    usage: TokenUsage = Field(default_factory=TokenUsage)
    attempt: int = Field(default=1, description="the attempt that made the turn")
    stopped: str | None = Field(default=None, description="which limit ended the loop; only on the last turn")
    truncated: bool = Field(default=False, description="the provider stopped this text at its output limit")

    @property
    def complete(self) -> bool:
        return len(self.results) == len(self.calls)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(ToolCall(call.id, call.name, call.arguments) for call in self.calls)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Return the turn as the conversation that the next model call continues: every call with its result."""
        results = (
            Message("tool", result.for_model, tool_call_id=call.id)
            for call, result in zip(self.calls, self.results, strict=True)
        )
        return Message("assistant", self.text, tool_calls=self.tool_calls), *results


def key_of(number: int) -> str:
    """Return the item key of the turn with this number, counted from 1."""
    return f"{PREFIX}{number:02d}"
