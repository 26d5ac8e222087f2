"""Not paying twice: a retried stage goes on with the answer that its predecessor left running, in the midst of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.apps.ideation.answer_reader import ReadPosition
from shared.errors import ErrorCode, JobEnded, ModelDisconnected, ModelTimeout, StorageUnavailable
from shared.jobs.job import JobStatus
from shared.jobs.store import JobGuard
from shared.log.event_log import Batch
from shared.log.events import Item
from tests.apps.ideation.unit.ideation_driver import Desk, answer, draft
from tests.fakes.event_log import FakeEventLog
from tests.fakes.model import USAGE, ResumableModel

SMALL: dict[str, Any] = {"ideaCount": 3, "genreProportions": [60, 40, 0]}
ANSWER = answer(g1=[draft("M1"), draft("M2")], g2=[draft("S1")])
PRETTY = json.dumps(json.loads(ANSWER), indent=1)
FIRST_ENDS = ANSWER.index("}") + 1
RANKING = answer(ranking=[{"number": number, "reason": "r"} for number in (2, 3, 1)])


class LogThatLosesAnItem(FakeEventLog):
    """Cannot be reached whenever the item of this key is to be written."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.loses: str | None = key

    def append(self, job_id: str, batch: Batch) -> None:
        if any(isinstance(event, Item) and event.key == self.loses for event in batch.events):
            raise StorageUnavailable("lost")
        super().append(job_id, batch)


@settings(max_examples=100, deadline=None)
@given(
    text=st.sampled_from([ANSWER, PRETTY, answer(g1=[draft("M1"), draft("M2"), draft("M3")], g2=[draft("S1")])]),
    places=st.lists(st.integers(0, len(ANSWER) - 1), min_size=1, max_size=3).map(sorted),
    pieces=st.lists(st.integers(1, 60), min_size=4, max_size=4),
)
def test_a_broken_answer_is_gone_on_with_wherever_it_breaks_and_in_whatever_pieces_it_comes(
    text: str, places: list[int], pieces: list[int]
) -> None:
    desk = Desk(ResumableModel(text, *places), **SMALL)
    for retry in range(len(places)):
        desk.model.piece = pieces[retry]
        with pytest.raises(ModelDisconnected):
            desk.generate(retry=retry)
    desk.model.piece = pieces[-1]
    desk.generate(retry=len(places))
    assert desk.model.responses == 1
    assert desk.lines == desk.kept == ["M1", "M2", "S1"]
    assert {reset.reason for reset in desk.resets} == {ErrorCode.MODEL_DISCONNECTED}
    assert desk.stored().usage == USAGE


@pytest.mark.parametrize("beyond", [0, 1, 2])
def test_an_attempt_that_dies_as_an_idea_ends_in_the_middle_of_a_delta_leaves_a_place_to_go_on_from(
    beyond: int,
) -> None:
    """The model's deltas are of three characters: the idea is kept with a cursor from before the one it ends in."""
    text = " " * beyond + ANSWER
    desk = Desk(ResumableModel(text, FIRST_ENDS + beyond), **SMALL)
    with pytest.raises(ModelDisconnected):
        desk.generate()
    tail = desk.core.log.tail(desk.job.id)
    assert tail.cursor is not None
    position = ReadPosition.parse(tail.cursor)
    assert int(position.cursor) + position.offset == FIRST_ENDS + beyond
    assert desk.kept == ["M1"]
    desk.generate(retry=1)
    assert desk.model.responses == 1
    assert desk.lines == ["M1", "M2", "S1"]


@pytest.mark.parametrize("hangs", [False, True])
def test_an_answer_that_is_gone_or_hangs_leaves_the_ideas_and_the_missing_are_asked_for(hangs: bool) -> None:
    fault = ModelTimeout("silent") if hangs else None
    broken = FIRST_ENDS + 20
    desk = Desk(ResumableModel(ANSWER, broken, *([broken + 1] if hangs else []), fault=fault), **SMALL)
    with pytest.raises(ModelTimeout if hangs else ModelDisconnected):
        desk.generate()
    desk.model.gone = not hangs
    desk.generate(retry=1)
    assert desk.model.responses == 2
    assert len(desk.model.cancelled) == 1
    assert [(reset.reason, reset.text) for reset in desk.resets][1:] == [
        ("RESTARTED", ANSWER[len('{"g1": [') : FIRST_ENDS] + "\n"),
        ("REPAIR", ANSWER[len('{"g1": [') : FIRST_ENDS] + "\n"),  # the new answer begins with the same idea
    ]
    assert desk.kept == desk.lines == ["M1", "M2", "S1"]


def test_an_idea_whose_item_could_not_be_written_is_not_taken_for_one_that_stands() -> None:
    log = LogThatLosesAnItem("idea-2")
    desk = Desk(ResumableModel(ANSWER), event_log=log, **SMALL)
    with pytest.raises(StorageUnavailable):
        desk.generate()
    assert (len(desk.lines), desk.kept) == (2, ["M1"])
    log.loses = None
    desk.generate(retry=1)
    assert ("RESTARTED", 1) in [(reset.reason, reset.text.count("\n")) for reset in desk.resets]
    assert desk.lines == desk.kept == ["M1", "M2", "S1"]


def test_a_job_that_ends_meanwhile_ends_its_running_answer_at_the_provider() -> None:
    desk = Desk(ResumableModel(ANSWER), **SMALL)
    desk.model.meanwhile = lambda: desk.core.jobs.update(desk.job.id, {"status": JobStatus.CANCELLED}, when=JobGuard())
    with pytest.raises(JobEnded):
        desk.generate()
    assert desk.model.cancelled == ["0"]


def test_an_arrangement_is_read_again_from_its_beginning_and_not_paid_for_twice() -> None:
    desk = Desk(ResumableModel(ANSWER), **SMALL, arrangement="rank")
    desk.generate()
    desk.model = ResumableModel(RANKING, 30)
    with pytest.raises(ModelDisconnected):
        desk.arrange()
    desk.arrange(retry=1)
    assert desk.model.responses == 1
    assert [each["number"] for each in desk.output("arrange_ideas")["ranking"]] == [2, 3, 1]
    assert desk.lines == ["M1", "M2", "S1"]


@pytest.mark.parametrize("hangs", [False, True])
def test_an_arrangement_that_is_gone_or_hangs_is_asked_for_anew(hangs: bool) -> None:
    fault = ModelTimeout("silent") if hangs else None
    desk = Desk(ResumableModel(ANSWER), **SMALL, arrangement="rank")
    desk.generate()
    desk.model = ResumableModel(RANKING, 30, *([31] if hangs else []), fault=fault)
    with pytest.raises(ModelTimeout if hangs else ModelDisconnected):
        desk.arrange()
    desk.model.gone = not hangs
    desk.arrange(retry=1)
    assert (desk.model.responses, desk.model.cancelled) == (2, ["0"])
    assert [each["number"] for each in desk.output("arrange_ideas")["ranking"]] == [2, 3, 1]
