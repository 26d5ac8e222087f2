"""Decoding the bytes of a streamed response, from its beginning or from any position."""

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
from shared.llm.model import ResponseGone, ToolCall
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
def test_the_text_does_not_depend_on_how_the_bytes_are_split(cuts: list[int]) -> None:
    decoder = ResponseDecoder()
    positions = [0, *sorted(cuts), len(WHOLE)]

    text = "".join(decoder.feed(WHOLE[start:end]) for start, end in itertools.pairwise(positions))

    assert text == TEXT
    assert decoder.complete
    assert (decoder.input_tokens, decoder.output_tokens) == (7, 5)
    assert decoder.first_cursor == "resp_1:0:0"


@given(cuts=st.lists(st.integers(0, len(WHOLE)), min_size=1, max_size=5), replays=st.booleans())
def test_several_interrupted_connections_give_one_complete_text(cuts: list[int], replays: bool) -> None:
    """If `replays`, the provider always starts at the beginning and ignores the position in the request."""
    text = ""
    cursor: str | None = None
    for cut in [*cuts, len(WHOLE)]:
        position = ResponsePosition.parse(cursor) if cursor else None
        decoder = ResponseDecoder(position)
        after = -1 if position is None or position.sequence_number is None else position.sequence_number
        text += decoder.feed(wire(EVENTS, first=0 if replays else after + 1)[:cut])
        cursor = decoder.cursor or cursor

    # A response whose last event was read before has nothing more to stream, so the stored response is read.
    text += "" if decoder.complete else decoder.read_stored(json.dumps(COMPLETED).encode())
    assert text == TEXT
    assert decoder.complete


@given(length=st.integers(0, len(TEXT)))
def test_a_stored_response_continues_at_the_position_of_the_stream(length: int) -> None:
    decoder = ResponseDecoder(ResponsePosition("resp_1", 4, length))

    assert decoder.read_stored(json.dumps(response("in_progress")).encode()) == ""
    assert (decoder.complete, decoder.fault) == (False, None)
    assert decoder.read_stored(json.dumps(COMPLETED).encode()) == TEXT[length:]
    assert decoder.complete
    assert decoder.cursor == f"resp_1::{len(TEXT)}", "this position is in no stream"


def test_a_stored_response_without_its_text_counts_as_deleted() -> None:
    decoder = ResponseDecoder(ResponsePosition("resp_1", 4, 3))
    assert decoder.read_stored(json.dumps(response("completed")).encode()) == ""
    assert isinstance(decoder.fault, ResponseGone)
    assert not decoder.complete


def test_the_last_event_supplies_text_that_the_stream_left_out() -> None:
    decoder = ResponseDecoder()
    assert decoder.feed(wire([EVENTS[0], EVENTS[-1]])) == TEXT
    assert decoder.complete


@pytest.mark.parametrize("cursor", ["", "resp_1", "resp_1:3", ":3:4", "resp_1:x:4", "resp_1:3:", "resp_1:3:-4"])
def test_an_invalid_position_is_ignored(cursor: str) -> None:
    assert ResponsePosition.parse(cursor) is None


@pytest.mark.parametrize("position", [ResponsePosition("resp_1", 3, 4), ResponsePosition("resp_1", None, 4)])
def test_parsing_a_positions_text_returns_the_position(position: ResponsePosition) -> None:
    assert ResponsePosition.parse(str(position)) == position


def test_events_without_sequence_numbers_have_no_cursor() -> None:
    decoder = ResponseDecoder()
    text = decoder.feed(b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in EVENTS[:-1]))
    assert (text, decoder.cursor, decoder.first_cursor) == (TEXT, None, None)


# --- tool calls -------------------------------------------------------------------------------------------------------

CALLS = (ToolCall("call_a", "add", '{"why": "Grüße 🌍", "by": 3}'), ToolCall("call_b", "read", "{}"))
SAID = "Let me see."


def item(call: ToolCall, **more: Any) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{call.id}",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        **more,
    }


def call_events(call: ToolCall) -> list[dict[str, Any]]:
    """As OpenAI sends a call: its item, the fragments of its arguments, and the item again."""
    where = {"item_id": f"fc_{call.id}"}
    return [
        {"type": "response.output_item.added", "item": item(call, arguments="", status="in_progress")},
        *({"type": "response.function_call_arguments.delta", **where, "delta": each} for each in call.arguments),
        {"type": "response.function_call_arguments.done", **where, "arguments": call.arguments},
        {"type": "response.output_item.done", "item": item(call, status="completed")},
    ]


CALLED = response(
    "completed",
    output=[*message({"type": "output_text", "text": SAID}), *map(item, CALLS)],
    usage={
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
    },
)
CALL_EVENTS: list[dict[str, Any]] = [
    *EVENTS[:2],
    *({"type": "response.output_text.delta", "delta": text} for text in ("Let ", "me ", "see.")),
    *call_events(CALLS[0]),
    *call_events(CALLS[1]),
    {"type": "response.completed", "response": CALLED},
]
WITH_CALLS = wire(CALL_EVENTS)


