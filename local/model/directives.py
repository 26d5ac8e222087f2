"""The two directives that a prompt may hold: `[[script: …]]` says how to behave, `[[tools: …]]` which tools to call."""

from __future__ import annotations

import json
import re
from typing import Final

from local.model.calls import PlannedCall

SCRIPT: Final = re.compile(r"\[\[\s*script:(?P<body>.*?)\]\]", re.DOTALL)
_TOOLS: Final = re.compile(r"\[\[\s*tools:\s*")
_NAME: Final = re.compile(r"[\w.-]+")
_BLANKS: Final = re.compile(r"\s*")
_DECODER: Final = json.JSONDecoder()


class UnreadableDirective(ValueError):
    """The prompt contains a directive with an unknown setting, a wrong value or a call that cannot be read."""


def directed_calls(text: str) -> tuple[PlannedCall, ...] | None:
    """Return the calls of `[[tools: name {json}; name {json}]]`, or None without it. Raises UnreadableDirective."""
    found = _TOOLS.search(text)
    return None if found is None else _read_calls(text, found.end())[0]


def without_directives(text: str) -> str:
    """Return the text without its directives. Raises UnreadableDirective."""
    text = SCRIPT.sub("", text)
    while found := _TOOLS.search(text):
        text = text[: found.start()] + text[_read_calls(text, found.end())[1] :]
    return text


def _read_calls(text: str, at: int) -> tuple[tuple[PlannedCall, ...], int]:
    """Return the calls from this position on, and the position behind the directive.

    The arguments are read as JSON, because they may contain `]]` and `;` themselves.
    """
    calls: list[PlannedCall] = []
    while name := _NAME.match(text, at):
        arguments, at = "{}", _behind_blanks(text, name.end())
        if text.startswith("{", at):
            begin, at = at, _end_of_json(text, at)
            arguments, at = text[begin:at], _behind_blanks(text, at)
        calls.append(PlannedCall(name[0], arguments))
        if text.startswith("]]", at):
            return tuple(calls), at + 2
        if not text.startswith(";", at):
            break
        at = _behind_blanks(text, at + 1)
    raise _unreadable(text, at)


def _end_of_json(text: str, at: int) -> int:
    try:
        return _DECODER.raw_decode(text, at)[1]
    except ValueError as error:
        raise _unreadable(text, at) from error


def _behind_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _unreadable(text: str, at: int) -> UnreadableDirective:
    return UnreadableDirective(
        f"[[tools: …]] cannot be read at {text[at : at + 30]!r}; write [[tools: name {{json}}; name {{json}}]]"
    )
