"""The report of `make chaos ARGS=--every-point`: it knows a call of one job in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from local.stack import LocalStack
from tests.chaos.application import applications
from tests.chaos.every_point import EveryPoint, points_of
from tests.chaos.plan import Action, KillAtCall
from tests.chaos.story import JobStory


@pytest.mark.parametrize(
    ("call", "points"),
    [
        ("PutItem EVT#00000007 delta item", {"PutItem EVT## delta", "PutItem EVT## item"}),
        ("GetItem MSG#01m7cmacbywh4k2xcdhmtrcywt-1", {"GetItem MSG##-#"}),
        (
            "TransactWriteItems SESSION EVT#0000000012 VERSION#00000002 JOBREF#01m7cmacbywh4k2xcdhmtrcywt",
            {"TransactWriteItems SESSION EVT## VERSION## JOBREF##"},
        ),
        ("PutItem CKPT#write_report#00001.002.000.d081ea4a", {"PutItem CKPT#write_report##.#.#.#"}),
        ("Query", {"Query"}),
    ],
)
def test_a_point_has_nothing_that_differs_from_job_to_job(call: str, points: set[str]) -> None:
    assert points_of(call) == points


def test_a_call_that_only_some_jobs_append_with_others_is_reached_by_its_events() -> None:
    run = EveryPoint(cast("LocalStack", None), applications()["sheet_chat"], lambda story: None)
    run.calls = {"F": ["PutItem EVT#00000001 delta tool", "Query"]}
    run.reached = {
        "F": {
            *(("before", point) for point in ("PutItem EVT## delta", "PutItem EVT## tool", "Query")),
            *(("after", point) for point in ("PutItem EVT## delta", "Query")),
        }
    }
    assert run.missing() == ["F: after PutItem EVT#00000001 delta tool"]
    run.reached["F"].add(("after", "PutItem EVT## tool"))
    assert run.missing() == []


def test_what_is_left_is_tried_again_until_it_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, bool]] = []
    run = EveryPoint(cast("LocalStack", None), applications()["sheet_chat"], lambda story: None)
    run.calls = {"F": ["Query", "GetItem JOB"]}
    run.reached = {"F": {("before", "Query"), ("after", "Query"), ("after", "GetItem JOB")}}

    def take(function: str, actions: Sequence[Action]) -> list[JobStory]:
        taken.extend((action.skip, action.executed) for action in actions if isinstance(action, KillAtCall))
        if len(taken) == 2:
            run.reached[function].add(("before", "GetItem JOB"))
        return []

    monkeypatch.setattr(run, "_take", take)
    run._kill_at_what_is_left("F")
    assert taken == [(1, False), (1, False)]
