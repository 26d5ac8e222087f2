"""The view of the Python client amounts to what the server's own transcript of the same events does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from millrace_client import JobView
from millrace_client.view import parse_event
from pydantic import BaseModel

from shared.log.events import Delta, Item, Progress, Reset, Snapshot, StageStarted, StreamEvent, Subtask
from shared.log.transcript import Transcript

texts = st.text(st.characters(codec="utf-8"), max_size=20)
percents = st.floats(0, 100)
names = st.sampled_from(["Read", "Write"])
subtasks = st.builds(
    Subtask,
    key=st.sampled_from("ab"),
    title=st.just("title"),
    status=st.sampled_from(["started", "running", "finished", "failed"]),
    progress=st.none(),
)
items = st.builds(
    lambda stage, key: Item(stage=stage, key=key, text_length=0, data={"n": 1}), stage=names, key=st.sampled_from("xy")
)
events: st.SearchStrategy[StreamEvent] = st.one_of(
    st.builds(Delta, text=texts),
    st.builds(Progress, progress=percents),
    st.builds(StageStarted, stage=names, index=st.just(1), of=st.just(2), attempt=st.integers(1, 3)),
    items,
    subtasks,
    st.builds(
        lambda text, progress, attempt: Reset(
            text=text, progress=progress, reason="REPAIR", message="again", attempt=attempt, retry_count=attempt - 1
        ),
        text=texts,
        progress=percents,
        attempt=st.integers(1, 3),
    ),
    st.builds(Snapshot, text=texts, items=st.just(()), subtasks=st.just(()), stage=names, progress=percents),
)


@given(st.lists(events, max_size=20))
def test_the_view_is_what_the_servers_transcript_is(log: list[StreamEvent]) -> None:
    view, transcript = JobView(), Transcript()

    for number, event in enumerate(log, 1):
        sent = parse_event(event.model_dump_json(by_alias=True))
        assert view.apply(number, sent)
        assert not view.apply(number, sent), "an event that is sent again changes nothing"
        transcript.apply(number, event)

    assert (view.text, view.progress, view.stage) == (transcript.text, transcript.progress, transcript.stage)
    assert _dumped(view.items) == _dumped(transcript.items.values())
    assert _dumped(view.subtasks) == _dumped(transcript.subtasks.values())


def _dumped(models: Iterable[BaseModel]) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json", by_alias=True) for each in models]
