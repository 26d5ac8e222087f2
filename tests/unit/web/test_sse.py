"""The encoder of server-sent events, checked with the decoder of httpx-sse."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from httpx_sse import ServerSentEvent
from httpx_sse._decoders import SSEDecoder, SSELineDecoder
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.log.events import Connected, Delta, Reset, parse_stream_event
from shared.log.reader import Frame
from shared.web.sse import HEARTBEAT, encode_connected, encode_frame, last_event_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
DIFFICULT = [
    "\n",
    "\r\n",
    "\r",
    "\u2028\u2029",
    "\x85",
    "\x0b\x0c\x1c",
    "\x00",
    "data: x\n\nevent: y",
    ": comment",
    "\ufeff",
    "🧘",
    "",
]


def decode(stream: bytes, *, chunk: int) -> list[ServerSentEvent]:
    """Decode the stream with httpx-sse, split into chunks of this size."""
    lines, events = SSELineDecoder(), SSEDecoder()
    text = [stream.decode()[start : start + chunk] for start in range(0, len(stream), chunk)]
    found = [events.decode(line) for piece in text for line in lines.decode(piece)]
    found += [events.decode(line) for line in lines.flush()]
    return [event for event in found if event is not None]


@given(st.lists(TEXT | st.sampled_from(DIFFICULT), max_size=5), st.integers(1, 7))
def test_any_text_is_decoded_unchanged(texts: list[str], chunk: int) -> None:
    frames = [Frame(number, Delta(text=text)) for number, text in enumerate(texts, start=1)]

    events = decode(b"".join(encode_frame(frame) for frame in frames), chunk=chunk)

    assert [(event.id, event.event) for event in events] == [(str(frame.id), "delta") for frame in frames]
    assert [parse_stream_event(event.data) for event in events] == [frame.event for frame in frames]


@pytest.mark.parametrize("text", DIFFICULT)
def test_every_event_has_one_data_line(text: str) -> None:
    reset = Reset(text=text, progress=0, reason="REPAIR", message=text, attempt=1, retry_count=0)

    lines = encode_frame(Frame(7, reset, datetime(2026, 11, 27, 0, 0, 0, 123_000, UTC))).split(b"\n")

    assert [line.split(b":")[0] for line in lines] == [b"id", b"event", b"at", b"data", b"", b""]
    assert lines[2] == b"at: 1795737600123"


def test_the_connected_event_has_a_retry_time_and_no_id() -> None:
    (event,) = decode(encode_connected(Connected(job_id="j", pipeline="p", last_event_id=4)), chunk=99)

    assert (event.event, event.id, event.retry) == ("connected", "", 1000)
    assert event.json() == {"type": "connected", "jobId": "j", "pipeline": "p", "lastEventId": 4}


@given(st.lists(st.booleans(), max_size=6))
def test_heartbeats_are_not_events(beats: list[bool]) -> None:
    stream = b"".join(
        HEARTBEAT if beat else encode_frame(Frame(number, Delta(text="x")))
        for number, beat in enumerate(beats, start=1)
    )

    assert len(decode(stream, chunk=5)) == beats.count(False)


@pytest.mark.parametrize(
    ("header", "query", "expected"),
    [
        (None, None, 0),
        ("", None, 0),
        ("", "", 0),
        ("", "5", 5),
        (None, "5", 5),
        ("7", None, 7),
        ("7", "5", 7),
        ("0", "5", 0),
        ("007", None, 7),
        ("9" * 10, None, 9_999_999_999),
    ],
)
def test_a_header_that_is_not_empty_takes_precedence_over_the_query(
    header: str | None, query: str | None, expected: int
) -> None:
    assert last_event_id(header, query) == expected


@pytest.mark.parametrize(
    "text", ["x", "-1", "+1", "1.0", " 1", "1 ", "1_000", "²", "\N{ARABIC-INDIC DIGIT ONE}", "1" * 11, "1\n", "\x00"]
)
def test_an_invalid_last_event_id_is_refused_in_header_and_query(text: str) -> None:
    for header, query in ((text, None), (None, text), (text, "5")):
        with pytest.raises(InvalidInput) as refused:
            last_event_id(header, query)
        assert [issue.field for issue in refused.value.issues] == ["Last-Event-ID"]


@given(st.text())
def test_any_text_is_accepted_as_an_id_or_refused(text: str) -> None:
    try:
        assert last_event_id(text, None) >= 0
    except InvalidInput:
        assert text
