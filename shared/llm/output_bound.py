"""Bound a model's output: by the longest JSON that fits its schema, or by a length that no text needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.llm.json_in_text import AnswerStart
from shared.llm.model import ModelRequest

MAX_TEXT_CHARS: Final = 400_000
"""Longest output without a schema, or with one that does not bound its texts: about 100,000 tokens."""

MAX_REASONING_CHARS: Final = 600_000
"""Longest reasoning, and longest text before the answer: about 150,000 tokens."""

MAX_SPACE_CHARS: Final = 10_000
"""Longest white space in one piece. Some models write nothing else once they have lost their way in a JSON text."""

MAX_UNREAD_BYTES: Final = 16_000_000
"""Most bytes that a provider may send without any output in them: one event, one page, or events without text."""

_ESCAPED: Final = 2
"""Characters that one character takes in a JSON text: `\\n` takes two. Each `\\uXXXX` is counted as one character."""

_AROUND: Final = 100
"""Characters around one value: its quotes and comma, and the indentation that some models write."""

_STORED_BYTES: Final = 12
"""Bytes that one character takes at most in a stored response, which is JSON: two `\\uXXXX` for an emoji."""

_NUMBER: Final = 40
_STAMP: Final = 64
_FORMATS: Final = frozenset({"date", "date-time", "duration", "time", "uuid"})


def longest_json(schema: Mapping[str, Any]) -> int | None:
    """Return the length in characters of the longest JSON text that fits the schema.

    Each `\\uXXXX` counts as one character, and white space as `_AROUND`. Return None if the schema does not bound the
    text: a string without `maxLength`, a list without `maxItems`, an object whose keys are not named, or a recursion.
    """
    return _longest(schema, schema.get("$defs") or {}, frozenset())


def _longest(schema: Mapping[str, Any], definitions: Mapping[str, Any], inside: frozenset[str]) -> int | None:
    reference = schema.get("$ref")
    if reference is not None:
        name = str(reference).rpartition("/")[2]
        if name in inside or name not in definitions:
            return None
        return _longest(definitions[name], definitions, inside | {name})
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return max((_ESCAPED * len(str(each)) for each in values), default=0) + _AROUND
    variants = schema.get("anyOf") or schema.get("oneOf")
    if variants:
        return _most([_longest(each, definitions, inside) for each in variants])
    return _longest_of_type(schema, definitions, inside)


def _longest_of_type(schema: Mapping[str, Any], definitions: Mapping[str, Any], inside: frozenset[str]) -> int | None:
    match schema.get("type"):
        case "object" if schema.get("additionalProperties", False) is False:
            properties = (schema.get("properties") or {}).items()
            values = [_longest(each, definitions, inside) for _, each in properties]
            keys = sum(_ESCAPED * len(key) + _AROUND for key, _ in properties)
            return _sum([_AROUND + keys, *values])
        case "array":
            most, item = schema.get("maxItems"), _longest(schema.get("items") or {}, definitions, inside)
            return None if most is None or item is None else _AROUND + most * item
        case "string" if "maxLength" in schema:
            return _ESCAPED * int(schema["maxLength"]) + _AROUND
        case "string" if schema.get("format") in _FORMATS:
            return _STAMP + _AROUND
        case "integer" | "number" | "boolean" | "null":
            return _NUMBER + _AROUND
        case _:
            return None


def _most(lengths: list[int | None]) -> int | None:
    return None if None in lengths else max(each for each in lengths if each is not None)


def _sum(lengths: list[int | None]) -> int | None:
    return None if None in lengths else sum(each for each in lengths if each is not None)


def longest_output(request: ModelRequest) -> int:
    """Return the most characters that an output of the request may have, without what comes before the answer."""
    if request.max_chars is not None:
        return request.max_chars
    schema = request.output_schema
    return MAX_TEXT_CHARS if schema is None or schema.max_chars is None else schema.max_chars


def longest_stored_response(request: ModelRequest) -> int:
    """Return the most bytes of a stored response: the longest output, and what a provider writes around it."""
    return _STORED_BYTES * longest_output(request) + MAX_UNREAD_BYTES


class OutputMeter:
    """Measure one output while it arrives; `excess` says why it has to be ended, None while it has not.

    Reasoning, sentences before the answer and the answer have bounds of their own: a model may think for long before it
    writes something short. With `reattached`, the output is read from its middle, so they are not told apart.
    """

    def __init__(self, request: ModelRequest, *, reattached: bool = False) -> None:
        self.excess: str | None = None
        self._longest = longest_output(request)
        self._in_schema = request.output_schema is not None
        self._start = AnswerStart() if self._in_schema and not reattached else None
        self._room = self._longest + (MAX_REASONING_CHARS if reattached else 0)
        self._room_before = self._longest + MAX_REASONING_CHARS
        self._space = 0
        self._beside = 0
        self._unread = 0

    def take(self, text: str, *, received: int, reasoning: int, arguments: int) -> str:
        """Count what one read has brought, and return the part of its text that is within the bounds.

        `received` is the number of bytes in this read; `reasoning` and `arguments` are the characters so far of the
        reasoning beside the output, and of the arguments of tool calls.
        """
        grown = bool(text) or reasoning + arguments > self._beside
        self._beside = reasoning + arguments
        self._unread = 0 if grown else self._unread + received
        kept = self._within(text)
        if reasoning > MAX_REASONING_CHARS:
            self._end(f"its reasoning was ended at {MAX_REASONING_CHARS:,} characters")
        elif arguments > self._longest:
            self._end(f"its tool calls were ended at {self._longest:,} characters, the longest that they may be")
        elif self._unread > MAX_UNREAD_BYTES:
            self._end(f"its response was ended after {MAX_UNREAD_BYTES:,} bytes without output")
        return kept

    def _within(self, text: str) -> str:
        if self._is_space_too_long(text):
            self._end(f"its output was ended after {MAX_SPACE_CHARS:,} characters of white space")
            return text.rstrip()
        begin = 0
        if self._start is not None:
            found = self._start.find(text)
            if found is None:
                return self._before_answer(text)
            begin, self._start = max(0, found), None
        self._room -= len(text) - begin - 5 * text.count("\\u", begin)
        if self._room >= 0:
            return text
        self._end(
            f"its output was ended at {self._longest:,} characters, the longest that "
            f"{'fits its schema' if self._in_schema else 'it may be'}"
        )
        return text[: self._room]

    def _is_space_too_long(self, text: str) -> bool:
        """Whether the white space at the end of the output so far, and of this text, is longer than it may be."""
        behind = len(text) - len(text.rstrip())
        whole = self._space + behind if behind == len(text) else behind
        self._space = whole
        return whole > MAX_SPACE_CHARS

    def _before_answer(self, text: str) -> str:
        self._room_before -= len(text)
        if self._room_before >= 0:
            return text
        self._end(
            f"its output was ended at {self._longest + MAX_REASONING_CHARS:,} characters, and no answer was in it"
        )
        return text[: self._room_before]

    def _end(self, how: str) -> None:
        self.excess = f"the model did not stop: {how}"
