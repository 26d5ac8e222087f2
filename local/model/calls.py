"""The tool calls of the scripted model: planned ones, and made ones with their results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

_LONGEST_QUOTE: Final = 200


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call to make. `arguments` is JSON text, sent as it is."""

    name: str
    arguments: str = "{}"

    def is_same(self, other: PlannedCall) -> bool:
        """Whether both call the same tool with the same arguments, however these are written."""
        return self.name == other.name and _parsed(self.arguments) == _parsed(other.arguments)


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A call of the conversation, with the result that the application sent back."""

    call: PlannedCall
    output: str

    @property
    def result(self) -> dict[str, Any]:
        """The fields of `shared.tools.result.ToolResult`; of any other output, a summary only."""
        document = _parsed(self.output)
        return document if isinstance(document, dict) else {"summary": self.output[:_LONGEST_QUOTE]}

    @property
    def ok(self) -> bool:
        return self.result.get("ok") is not False

    @property
    def error(self) -> dict[str, Any]:
        """The fields of `shared.tools.result.ToolError`, as far as the result has them."""
        error = self.result.get("error")
        return error if isinstance(error, dict) else {}

    def __str__(self) -> str:
        """Return the result in one line for people."""
        said = self.result.get("summary") or self.output[:_LONGEST_QUOTE]
        if self.ok:
            return f"{self.call.name}: {said}"
        hint = self.error.get("hint")
        return f"{self.call.name} failed: {said}" + (f" (hint: {hint})" if hint else "")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the scripted model says in one turn: a text, and calls behind it."""

    text: str = ""
    calls: tuple[PlannedCall, ...] = ()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
