"""A retried stage re-attaches in the middle of the response that an earlier attempt started."""

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
from tests.apps.ideation.unit.ideation_driver import IdeationDriver, draft, output_of
from tests.fakes.event_log import FakeEventLog
from tests.fakes.model import USAGE, ResumableModel

SMALL: dict[str, Any] = {"ideaCount": 3, "genreProportions": [60, 40, 0]}
OUTPUT = output_of(g1=[draft("M1"), draft("M2")], g2=[draft("S1")])
PRETTY = json.dumps(json.loads(OUTPUT), indent=1)
FIRST_ENDS = OUTPUT.index("}") + 1
RANKING = output_of(ranking=[{"number": number, "reason": "r"} for number in (2, 3, 1)])


class LogThatRefusesAnItem(FakeEventLog):
    """An event log that is unavailable for an append of the item with this key."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.refuses: str | None = key

    def append(self, job_id: str, batch: Batch) -> int:
        if any(isinstance(event, Item) and event.key == self.refuses for event in batch.events):
            raise StorageUnavailable("lost")
        return super().append(job_id, batch)


@settings(max_examples=100, deadline=None)
@given(
    text=st.sampled_from([OUTPUT, PRETTY, output_of(g1=[draft("M1"), draft("M2"), draft("M3")], g2=[draft("S1")])]),
    positions=st.lists(st.integers(0, len(OUTPUT) - 1), min_size=1, max_size=3).map(sorted),
    pieces=st.lists(st.integers(1, 60), min_size=4, max_size=4),
)
def test_a_retry_re_attaches_wherever_the_response_was_interrupted(
    text: str, positions: list[int], pieces: list[int]
) -> None:
    driver = IdeationDriver(ResumableModel(text, *positions), **SMALL)
    for retry in range(len(positions)):
        driver.model.piece = pieces[retry]
        with pytest.raises(ModelDisconnected):
            driver.generate(retry=retry)
    driver.model.piece = pieces[-1]
    driver.generate(retry=len(positions))
    assert driver.model.responses == 1
    assert driver.lines == driver.item_titles == ["M1", "M2", "S1"]
    assert {reset.reason for reset in driver.resets} == {ErrorCode.MODEL_DISCONNECTED}
    assert driver.stored().usage == USAGE


@pytest.mark.parametrize("beyond", [0, 1, 2])
def test_a_retry_re_attaches_after_an_idea_that_ended_in_the_middle_of_a_delta(
    beyond: int,
) -> None:
    """The model's deltas have three characters: the item has the cursor before the delta in which it ends."""
    text = " " * beyond + OUTPUT
    driver = IdeationDriver(ResumableModel(text, FIRST_ENDS + beyond), **SMALL)
    with pytest.raises(ModelDisconnected):
        driver.generate()
    tail = driver.core.log.tail(driver.job.id)
    assert tail.cursor is not None
    position = ReadPosition.parse(tail.cursor)
    assert int(position.cursor) + position.offset == FIRST_ENDS + beyond
    assert driver.item_titles == ["M1"]
    driver.generate(retry=1)
    assert driver.model.responses == 1
    assert driver.lines == ["M1", "M2", "S1"]


@pytest.mark.parametrize("hangs", [False, True])
def test_a_retry_asks_for_the_missing_ideas_if_the_response_was_deleted_or_hangs(hangs: bool) -> None:
    fault = ModelTimeout("silent") if hangs else None
    broken = FIRST_ENDS + 20
    driver = IdeationDriver(ResumableModel(OUTPUT, broken, *([broken + 1] if hangs else []), fault=fault), **SMALL)
    with pytest.raises(ModelTimeout if hangs else ModelDisconnected):
        driver.generate()
    driver.model.gone = not hangs
    driver.generate(retry=1)
    assert driver.model.responses == 2
    assert len(driver.model.cancelled) == 1
    assert [(reset.reason, reset.text) for reset in driver.resets][1:] == [
        ("RESTARTED", OUTPUT[len('{"g1": [') : FIRST_ENDS] + "\n"),
        ("REPAIR", OUTPUT[len('{"g1": [') : FIRST_ENDS] + "\n"),  # the new response begins with the same idea
    ]
    assert driver.item_titles == driver.lines == ["M1", "M2", "S1"]


def test_an_idea_whose_item_could_not_be_stored_is_requested_again() -> None:
    log = LogThatRefusesAnItem("idea-2")
    driver = IdeationDriver(ResumableModel(OUTPUT), event_log=log, **SMALL)
    with pytest.raises(StorageUnavailable):
        driver.generate()
    assert (len(driver.lines), driver.item_titles) == (2, ["M1"])
    log.refuses = None
    driver.generate(retry=1)
    assert ("RESTARTED", 1) in [(reset.reason, reset.text.count("\n")) for reset in driver.resets]
    assert driver.lines == driver.item_titles == ["M1", "M2", "S1"]


def test_the_attempt_cancels_the_response_of_a_job_that_ends() -> None:
    driver = IdeationDriver(ResumableModel(OUTPUT), **SMALL)
    driver.model.meanwhile = lambda: driver.core.jobs.update(
        driver.job.id, {"status": JobStatus.CANCELLED}, when=JobGuard()
    )
    with pytest.raises(JobEnded):
        driver.generate()
    assert driver.model.cancelled == ["0"]


def test_a_retry_reads_an_arrangement_from_its_beginning_without_paying_again() -> None:
    driver = IdeationDriver(ResumableModel(OUTPUT), **SMALL, arrangement="rank")
    driver.generate()
    driver.model = ResumableModel(RANKING, 30)
    with pytest.raises(ModelDisconnected):
        driver.arrange()
    driver.arrange(retry=1)
    assert driver.model.responses == 1
    assert [each["number"] for each in driver.output("arrange_ideas")["ranking"]] == [2, 3, 1]
    assert driver.lines == ["M1", "M2", "S1"]


@pytest.mark.parametrize("hangs", [False, True])
def test_a_retry_requests_a_new_arrangement_if_the_response_was_deleted_or_hangs(hangs: bool) -> None:
    fault = ModelTimeout("silent") if hangs else None
    driver = IdeationDriver(ResumableModel(OUTPUT), **SMALL, arrangement="rank")
    driver.generate()
    driver.model = ResumableModel(RANKING, 30, *([31] if hangs else []), fault=fault)
    with pytest.raises(ModelTimeout if hangs else ModelDisconnected):
        driver.arrange()
    driver.model.gone = not hangs
    driver.arrange(retry=1)
    assert (driver.model.responses, driver.model.cancelled) == (2, ["0"])
    assert [each["number"] for each in driver.output("arrange_ideas")["ranking"]] == [2, 3, 1]
