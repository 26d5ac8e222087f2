"""After each reset, every reader has the text that the attempt kept: texts of any length, with any characters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.log.claim import claim
from shared.log.compaction import compact
from shared.log.events import Delta, Reset, Snapshot, StageStarted, StoredEvent, StoredReset, dump_events, parse_events
from shared.log.fence import Fence
from shared.log.reader import Frame, LogReader, read_transcript
from shared.log.transcript import Transcript
from shared.log.writer import MAX_DELTA_CHARS
from tests.fakes.clock import EXPIRES_AT, SettableClock
from tests.fakes.event_log import FakeEventLog

JOB = "job_1"
CASES = json.loads((Path(__file__).parents[2] / "javascript/resets.json").read_text())
"""Logs with resets and the text after each event. `view.test.mjs` holds the JavaScript client to the same cases."""

WHY = {"progress": 5, "reason": "REPAIR", "message": "again", "attempt": 1, "retryCount": 0}


def whole(text: str | list[Any]) -> str:
    """Return the text of a case: parts of a list are texts or repeated texts."""
    if isinstance(text, str):
        return text
    return "".join(part if isinstance(part, str) else part["repeat"] * part["times"] for part in text)


def stored_events(case: dict[str, Any]) -> tuple[StoredEvent, ...]:
    events = [
        (WHY if each["type"] == "reset" else {}) | each | ({"text": whole(each["text"])} if "text" in each else {})
        for each in case["stored"]
    ]
    return parse_events(json.dumps(events))


def log_of(events: Sequence[StoredEvent], *, compacted_after: int = 0) -> FakeEventLog:
    """Return a log with one event per batch, which is compacted once, after this number of events."""
    log = FakeEventLog()
    for number, event in enumerate(events, 1):
        claim(log, JOB, Fence(1, 0, 0, "aaaaaaaa"), (event,), at=SettableClock(), expires_at=EXPIRES_AT)
        if number == compacted_after:
            compact(log, JOB, 0, expires_at=EXPIRES_AT)
    return log


def text_after(text: str, frame: Frame) -> str:
    """Return the text of a client that does what docs/stream.md says, and counts no characters."""
    match frame.event:
        case Delta(text=more):
            return text + more
        case Reset(text=kept) | Snapshot(text=kept):
            return kept
        case _:
            return text


def check_every_reader(events: Sequence[StoredEvent], texts: Sequence[str], *, compacted_after: int) -> None:
    """Check readers that join after each event, with the text that they had then."""
    log = log_of(events, compacted_after=compacted_after)
    for after in range(len(events) + 1):
        text = texts[after - 1] if after else ""
        for frame in LogReader(log, JOB, after=after).poll():
            text = text_after(text, frame)
            assert is_same(text, texts[frame.id - 1]), f"after event {frame.id}, joined after {after}"
    assert is_same(read_transcript(log, JOB).text, texts[-1])


def is_same(found: str, expected: str) -> bool:
    """Compare outside an assertion, because pytest would compare long texts character by character."""
    return found == expected


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_every_reader_has_the_text_of_the_shared_cases(case: dict[str, Any]) -> None:
    events, texts = stored_events(case), [whole(text) for text in case["texts"]]
    for compacted_after in range(len(events) + 1):
        check_every_reader(events, texts, compacted_after=compacted_after)
    found = read_transcript(log_of(events), JOB)
    assert list(found.items) == case.get("items", [])
    assert list(found.subtasks) == case.get("subtasks", [])


SHORT = st.text("a é🎼🏔️👩‍🚀\n", min_size=1, max_size=5)
LONG = st.builds(lambda text, more: text * (MAX_DELTA_CHARS // len(text)) + more, SHORT, SHORT)
"""A text that is about as long as one event holds."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), SHORT | LONG),
        st.tuples(st.just("keep"), st.floats(0, 1)),
        st.tuples(st.just("keep of checkpoint"), st.floats(0, 1)),
        st.tuples(st.just("begin a stage"), st.sampled_from(["draft", "polish", "bind"])),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, compacted_after=st.integers(0, 9))
def test_every_reader_has_the_attempts_true_text(steps: list[tuple[str, Any]], compacted_after: int) -> None:
    transcript, text, checkpoint, stage = Transcript(), "", "", None
    events: list[StoredEvent] = []
    texts: list[str] = []
    for step, value in steps:
        match step:
            case "write":
                text += value
                event: StoredEvent = Delta(text=value)
            case "begin a stage":
                checkpoint, stage = (checkpoint if value == stage else text), value
                event = StageStarted(stage=value, index=1, of=3)
            case _:
                source = checkpoint if step == "keep of checkpoint" else text
                text = source[: round(value * len(source))]
                kept = transcript.keep(text)
                assert is_same(kept.text, text)
                event = StoredReset.model_validate({**WHY, "keptOf": kept.of, "keptCharacters": len(kept.text)})
                assert len(dump_events([event])) < 300
        events.append(event)
        texts.append(text)
        transcript.apply(len(events), event)
    check_every_reader(events, texts, compacted_after=compacted_after)


def test_a_reset_to_a_text_that_the_log_no_longer_has_keeps_what_they_begin_with() -> None:
    transcript = Transcript()
    transcript.apply(1, Delta(text="ab🎼 one"))
    kept = transcript.keep("ab🎼 two")
    assert (kept.text, kept.of) == ("ab🎼 ", "text")
