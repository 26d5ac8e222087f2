"""Reads the tools that a request offers to the scripted model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from local.model.errors import BadRequest

ToolChoice = Literal["auto", "none", "required"]
_CHOICES: Final[dict[str, ToolChoice]] = {"auto": "auto", "none": "none", "required": "required"}
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool that the model may call; `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


def offered_tools(body: dict[str, Any], *, nested: bool) -> tuple[OfferedTool, ...]:
    """Read `tools`; `nested` if each definition is under `function`, as chat completions have it. Raises BadRequest."""
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        raise BadRequest("Invalid 'tools': expected an array.")
    read = tuple(_tool(tool, nested) for tool in tools)
    names = [tool.name for tool in read]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise BadRequest(f"Invalid 'tools': the name {repeated} is used twice.")
    return read


def tool_choice(body: dict[str, Any], offered: Sequence[OfferedTool], *, nested: bool) -> tuple[ToolChoice, str | None]:
    """Read `tool_choice`, and the name of the tool if it names one: then a call is required. Raises BadRequest."""
    choice = body.get("tool_choice")
    if choice is None:
        return "auto", None
    if not offered:
        raise BadRequest("Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
    if isinstance(choice, dict) and choice.get("type") == "function":
        function = choice.get("function") if nested else choice
        name = function.get("name") if isinstance(function, dict) else None
        if name not in {tool.name for tool in offered}:
            raise BadRequest(f"Tool choice {name!r} not found in 'tools' parameter.")
        return "required", name
    if not isinstance(choice, str) or choice not in _CHOICES:
        known = f"{', '.join(_CHOICES)} and the name of one function"
        raise BadRequest(f"Invalid value for 'tool_choice': the scripted model knows {known}.")
    return _CHOICES[choice], None


def _tool(tool: Any, nested: bool) -> OfferedTool:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        raise BadRequest("Invalid 'tools': the scripted model knows tools of the type 'function' only.")
    function = tool.get("function") if nested else tool
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadRequest("Missing required parameter: the 'name' of a tool.")
    if not _NAME.fullmatch(function["name"]):
        raise BadRequest(f"Invalid 'tools': {function['name']!r} does not match '^[a-zA-Z0-9_-]{{1,64}}$'.")
    parameters = function.get("parameters") or {}
    if not isinstance(parameters, dict) or parameters.get("type", "object") != "object":
        raise BadRequest(f"Invalid schema for function '{function['name']}': its type must be 'object'.")
    return OfferedTool(function["name"], str(function.get("description") or ""), parameters)
