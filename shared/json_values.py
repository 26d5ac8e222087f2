"""Check values that clients and models write as JSON: whether they can be stored, and read again as the same."""

from __future__ import annotations

import json
import math
from typing import Any, Final

MAX_LEVELS: Final = 40
"""Most levels of objects and arrays. A patch allows 32 in the project's document, and has eight around it."""


def broken_rule(value: Any) -> str | None:
    """Return the rule that a value of parsed JSON breaks; None if it can be stored.

    Python reads more than JSON has: NaN, Infinity, and halves of characters beyond U+FFFF.
    """
    level = [value]
    for _ in range(MAX_LEVELS + 1):
        if any(isinstance(each, float) and not math.isfinite(each) for each in level):
            return "must have finite numbers only: no NaN and no Infinity"
        if not all(_is_text(each) for each in level if isinstance(each, str)):
            return "must have whole characters only: a lone surrogate is half of one"
        containers = [each for each in level if isinstance(each, dict | list)]
        if not containers:
            return None
        level = [inner for each in containers for inner in _inside(each)]
    return f"must have at most {MAX_LEVELS} levels of objects and arrays; make it flatter"


def value_in(text: str) -> Any:
    """Return the value of JSON text that a model wrote.

    A text that is no JSON, or that breaks a rule, is the value itself, because models forget the quotes.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if broken_rule(value) is None else text


def _inside(value: dict[Any, Any] | list[Any]) -> list[Any]:
    return [*value.keys(), *value.values()] if isinstance(value, dict) else value


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
