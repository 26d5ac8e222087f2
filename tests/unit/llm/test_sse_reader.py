"""Reading server-sent events as the HTML standard says."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest

from shared.llm.sse_reader import SseReader
from tests.llm.stream_fuzz import Events, differences, reference_events

# The examples of https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
STANDARD: list[tuple[bytes, Events]] = [
    (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("", "YHOO\n+2\n10")]),
    (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [("", "first event"), ("", "second event"), ("", " third event")],
    ),
    (b"data\n\ndata\ndata\n\ndata:", [("", ""), ("", "\n")]),
    (b"data:test\n\ndata: test\n\n", [("", "test"), ("", "test")]),
    (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        [("add", "73857293"), ("remove", "2153"), ("add", "113411")],
    ),
]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize(("stream", "events"), STANDARD)
def test_the_standards_examples_are_read_as_it_says(stream: bytes, events: Events, end: bytes) -> None:
    stream = stream.replace(b"\n", end)
    assert SseReader().feed(stream) == events
    assert reference_events(stream) == events


@pytest.mark.parametrize("cut", range(4))
def test_one_byte_order_mark_is_dropped_wherever_it_is_cut(cut: int) -> None:
    reader = SseReader()
    stream = "\ufeffdata: \ufeffx\n\n".encode()
    assert [*reader.feed(stream[:cut]), *reader.feed(stream[cut:])] == [("", "\ufeffx")]


def test_an_event_is_returned_at_once_although_its_carriage_return_may_be_half_of_a_line_end() -> None:
    reader = SseReader()
    assert reader.feed(b"data: a\r\r") == [("", "a")]
    assert reader.feed(b"\ndata: b\r\n\r") == [("", "b")]
    assert reader.feed(b"\n") == []


def test_bytes_that_are_not_utf_8_become_replacement_characters() -> None:
    assert SseReader().feed(b"data: caf\xe9\n\n") == [("", "caf\ufffd")]


def test_a_character_may_be_cut_anywhere() -> None:
    reader = SseReader()
    events = [event for byte in "data: 🌍é\n\n".encode() for event in reader.feed(bytes([byte]))]
    assert events == [("", "🌍é")]


def test_lines_that_are_no_fields_are_kept_apart() -> None:
    reader = SseReader()
    assert reader.feed(b'<html>\nid: 1\nretry: 2\n{"error": 1}\n\n') == []
    assert reader.other_lines == [b"<html>", b'{"error": 1}']


def test_an_event_without_its_blank_line_is_returned_at_the_end() -> None:
    reader = SseReader()
    assert reader.feed(b"event: x\ndata: a") == []
    assert reader.end() == [("x", "a")]


def test_a_long_line_in_small_pieces_is_not_copied_for_each_of_them() -> None:
    reader = SseReader()
    tracemalloc.start()
    for _ in itertools.repeat(None, 20_000):
        reader.feed(b"x" * 50)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def test_random_streams_are_read_as_the_reference_reads_them() -> None:
    assert differences(2_000, seed=20261126) == 0
