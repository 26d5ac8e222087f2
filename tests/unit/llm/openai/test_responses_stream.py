"""Decoding the bytes of a streamed response, and going on in it from any position."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import (
    MillraceError,
    ModelDisconnected,
    ModelRateLimited,
    ModelRefused,
    ModelRejectedRequest,
    ModelTimeout,
    ModelUnavailable,
)
from shared.llm.model import ResponseGone
from shared.llm.openai.responses_stream import ResponseDecoder, ResponsePosition

TEXTS = ["Grüße", ", ", "世界 ", "🌍", "\n"]
TEXT = "".join(TEXTS)


def message(*contents: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "reasoning", "summary": []}, {"type": "message", "content": list(contents)}]


def response(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "resp_1", "status": status, "output": [], "usage": None, **more}


COMPLETED = response(
    "completed",
    output=message({"type": "output_text", "text": TEXT}),
    usage={"input_tokens": 7, "output_tokens": 5},
)
EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": response("queued")},
    {"type": "response.in_progress", "response": response("in_progress")},
    {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
    *({"type": "response.output_text.delta", "delta": text} for text in TEXTS),
    {"type": "response.output_text.done", "text": TEXT},
    {"type": "response.completed", "response": COMPLETED},
]


def wire(events: list[dict[str, Any]], *, first: int = 0) -> bytes:
    numbered = ({**event, "sequence_number": number} for number, event in enumerate(events))
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
        for event in itertools.islice(numbered, first, None)
    )


WHOLE = wire(EVENTS)


@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=30))
def test_the_text_does_not_depend_on_where_the_reads_are_cut(cuts: list[int]) -> None:
    decoder = ResponseDecoder()
    places = [0, *sorted(cuts), len(WHOLE)]

    text = "".join(decoder.feed(WHOLE[start:end]) for start, end in itertools.pairwise(places))

    assert text == TEXT
    assert decoder.complete
    assert (decoder.input_tokens, decoder.output_tokens) == (7, 5)
    assert decoder.first_cursor == "resp_1:0:0"


@given(cuts=st.lists(st.integers(0, len(WHOLE)), min_size=1, max_size=5), replays=st.booleans())
def test_connections_cut_anywhere_add_up_to_one_answer(cuts: list[int], replays: bool) -> None:
    """`replays`: a provider that starts at the beginning, whatever it was asked to start after."""
    said = ""
    cursor: str | None = None
    for cut in [*cuts, len(WHOLE)]:
        position = ResponsePosition.parse(cursor) if cursor else None
        decoder = ResponseDecoder(position)
        after = -1 if position is None or position.sequence_number is None else position.sequence_number
        said += decoder.feed(wire(EVENTS, first=0 if replays else after + 1)[:cut])
        cursor = decoder.cursor or cursor

    # An answer whose last event was seen before has nothing more to stream: it is looked up.
    said += "" if decoder.complete else decoder.read_stored(json.dumps(COMPLETED).encode())
    assert said == TEXT
    assert decoder.complete


@given(length=st.integers(0, len(TEXT)))
def test_what_is_only_stored_goes_on_where_the_stream_was_left(length: int) -> None:
    decoder = ResponseDecoder(ResponsePosition("resp_1", 4, length))

    assert decoder.read_stored(json.dumps(response("in_progress")).encode()) == ""
    assert (decoder.complete, decoder.fault) == (False, None)
    assert decoder.read_stored(json.dumps(COMPLETED).encode()) == TEXT[length:]
    assert decoder.complete
    assert decoder.cursor == f"resp_1::{len(TEXT)}", "this position is in no stream"


def test_a_response_stored_without_its_text_is_gone() -> None:
    decoder = ResponseDecoder(ResponsePosition("resp_1", 4, 3))
    assert decoder.read_stored(json.dumps(response("completed")).encode()) == ""
    assert isinstance(decoder.fault, ResponseGone)
    assert not decoder.complete


def test_what_the_stream_left_out_comes_with_its_last_event() -> None:
    decoder = ResponseDecoder()
    assert decoder.feed(wire([EVENTS[0], EVENTS[-1]])) == TEXT
    assert decoder.complete


@pytest.mark.parametrize("cursor", ["", "resp_1", "resp_1:3", ":3:4", "resp_1:x:4", "resp_1:3:", "resp_1:3:-4"])
def test_what_is_not_a_position_is_recognised(cursor: str) -> None:
    assert ResponsePosition.parse(cursor) is None


@pytest.mark.parametrize("position", [ResponsePosition("resp_1", 3, 4), ResponsePosition("resp_1", None, 4)])
def test_a_position_is_read_as_it_was_written(position: ResponsePosition) -> None:
    assert ResponsePosition.parse(str(position)) == position


def test_a_server_that_does_not_number_its_events_gives_no_places() -> None:
    decoder = ResponseDecoder()
    text = decoder.feed(b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in EVENTS[:-1]))
    assert (text, decoder.cursor, decoder.first_cursor) == (TEXT, None, None)


FAILURES = [
    ({"code": "server_error", "message": "secret"}, ModelUnavailable),
    ({"code": "rate_limit_exceeded"}, ModelRateLimited),
    ({"code": "vector_store_timeout"}, ModelTimeout),
    ({"code": "invalid_prompt"}, ModelRefused),
    ({"code": "bio_policy"}, ModelRefused),
    ({"code": "data_residency_mismatch"}, ModelRejectedRequest),
    (None, ModelUnavailable),
]


@pytest.mark.parametrize(("error", "expected"), FAILURES)
def test_a_failed_response_is_mapped_like_its_status(error: Any, expected: type[MillraceError]) -> None:
    decoder = ResponseDecoder()
    decoder.feed(wire([{"type": "response.failed", "response": response("failed", error=error)}]))
    assert type(decoder.fault) is expected
    assert "secret" not in str(decoder.fault)


@pytest.mark.parametrize(("error", "usual"), FAILURES)
def test_a_failure_met_again_is_gone_where_another_attempt_may_help(error: Any, usual: type[MillraceError]) -> None:
    decoder = ResponseDecoder(ResponsePosition("resp_1", 0, 0))
    decoder.read_stored(json.dumps(response("failed", error=error)).encode())
    assert type(decoder.fault) is (ResponseGone if usual.retryable else usual)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "rate_limit_exceeded", "message": "secret", "param": None},
        {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "secret"}},
    ],
)
def test_an_error_event_is_mapped_in_either_shape(event: dict[str, Any]) -> None:
    decoder = ResponseDecoder()
    assert decoder.feed(wire([*EVENTS[:4], event])) == TEXTS[0], "what came before it is not lost"
    assert isinstance(decoder.fault, ModelRateLimited)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.refusal.delta", "delta": "No"},
        {"type": "response.completed", "response": response("completed", output=message({"type": "refusal"}))},
        {
            "type": "response.incomplete",
            "response": response("incomplete", incomplete_details={"reason": "content_filter"}),
        },
    ],
)
def test_a_refusal_is_recognised(event: dict[str, Any]) -> None:
    decoder = ResponseDecoder()
    decoder.feed(wire([event]))
    assert isinstance(decoder.fault, ModelRefused)
    assert not decoder.complete


def test_an_answer_cut_at_the_limit_is_whole_and_truncated() -> None:
    decoder = ResponseDecoder()
    ended = response("incomplete", incomplete_details={"reason": "max_output_tokens"})
    decoder.feed(wire([*EVENTS[:-1], {"type": "response.incomplete", "response": ended}]))
    assert (decoder.complete, decoder.truncated) == (True, True)


@pytest.mark.parametrize(
    ("resumed_from", "expected"), [(None, ModelDisconnected), (ResponsePosition("r", 0, 0), ResponseGone)]
)
def test_a_cancelled_response_is_no_answer(resumed_from: ResponsePosition | None, expected: type[Exception]) -> None:
    decoder = ResponseDecoder(resumed_from)
    decoder.feed(b'data: {"type": "response.cancelled", "sequence_number": 9, "response": {}}\n\n')
    assert isinstance(decoder.fault, expected)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "response.output_text.delta"},
        {"type": "response.output_text.delta", "delta": 3},
        {"type": "response.created", "response": {}},
        {"type": "response.completed", "response": 3},
        {"type": "response.completed", "response": {"output": [3]}},
    ],
)
def test_events_of_a_wrong_shape_are_damage_and_not_a_crash(odd: dict[str, Any]) -> None:
    decoder = ResponseDecoder()
    decoder.feed(wire([odd]))
    assert isinstance(decoder.fault, ModelDisconnected)


def test_keep_alives_before_the_first_event_take_no_place() -> None:
    decoder = ResponseDecoder()
    text = decoder.feed(b'data: {"type": "keepalive", "sequence_number": 9, "model": "m"}\n\n' + WHOLE)
    assert (text, decoder.first_cursor, decoder.events) == (TEXT, "resp_1:0:0", len(EVENTS))


def test_events_of_an_unknown_kind_are_passed_over() -> None:
    decoder = ResponseDecoder()
    assert decoder.feed(wire([{"type": "response.new.thing", "delta": "x"}, *EVENTS[3:5]])) == "".join(TEXTS[:2])