@given(cuts=st.lists(st.integers(0, len(WITH_CALLS)), max_size=30))
def test_calls_do_not_depend_on_where_the_reads_are_cut(cuts: list[int]) -> None:
    decoder = ResponseDecoder()
    places = [0, *sorted(cuts), len(WITH_CALLS)]

    text = "".join(decoder.feed(WITH_CALLS[start:end]) for start, end in itertools.pairwise(places))

    assert (text, decoder.calls) == (SAID, CALLS)
    assert (decoder.cached_input_tokens, decoder.reasoning_tokens) == (4, 2)


@given(
    cuts=st.lists(st.integers(0, len(WITH_CALLS)), min_size=1, max_size=5),
    reads=st.integers(1, len(WITH_CALLS)),
    replays=st.booleans(),
    summarised=st.booleans(),
)
def test_a_response_re_attached_in_the_middle_of_a_call_repeats_its_calls(
    cuts: list[int], reads: int, replays: bool, summarised: bool
) -> None:
    """`summarised`: a provider whose last event holds the whole output again."""
    events = CALL_EVENTS if summarised else [*CALL_EVENTS[:-1], {"type": "response.completed", "response": {}}]
    said = ""
    cursor: str | None = None
    for cut in [*cuts, len(WITH_CALLS)]:
        position = ResponsePosition.parse(cursor) if cursor else None
        decoder = ResponseDecoder(position)
        after = -1 if position is None or position.sequence_number is None else position.sequence_number
        sent = wire(events, first=0 if replays else after + 1)[:cut]
        for start in range(0, len(sent), reads):
            text = decoder.feed(sent[start : start + reads])
            said += text
            # A stage stores the cursor of each piece of text.
            cursor = decoder.cursor if text else cursor
        assert cursor is not None or not said

    if not decoder.complete:
        said += decoder.read_stored(json.dumps(CALLED).encode())
    assert (said, decoder.calls) == (SAID, CALLS)


def test_the_cursor_stays_before_the_first_call() -> None:
    decoder = ResponseDecoder()
    decoder.feed(WITH_CALLS)
    assert decoder.cursor == f"resp_1:4:{len(SAID)}"


def test_text_behind_a_call_has_no_cursor() -> None:
    decoder = ResponseDecoder()
    behind = {"type": "response.output_text.delta", "delta": "And "}
    assert decoder.feed(wire([*EVENTS[:2], *call_events(CALLS[0]), behind])) == "And "
    assert decoder.cursor is None


@pytest.mark.parametrize(
    "events",
    [
        [EVENTS[0], {"type": "response.completed", "response": response("completed", output=[*map(item, CALLS)])}],
        [EVENTS[0], *call_events(CALLS[0])[:-1], *call_events(CALLS[1])[:-1]],
        [EVENTS[0], *call_events(CALLS[0])[:-2], *call_events(CALLS[1])[:-2]],
        [EVENTS[0], *({"type": "response.output_item.done", "item": item(call)} for call in CALLS)],
        [EVENTS[0], *({"type": "response.output_item.added", "item": item(call, id=None)} for call in CALLS)],
    ],
    ids=["at the end only", "no whole items", "fragments only", "whole items only", "added whole, without item ids"],
)
def test_any_one_account_of_a_call_is_enough(events: list[dict[str, Any]]) -> None:
    decoder = ResponseDecoder()
    decoder.feed(wire(events))
    if not decoder.complete:
        decoder.feed(b'data: {"type": "response.completed", "response": {"output": [], "usage": null}}\n\n')
    assert decoder.calls == CALLS


def test_an_item_without_a_call_id_is_known_by_its_own() -> None:
    decoder = ResponseDecoder()
    unnamed = {"type": "function_call", "id": "fc_1", "name": "read", "arguments": {"by": 3}}
    decoder.feed(wire([EVENTS[0], {"type": "response.output_item.done", "item": unnamed}, EVENTS[-1]]))
    assert decoder.calls == (ToolCall("fc_1", "read", '{"by": 3}'),)


def test_calls_of_a_stream_that_breaks_are_taken_from_the_store() -> None:
    decoder = ResponseDecoder(ResponsePosition("resp_1", 4, len(SAID)))
    decoder.feed(wire(CALL_EVENTS, first=5)[:900])
    assert not decoder.calls
    assert decoder.read_stored(json.dumps(CALLED).encode()) == ""
    assert (decoder.calls, decoder.complete) == (CALLS, True)


def test_a_response_stored_without_a_call_that_was_seen_is_gone() -> None:
    decoder = ResponseDecoder()
    decoder.feed(wire([EVENTS[0], *call_events(CALLS[0])]))
    decoder.read_stored(json.dumps({**CALLED, "output": [item(CALLS[1])]}).encode())
    assert isinstance(decoder.fault, ResponseGone)
    assert not decoder.calls


