"""Decoding the bytes of a streamed chat completion."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ModelDisconnected, ModelRefused, ModelUnavailable
from shared.llm.json_in_text import WantedAnswer
from shared.llm.model import ToolCall
from shared.llm.openai.chat_stream import ChatDecoder


def event(document: dict[str, Any], end: str = "\n\n") -> bytes:
    return f"data: {json.dumps(document, ensure_ascii=False)}{end}".encode()


def delta(content: Any, finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content, **more}, "finish_reason": finish_reason}]}


WHOLE = b"".join((
    b": a comment\n\n",
    event(delta("")),
    event(delta("Grüße, ")),
    event(delta("世界 🌍"), end="\r\n\r\n"),
    event(delta(None, "stop")),
    event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}),
    b"data: [DONE]\n\n",
))  # fmt: skip


@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=30))
def test_the_text_does_not_depend_on_how_the_bytes_are_split(cuts: list[int]) -> None:
    decoder = ChatDecoder()
    positions = [0, *sorted(cuts), len(WHOLE)]

    text = "".join(decoder.feed(WHOLE[start:end]) for start, end in itertools.pairwise(positions))

    assert text == "Grüße, 世界 🌍"
    assert decoder.done
    assert decoder.finish_reason == "stop"
    assert (decoder.input_tokens, decoder.output_tokens) == (7, 2)
    assert decoder.fault is None


def calling(*fragments: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return delta(None, finish_reason, tool_calls=list(fragments))


def part(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    return {"index": index, "type": "function", "function": {"arguments": arguments}, **more}


CALLS = (ToolCall("a", "add", '{"why": "Grüße 🌍", "by": 3}'), ToolCall("b", "read", "{}"))
WITH_CALLS = b"".join((
    event(delta("Let me ")),
    event(delta("add.")),
    event(calling({"index": 0, "id": "a", "function": {"name": "add", "arguments": ""}})),
    event(calling({"index": 1, "id": "b", "function": {"name": "read", "arguments": ""}}, part(0, '{"why": "Gr'))),
    *(event(calling(part(0, character))) for character in 'üße 🌍", "by": 3'),
    event(calling(part(0, "}"), part(1, "{}"))),
    event(calling(finish_reason="tool_calls")),
    event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}}),
    b"data: [DONE]\n\n",
))  # fmt: skip


@given(cuts=st.lists(st.integers(0, len(WITH_CALLS)), max_size=30))
def test_calls_do_not_depend_on_where_the_reads_are_cut(cuts: list[int]) -> None:
    decoder = ChatDecoder()
    places = [0, *sorted(cuts), len(WITH_CALLS)]

    text = "".join(decoder.feed(WITH_CALLS[start:end]) for start, end in itertools.pairwise(places))

    assert text == "Let me add."
    assert decoder.calls == CALLS
    assert decoder.finish_reason == "tool_calls"
    assert (decoder.cached_input_tokens, decoder.reasoning_tokens) == (4, 2)


def test_bytes_that_come_one_by_one_are_the_same_calls() -> None:
    decoder = ChatDecoder()
    for byte in WITH_CALLS:
        decoder.feed(bytes([byte]))
    assert decoder.calls == CALLS


def test_calls_count_however_the_finish_reason_is_called() -> None:
    decoder = ChatDecoder()
    decoder.feed(event(calling({"index": 0, "id": "b", "function": {"name": "read", "arguments": "{}"}})))
    assert not decoder.calls, "more may follow"
    decoder.feed(event(delta(None, "stop")))
    assert decoder.calls == CALLS[1:]


def test_calls_in_the_chunk_that_ends_the_output_count() -> None:
    decoder = ChatDecoder()
    whole = {"id": "b", "function": {"name": "read", "arguments": {}}}
    decoder.feed(event(calling(whole, finish_reason="tool_calls")))
    assert decoder.calls == CALLS[1:]


def test_arguments_cut_at_the_limit_are_passed_on_as_truncated() -> None:
    decoder = ChatDecoder()
    decoder.feed(event(calling({"index": 0, "id": "a", "function": {"name": "add", "arguments": '{"by": '}})))
    decoder.feed(event(delta(None, "length")))
    assert (decoder.calls, decoder.truncated) == ((ToolCall("a", "add", '{"by": '),), True)


def test_calls_of_a_stream_that_breaks_are_not_made() -> None:
    decoder = ChatDecoder()
    decoder.feed(event(calling({"index": 0, "id": "b", "function": {"name": "read", "arguments": "{}"}})))
    decoder.end()
    assert not decoder.complete
    assert not decoder.calls


def test_a_character_that_is_cut_in_half_is_delivered_whole() -> None:
    # aimock and other servers in JavaScript cut texts by UTF-16 units.
    decoder = ChatDecoder()
    events = [delta(half) for half in ("a\ud83c", "\udf0db", "\udf0d", "c\ud83c")]
    texts = [decoder.feed(f"data: {json.dumps(each)}\n\n".encode()) for each in (*events, delta(None, "length"))]
    assert texts == ["", "a🌍b", "\ufffd", "", "c\ufffd"]


def test_the_usage_of_the_last_chunk_counts() -> None:
    decoder = ChatDecoder()
    for count in (1, 2, 3):
        decoder.feed(event({**delta("x"), "usage": {"prompt_tokens": 5, "completion_tokens": count}}))
    assert (decoder.input_tokens, decoder.output_tokens) == (5, 3)


@pytest.mark.parametrize(
    "usage", [None, {}, [], "7", {"prompt_tokens": None}, {"prompt_tokens": -1, "completion_tokens": "2"}]
)
def test_invalid_usage_counts_as_zero(usage: Any) -> None:
    decoder = ChatDecoder()
    decoder.feed(event({"choices": [], "usage": usage}))
    assert (decoder.input_tokens, decoder.output_tokens) == (0, 0)
    assert decoder.fault is None


def test_several_data_lines_are_one_event() -> None:
    decoder = ChatDecoder()
    assert decoder.feed(b'data: {"choices": [\ndata: {"delta": {"content": "x"}}]}\n\n') == "x"


def test_the_last_event_needs_no_blank_line() -> None:
    decoder = ChatDecoder()
    assert decoder.feed(event(delta("x", "stop"), end="")) == ""
    assert decoder.end() == "x"
    assert decoder.finish_reason == "stop"


def test_text_before_an_error_in_the_same_read_is_kept() -> None:
    decoder = ChatDecoder()
    text = decoder.feed(
        event(delta("kept")) + event({"error": {"message": "secret", "type": "server_error"}}) + event(delta("no"))
    )
    assert text == "kept"
    assert isinstance(decoder.fault, ModelUnavailable)


def test_an_event_that_is_not_json_is_a_disconnection() -> None:
    decoder = ChatDecoder()
    decoder.feed(b'data: {"choices": [\n\n')
    assert isinstance(decoder.fault, ModelDisconnected)


@pytest.mark.parametrize("last", [delta(None, "content_filter"), delta(None, refusal="I will not")])
def test_a_refusal_is_a_permanent_fault(last: dict[str, Any]) -> None:
    decoder = ChatDecoder()
    decoder.feed(event(delta("some")) + event(last))
    assert isinstance(decoder.fault, ModelRefused)


@pytest.mark.parametrize("odd", [[], 3, {"choices": None}, {"choices": [{"delta": None}]}, {"choices": [{"index": 0}]}])
def test_chunks_without_text_are_ignored(odd: Any) -> None:
    decoder = ChatDecoder()
    assert decoder.feed(event(odd) + event(delta("x"))) == "x"
    assert decoder.fault is None


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": [3]},
        {"choices": [{"delta": 3}]},
        {"choices": {"a": 1}},
        delta(3),
        delta([3]),
        calling("x"),  # type: ignore[arg-type]
        delta(None, tool_calls=3),
        calling({"index": 0, "function": 3}),
    ],
)
def test_chunks_of_a_wrong_shape_are_a_disconnection(odd: Any) -> None:
    decoder = ChatDecoder()
    decoder.feed(event(odd))
    assert isinstance(decoder.fault, ModelDisconnected)


@pytest.mark.parametrize(
    ("text", "last", "complete"),
    [
        ("I have none.", b"data: [DONE]\n\n", True),
        ("I have none.", b"", False),
        ('{"title": "a', b"data: [DONE]\n\n", False),
        ("", b"data: [DONE]\n\n", False),
        ('{"title": "a"}', b"", True),
    ],
    ids=["words, then an end", "words", "JSON that is cut off, then an end", "only an end", "an answer"],
)
def test_without_a_finish_reason_the_end_of_the_stream_or_the_answer_counts(
    text: str, last: bytes, complete: bool
) -> None:
    decoder = ChatDecoder(WantedAnswer(["title"]))
    assert decoder.feed(event(delta(text)) + last) + decoder.end() == text
    assert decoder.complete is complete
