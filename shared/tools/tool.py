"""Tools as pure functions of their input, and the toolbox that checks a model's calls before it runs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from shared.llm.model import ToolCall, ToolSpec
from shared.rules import rule_of
from shared.schema import Schema
from shared.tools.result import ArgumentIssue, ToolErrorCode, ToolResult, failed

State = TypeVar("State")
Effect = TypeVar("Effect")

MAX_ARGUMENT_BYTES = 16_000
"""Largest arguments of one call, as the model wrote them, if the toolbox sets no other limit."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Effect]):
    """What a tool computes: its result, and the effects that the application then makes durable."""

    result: ToolResult
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool(Generic[State, Effect]):
    """One tool: `function` computes an outcome from the application's state and the checked arguments.

    The function reads no storage, no clock and no network, and draws no random numbers: the same input gives the same
    outcome. `title` says in a few words for people what a call does.
    """

    name: str
    description: str
    arguments: type[Schema]
    function: Callable[[State, Any], Outcome[Effect]]
    title: Callable[[Any], str] | None = None

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, self.description, self.arguments.model_json_schema(by_alias=True))

    def title_of(self, arguments: Schema) -> str:
        return self.title(arguments) if self.title else self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class CheckedCall(Generic[State, Effect]):
    """A call of a known tool with valid arguments."""

    tool: Tool[State, Effect]
    arguments: Schema

    @property
    def title(self) -> str:
        return self.tool.title_of(self.arguments)


class Toolbox(Generic[State, Effect]):
    """An application's tools by name."""

    def __init__(self, tools: Iterable[Tool[State, Effect]], *, max_argument_bytes: int = MAX_ARGUMENT_BYTES) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._max_argument_bytes = max_argument_bytes

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._tools)

    def specs(self, allowed: frozenset[str] | None) -> tuple[ToolSpec, ...]:
        """Return the tools to offer to the model; `allowed` None offers all."""
        return tuple(tool.spec for tool in self._tools.values() if allowed is None or tool.name in allowed)

    def check(self, call: ToolCall, allowed: frozenset[str] | None) -> CheckedCall[State, Effect] | ToolResult:
        """Return the call with valid arguments, or the result that tells the model what is wrong with it."""
        offered = [name for name in self._tools if allowed is None or name in allowed]
        tool = self._tools.get(call.name)
        if tool is None:
            return failed(
                ToolErrorCode.UNKNOWN_TOOL, f"there is no tool {call.name[:64]!r}", hint=f"tools: {', '.join(offered)}"
            )
        if tool.name not in offered:
            return failed(
                ToolErrorCode.NOT_ALLOWED,
                f"this agent may not use the tool {tool.name}",
                hint=f"allowed tools: {', '.join(offered) or 'none'}",
            )
        if len(call.arguments.encode()) > self._max_argument_bytes:
            return failed(
                ToolErrorCode.INVALID_ARGUMENTS,
                f"the arguments are longer than {self._max_argument_bytes} bytes",
                hint="make several smaller calls",
            )
        return _checked(tool, call.arguments)


def _checked(tool: Tool[State, Effect], text: str) -> CheckedCall[State, Effect] | ToolResult:
    try:
        # Several models send no arguments at all for a tool that needs none.
        document = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        return failed(
            ToolErrorCode.INVALID_ARGUMENTS,
            f"the arguments of {tool.name} are not JSON",
            hint=f"send one JSON object; {str(error)[:120]}",
        )
    try:
        return CheckedCall(tool, tool.arguments.model_validate(document, by_alias=True, by_name=False))
    except ValidationError as error:
        issues = tuple(
            ArgumentIssue(field=".".join(map(str, each["loc"])) or "arguments", rule=rule_of(each))
            for each in error.errors(include_input=False, include_url=False)[:10]
        )
        return failed(
            ToolErrorCode.INVALID_ARGUMENTS,
            f"{tool.name} was called with invalid arguments",
            hint="correct the named fields and call it again",
            issues=issues,
        )
