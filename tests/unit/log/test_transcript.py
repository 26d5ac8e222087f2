"""Folding events into what a watcher sees."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ErrorCode
from shared.log.event_log import LogSnapshot
from shared.log.events import Cancelled, Complete, Delta, Progress, Reset, Snapshot, StageStarted, StoredEvent, Tool
from shared.log.transcript import Transcript
from shared.log.usage import TokenUsage


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


def fold(events: list[StoredEvent], begin: Transcript | None = None) -> Transcript:
    transcript = begin or Transcript()
    for seq, event in enumerate(events, transcript.seq + 1):
        transcript.apply(seq, event)
    return transcript


def seen(transcript: Transcript) -> tuple[object, ...]:
    return transcript.seq, transcript.text, transcript.stage, transcript.progress, transcript.ended


@given(st.lists(EVENTS), st.lists(EVENTS, min_size=1))
def test_a_snapshot_and_what_follows_fold_to_what_the_whole_log_folds_to(
    before: list[StoredEvent], after: list[StoredEvent]
) -> None:
    half = fold(before)
    snapshot = LogSnapshot(half.seq, half.text, half.stage, half.progress)
    assert seen(fold(after, Transcript.of_snapshot(snapshot))) == seen(fold([*before, *after]))


@given(st.lists(EVENTS, min_size=1))
def test_events_that_were_folded_in_before_change_nothing(events: list[StoredEvent]) -> None:
    transcript = fold(events)
    once = seen(transcript)
    for seq, event in enumerate(events, 1):
        transcript.apply(seq, event)
    assert seen(transcript) == once


def test_text_grows_by_deltas_and_is_replaced_by_resets_and_snapshots() -> None:
    transcript = fold([Delta(text="one "), Delta(text="two")])
    assert transcript.text == "one two"
    transcript.apply(3, reset("one ", 40))
    assert (transcript.text, transcript.progress) == ("one ", 40)
    transcript.apply(9, Snapshot(text="whole", stage="polish", progress=60))
    assert (transcript.seq, transcript.text, transcript.stage, transcript.progress) == (9, "whole", "polish", 60)


def test_a_terminal_event_ends_the_transcript_until_something_follows_it() -> None:
    end = Complete(usage=TokenUsage())
    transcript = fold([Delta(text="done"), end])
    assert transcript.ended == end
    transcript.apply(3, StageStarted(stage="draft", index=1, of=2))
    assert seen(transcript) == (3, "done", "draft", 0, None)
