"""The transcript, computed from a log's events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ErrorCode
from shared.log.event_log import LogSnapshot
from shared.log.events import Cancelled, Complete, Delta, Progress, Reset, Snapshot, StageStarted, StoredEvent, Tool
from shared.log.transcript import Transcript
from shared.log.usage import JobUsage


def reset(text: str, progress: float = 0) -> Reset:
    reason = ErrorCode.MODEL_TIMEOUT
    return Reset(text=text, progress=progress, reason=reason, message="again", attempt=2, retry_count=1)


EVENTS: st.SearchStrategy[StoredEvent] = st.one_of(
    st.builds(Delta, text=st.text(max_size=4)),
    st.builds(Progress, progress=st.integers(0, 100)),
    st.builds(reset, st.text(max_size=4), st.integers(0, 100)),
    st.builds(StageStarted, stage=st.sampled_from(["draft", "polish"]), index=st.just(1), of=st.just(2)),
    st.just(Tool(name="search", status="started")),
    st.just(Cancelled()),
)


def transcript_of(events: list[StoredEvent], begin: Transcript | None = None) -> Transcript:
    transcript = begin or Transcript()
    for seq, event in enumerate(events, transcript.seq + 1):
        transcript.apply(seq, event)
    return transcript


def values(transcript: Transcript) -> tuple[object, ...]:
    return transcript.seq, transcript.text, transcript.stage, transcript.progress, transcript.ended


@given(st.lists(EVENTS), st.lists(EVENTS, min_size=1))
def test_a_snapshot_and_the_events_after_it_have_the_transcript_of_the_whole_log(
    before: list[StoredEvent], after: list[StoredEvent]
) -> None:
    half = transcript_of(before)
    snapshot = LogSnapshot(half.seq, half.text, half.stage, half.progress)
    assert values(transcript_of(after, Transcript.of_snapshot(snapshot))) == values(transcript_of([*before, *after]))


@given(st.lists(EVENTS, min_size=1))
def test_applying_events_again_changes_nothing(events: list[StoredEvent]) -> None:
    transcript = transcript_of(events)
    once = values(transcript)
    for seq, event in enumerate(events, 1):
        transcript.apply(seq, event)
    assert values(transcript) == once


def test_deltas_append_text_and_resets_and_snapshots_replace_it() -> None:
    transcript = transcript_of([Delta(text="one "), Delta(text="two")])
    assert transcript.text == "one two"
    transcript.apply(3, reset("one ", 40))
    assert (transcript.text, transcript.progress) == ("one ", 40)
    transcript.apply(9, Snapshot(text="whole", stage="polish", progress=60))
    assert (transcript.seq, transcript.text, transcript.stage, transcript.progress) == (9, "whole", "polish", 60)


def test_an_event_after_a_terminal_event_continues_the_transcript() -> None:
    end = Complete(usage=JobUsage())
    transcript = transcript_of([Delta(text="done"), end])
    assert transcript.ended == end
    transcript.apply(3, StageStarted(stage="draft", index=1, of=2))
    assert values(transcript) == (3, "done", "draft", 0, None)
