"""A watcher who joins in the middle: `GET /jobs/{id}` and the rest of the stream equal the whole stream."""

from __future__ import annotations

from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.log.claim import claim
from shared.log.compaction import compact
from shared.log.events import (
    ApplicationEvent,
    Delta,
    Item,
    Progress,
    Reset,
    Snapshot,
    StageStarted,
    StoredEvent,
    Subtask,
    Tool,
)
from shared.log.fence import Fence
from shared.log.reader import LogReader, read_transcript
from shared.log.transcript import Transcript
from tests.fakes.clock import EXPIRES_AT, SettableClock
from tests.fakes.event_log import FakeEventLog

JOB = "job_1"


class RhymeFound(ApplicationEvent):
    type: Literal["rhymeFound"] = "rhymeFound"
    word: str


texts = st.text(max_size=4)
keys = st.sampled_from(["a", "b", "c"])
percents = st.integers(0, 100).map(float)
events: st.SearchStrategy[StoredEvent] = st.one_of(
    st.builds(Delta, text=texts),
    st.builds(Progress, progress=percents),
    st.builds(
        Tool, key=keys, title=texts, name=st.just("read"), status=st.sampled_from(["started", "finished", "failed"])
    ),
    st.builds(
        Subtask,
        key=keys,
        title=texts,
        status=st.sampled_from(["started", "running", "finished", "failed"]),
        progress=st.none() | percents,
    ),
    st.builds(
        Item, stage=st.just("draft"), key=keys, data=st.dictionaries(keys, texts, max_size=2), textLength=st.just(0)
    ),
    st.builds(
        Reset,
        text=texts,
        progress=percents,
        reason=st.just("RESTARTED"),
        message=st.just("again"),
        attempt=st.just(2),
        retryCount=st.just(1),  # hypothesis reads pydantic's signature, which has the aliases
    ),
    st.builds(StageStarted, stage=st.sampled_from(["draft", "polish"]), index=st.just(1), of=st.just(2)),
    st.builds(RhymeFound, word=texts),
)
appends = st.lists(st.tuples(st.lists(events, min_size=1, max_size=3), st.booleans()), min_size=4, max_size=12)
"""Batches, and whether the log is compacted after each."""


def shown(transcript: Transcript) -> dict[str, Any]:
    return {"seq": transcript.seq, **transcript.as_snapshot().model_dump()}


@settings(max_examples=50)
@given(written=appends, joined_after=st.integers(0, 30))
def test_the_job_and_the_rest_of_its_stream_equal_the_whole_stream(
    written: list[tuple[list[StoredEvent], bool]], joined_after: int
) -> None:
    log, fence, clock = FakeEventLog(), Fence(1, 0, 0, "aaaaaaaa"), SettableClock()
    whole, steady = Transcript(), LogReader(log, JOB)
    joined, rest = Transcript(), LogReader(log, JOB)

    for number, (batch, compacted) in enumerate(written):
        if number == joined_after % len(written):
            got = read_transcript(log, JOB)
            joined.apply(got.seq, Snapshot.model_validate_json(got.as_snapshot().model_dump_json()))
            rest = LogReader(log, JOB, after=got.seq)
        claim(log, JOB, fence, tuple(batch), at=clock, expires_at=EXPIRES_AT)
        for frame in steady.poll():
            whole.apply(frame.id, frame.event)
        if compacted:
            compact(log, JOB, 0, expires_at=EXPIRES_AT)
    for frame in rest.poll():
        joined.apply(frame.id, frame.event)

    assert shown(joined) == shown(whole)
    assert shown(read_transcript(log, JOB)) == shown(whole)
