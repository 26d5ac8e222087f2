"""Keep a response within what Lambda may return: decide which of its fields have to be left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel

MAX_SENT_BYTES: Final = 5_500_000
"""Most bytes of the large fields of one response. Lambda refuses a response of more than 6,291,556 bytes."""


def sent_bytes(value: Any) -> int:
    """Return the most bytes that a value takes in a response, whose body Lambda sends as a text inside of JSON."""
    return len(json.dumps(_json(value)))


def _json(value: Any) -> str:
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, tuple):
        return f"[{','.join(map(_json, value))}]"
    return json.dumps(value, ensure_ascii=False)


def too_large(fields: Mapping[str, Any], *, most: int = MAX_SENT_BYTES) -> tuple[str, ...]:
    """Return the names of the fields to leave out, the largest first, so that the others are at most `most` bytes."""
    sizes = {name: sent_bytes(value) for name, value in fields.items()}
    omitted: list[str] = []
    for name in sorted(sizes, key=lambda each: -sizes[each]):
        if sum(sizes.values()) <= most:
            break
        omitted.append(name)
        del sizes[name]
    return tuple(omitted)


def kept_within(contents: Iterable[Any], *, most: int = MAX_SENT_BYTES) -> list[bool]:
    """Return for each of the contents, the most important first, whether it still fits beside those before it."""
    left, kept = most, []
    for content in contents:
        size = sent_bytes(content)
        kept.append(size <= left)
        left -= size if size <= left else 0
    return kept
