"""Keep text storable: no half of a surrogate pair reaches the database or a watcher."""

from __future__ import annotations

import re
from typing import Any

# An escape of JSON: a whole surrogate pair, half of one, or any other. The order of the alternatives decides.
_ESCAPES = re.compile(
    r"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def whole_characters(text: str) -> str:
    """Join surrogate pairs into characters, and replace a half whose other half is missing by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole_escapes(json_text: str) -> str:
    """Do the same for the characters of a JSON text, written as such or as escapes such as `\\ud83c`."""
    if "\\u" in json_text:
        json_text = _ESCAPES.sub(lambda found: r"\ufffd" if found["half"] else found[0], json_text)
    return whole_characters(json_text)


def whole_values(value: Any) -> Any:
    """Return a value of JSON in which every text, also of a key, is one of whole characters."""
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, dict):
        return {whole_values(key): whole_values(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [whole_values(each) for each in value]
    return value
