"""The longest output: what a schema can take, and where an output that does not stop is ended."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, StringConstraints

from shared.llm.model import Message, ModelRequest, OutputSchema
from shared.llm.output_bound import (
    MAX_REASONING_CHARS,
    MAX_SPACE_CHARS,
    MAX_TEXT_CHARS,
    MAX_UNREAD_BYTES,
    OutputMeter,
    longest_json,
)
from shared.schema import Schema
from shared.stages.model_answers import strict_schema

Word = Annotated[str, StringConstraints(max_length=5)]


class Inner(Schema):
    word: Word
    kind: Literal["a", "bcd"] | None
    number: int


class Outer(Schema):
    inner: Annotated[tuple[Inner, ...], Field(max_length=3)]
    flag: bool


SCHEMA = strict_schema("outer", Outer)
HARDEST = st.text(max_size=5, alphabet='"\\\n\x01é🌍')


@given(st.lists(HARDEST, max_size=3), st.booleans(), st.sampled_from([None, 2, 8]))
def test_no_valid_answer_is_longer_than_the_bound(words: list[str], ascii_only: bool, indent: int | None) -> None:
    answer = {"inner": [{"word": word, "kind": "bcd", "number": -(2**63)} for word in words], "flag": False}
    text = json.dumps(answer, ensure_ascii=ascii_only, indent=indent)
    meter = OutputMeter(ModelRequest("m", (), SCHEMA))

    assert meter.take(text, received=len(text), reasoning=0, arguments=0) == text
    assert meter.excess is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "array", "items": {"type": "integer"}},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
        {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "string"}]},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/A"}}}},
        {"$ref": "#/$defs/B", "$defs": {}},
        {},
    ],
)
def test_a_schema_that_does_not_bound_its_texts_has_no_longest_one(schema: dict[str, Any]) -> None:
    assert longest_json(schema) is None


def test_a_bound_grows_with_the_lengths_and_counts_in_the_schema() -> None:
    def longest(length: int, count: int) -> int:
        found = longest_json({"type": "array", "maxItems": count, "items": {"type": "string", "maxLength": length}})
        assert found is not None
        return found

    assert 2 * 10 * 1000 < longest(1000, 10) < 2 * 10 * 1000 + 3000
    assert longest(1000, 10) < longest(1000, 20) < longest(2000, 20)


def excess(
    request: ModelRequest, *texts: str, times: int = 1, received: int = 1, reattached: bool = False
) -> str | None:
    """Return why the output is ended that has these texts, the last of them `times`."""
    meter = OutputMeter(request, reattached=reattached)
    for text in (*texts[:-1], *(texts[-1:] * times)):
        meter.take(text, received=received, reasoning=0, arguments=0)
    return meter.excess


FREE = ModelRequest("m", (Message("user", "?"),))
IN_SCHEMA = ModelRequest("m", (), OutputSchema("s", {}, max_chars=100))
TOOLS = ModelRequest("m", (), max_chars=50)


@pytest.mark.parametrize(
    ("request_", "texts", "said"),
    [
        (FREE, ("x" * MAX_TEXT_CHARS,), None),
        (FREE, ("x" * MAX_TEXT_CHARS, "x"), "400,000 characters, the longest that it may be"),
        (IN_SCHEMA, ('{"a": "' + "x" * 93,), None),
        (IN_SCHEMA, ('{"a": "' + "x" * 94,), "100 characters, the longest that fits its schema"),
        (IN_SCHEMA, ('{"a": "' + "\\u00e9" * 93,), None),
        (IN_SCHEMA, ('{"a": "' + "\\u00e9" * 94,), "100 characters"),
        (IN_SCHEMA, ("<think>" + "x" * 500 + "</think>", '{"a": ' + "1" * 94), None),
        (IN_SCHEMA, ("<think>" + "x" * 500 + "</think>", '{"a": ' + "1" * 95), "100 characters"),
        (IN_SCHEMA, ("Here it is: " + "x" * MAX_REASONING_CHARS,), None),
        (IN_SCHEMA, ("Here it is: " + "x" * MAX_REASONING_CHARS, "x" * 100), "600,100 characters, and no answer"),
        (IN_SCHEMA, ("{", *[" \n" * 20] * 2), None),
        (FREE, (" " * MAX_SPACE_CHARS, "x" + " " * MAX_SPACE_CHARS), None),
        (FREE, ("x " + " " * (MAX_SPACE_CHARS - 1), " "), "10,000 characters of white space"),
        (TOOLS, ("x" * 50,), None),
        (TOOLS, ("x" * 51,), "50 characters"),
    ],
)
def test_an_output_is_ended_where_it_is_longer_than_any_answer(
    request_: ModelRequest, texts: tuple[str, ...], said: str | None
) -> None:
    found = excess(request_, *texts)
    assert (found is None) == (said is None), found
    assert said is None or said in str(found)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"reasoning": MAX_REASONING_CHARS}, None),
        ({"reasoning": MAX_REASONING_CHARS + 1}, "reasoning was ended at 600,000"),
        ({"arguments": 100}, None),
        ({"arguments": 101}, "tool calls were ended at 100"),
    ],
)
def test_reasoning_and_tool_calls_have_bounds_of_their_own(counts: dict[str, int], said: str | None) -> None:
    meter = OutputMeter(IN_SCHEMA)
    meter.take("{", **{"received": 1, "reasoning": 0, "arguments": 0, **counts})
    assert meter.excess is None if said is None else said in str(meter.excess)


def test_only_bytes_without_output_count_as_unread() -> None:
    assert excess(FREE, "", times=MAX_UNREAD_BYTES // 1_000_000, received=1_000_000) is None
    assert "16,000,000 bytes" in str(excess(FREE, "", times=MAX_UNREAD_BYTES // 1_000_000 + 1, received=1_000_000))
    assert excess(FREE, "x", times=40, received=1_000_000) is None


def test_a_call_that_re_attaches_may_still_be_reasoning() -> None:
    assert excess(IN_SCHEMA, "x" * (MAX_REASONING_CHARS + 100), reattached=True) is None
    assert excess(IN_SCHEMA, "x" * (MAX_REASONING_CHARS + 101), reattached=True)


def test_the_text_is_cut_where_the_output_is_ended() -> None:
    meter = OutputMeter(IN_SCHEMA)
    assert meter.take('{"a":"' + "x" * 500, received=506, reasoning=0, arguments=0) == '{"a":"' + "x" * 94
