"""The history of a job: the same from its events, and from a snapshot with the events after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ErrorCode
from shared.log.events import Complete, Delta, Progress, Reset, Snapshot, StageStarted, StoredEvent, Subtask, Tool
from shared.log.history import MAX_ENTRIES, MAX_PARTS, History
from shared.log.usage import JobUsage

BEGIN = datetime(2026, 11, 27, tzinfo=UTC)
STAGE = StageStarted(stage="draft", index=1, of=1)
RESET = Reset(text="", progress=0, reason=ErrorCode.MODEL_TIMEOUT, message="again", attempt=2, retry_count=1)

EVENTS: st.SearchStrategy[StoredEvent | Reset] = st.one_of(
    st.builds(Delta, text=st.text(min_size=1, max_size=4)),
    st.sampled_from([STAGE, RESET, Progress(progress=1), Complete(usage=JobUsage())]),
    st.sampled_from([Subtask(key="a", title="A", status=each) for each in ("started", "running", "finished")]),
    st.just(Tool(name="search", key="t", status="started")),
)


def add(history: History, events: list[StoredEvent | Reset], first: int = 1) -> History:
    for seq, event in enumerate(events, first):
        history.add(seq, BEGIN + timedelta(seconds=seq), event)
    return history


def seconds(at: datetime | None) -> float | None:
    return None if at is None else (at - BEGIN).total_seconds()


def test_the_text_of_each_attempt_is_one_entry_with_its_begin_its_end_and_its_length() -> None:
    history = add(History(), [STAGE, Delta(text="ab"), Progress(progress=9), Delta(text="c"), RESET, Delta(text="d")])
    found = [(each.event_id, each.type, seconds(each.ended_at), each.characters) for each in history.entries]
    assert found == [(1, "stage", None, None), (2, "text", 4, 3), (5, "reset", None, None), (6, "text", 6, 1)]


def test_a_reset_keeps_its_number_of_retries() -> None:
    second = RESET.model_copy(update={"retry_count": 2})
    history = add(History(), [STAGE, RESET, STAGE, second])
    assert [each.retry_count for each in history.entries if each.type == "reset"] == [1, 2]


@given(st.lists(EVENTS), st.lists(EVENTS))
def test_a_history_continues_from_its_entries(
    before: list[StoredEvent | Reset], after: list[StoredEvent | Reset]
) -> None:
    half = add(History(), before)
    continued = add(History.of(half.entries, is_whole=half.is_whole), after, len(before) + 1)
    assert continued.entries == add(History(), [*before, *after]).entries


def test_a_fan_out_of_thousands_leaves_room_for_the_stages_and_says_so() -> None:
    part = Subtask(key="a", title="A", status="started")
    history = add(History(), [STAGE, *[part] * 1000, STAGE])
    assert (len(history.entries), history.is_whole) == (MAX_PARTS + 2, False)
    assert history.entries[-1].type == "stage"


def test_the_oldest_entries_are_left_out_of_a_job_that_is_retried_without_end() -> None:
    history = add(History(), [RESET] * (MAX_ENTRIES + 3))
    assert (len(history.entries), history.entries[0].event_id, history.is_whole) == (MAX_ENTRIES, 4, False)


def test_a_snapshot_hides_what_it_replaces() -> None:
    history = add(History(), [Snapshot(text="x", progress=0)])  # type: ignore[list-item]  # only readers get one
    assert not history.is_whole