def test_arguments_cut_at_the_limit_are_passed_on_as_truncated() -> None:
    decoder = ResponseDecoder()
    cut = item(CALLS[0], arguments='{"why": "Gr', status="incomplete")
    ended = response("incomplete", output=[cut], incomplete_details={"reason": "max_output_tokens"})
    decoder.feed(wire([EVENTS[0], *call_events(CALLS[0])[:9], {"type": "response.incomplete", "response": ended}]))
    assert decoder.truncated
    assert decoder.calls == (ToolCall("call_a", "add", '{"why": "Gr'),)


def test_fragments_of_a_call_show_that_the_model_works_and_keep_alives_do_not() -> None:
    decoder = ResponseDecoder()
    decoder.feed(wire([EVENTS[0], *call_events(CALLS[0])[:5]]))
    counted = decoder.events
    decoder.feed(b'data: {"type": "keepalive", "sequence_number": 6}\n\n')
    assert (counted, decoder.events) == (6, 6)


@given(cut=st.integers(3, 7), replays=st.booleans())
def test_a_character_that_is_cut_in_half_is_read_once_however_often_it_is_re_attached(cut: int, replays: bool) -> None:
    halves = ["a", "\ud83c", "\udf0d", "b\ud83c", "\udf0d"]
    ended = response("completed", output=message({"type": "output_text", "text": "a🌍b🌍"}))
    events = [
        *EVENTS[:2],
        *({"type": "response.output_text.delta", "delta": half} for half in halves),
        {"type": "response.completed", "response": ended},
    ]
    numbered = [
        f"data: {json.dumps({**event, 'sequence_number': number})}\n\n".encode() for number, event in enumerate(events)
    ]
    first = ResponseDecoder()
    said = first.feed(b"".join(numbered[:cut]))
    position = ResponsePosition.parse(first.cursor or "")
    assert position is not None
    assert position.sequence_number is not None
    second = ResponseDecoder(position)
    said += second.feed(b"".join(numbered[0 if replays else position.sequence_number + 1 :]))

    assert said == "a🌍b🌍"
    assert second.complete


# --- how it fails -----------------------------------------------------------------------------------------------------

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
def test_a_failed_response_becomes_the_fault_of_its_error_code(error: Any, expected: type[MillraceError]) -> None:
    decoder = ResponseDecoder()
    decoder.feed(wire([{"type": "response.failed", "response": response("failed", error=error)}]))
    assert type(decoder.fault) is expected
    assert "secret" not in str(decoder.fault)


@pytest.mark.parametrize(("error", "usual"), FAILURES)
def test_a_stored_failure_counts_as_deleted_if_another_attempt_may_help(error: Any, usual: type[MillraceError]) -> None:
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
def test_an_error_event_becomes_a_fault_in_both_shapes(event: dict[str, Any]) -> None:
    decoder = ResponseDecoder()
    assert decoder.feed(wire([*EVENTS[:4], event])) == TEXTS[0], "the text before the error is kept"
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
def test_a_refusal_is_a_permanent_fault(event: dict[str, Any]) -> None:
    decoder = ResponseDecoder()
    decoder.feed(wire([event]))
    assert isinstance(decoder.fault, ModelRefused)
    assert not decoder.complete


def test_a_response_that_reaches_the_output_limit_is_complete_and_truncated() -> None:
    decoder = ResponseDecoder()
    ended = response("incomplete", incomplete_details={"reason": "max_output_tokens"})
    decoder.feed(wire([*EVENTS[:-1], {"type": "response.incomplete", "response": ended}]))
    assert (decoder.complete, decoder.truncated) == (True, True)


@pytest.mark.parametrize(
    ("resumed_from", "expected"), [(None, ModelDisconnected), (ResponsePosition("r", 0, 0), ResponseGone)]
)
def test_a_cancelled_response_is_a_fault(resumed_from: ResponsePosition | None, expected: type[Exception]) -> None:
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
        {"type": "response.output_item.added", "item": {"type": "function_call", "name": "read"}},
        {"type": "response.output_item.done", "item": 3},
        {"type": "response.function_call_arguments.delta", "delta": "x"},
    ],
)
def test_events_of_a_wrong_shape_are_a_disconnection(odd: dict[str, Any]) -> None:
    decoder = ResponseDecoder()
    decoder.feed(wire([odd]))
    assert isinstance(decoder.fault, ModelDisconnected)


def test_keep_alives_before_the_first_event_do_not_count() -> None:
    decoder = ResponseDecoder()
    text = decoder.feed(b'data: {"type": "keepalive", "sequence_number": 9, "model": "m"}\n\n' + WHOLE)
    assert (text, decoder.first_cursor, decoder.events) == (TEXT, "resp_1:0:0", len(EVENTS))


def test_events_of_an_unknown_type_are_ignored() -> None:
    decoder = ResponseDecoder()
    assert decoder.feed(wire([{"type": "response.new.thing", "delta": "x"}, *EVENTS[3:5]])) == "".join(TEXTS[:2])
