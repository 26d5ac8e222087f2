"""The evaluation of decisions: its cases, its figures, its recordings, and what rules and the scripted model reach."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from tests.apps.video.scripted_model import ScriptedVideoModel
from tests.evals.brain.__main__ import main
from tests.evals.brain.cases import Case, cases, fixtures, second_labels
from tests.evals.brain.cassette import RecordingModel, ReplayingModel
from tests.evals.brain.evaluation import Decided, Score, decide, figures_of, kappa

CASES = {case.id: case for case in cases()}
SCRIPTED = "scripted-1"
REACHED = 100
"""How many of the 150 cases rules and the scripted model decided as labelled when this was written. It is no AI."""


def test_there_are_150_cases_of_every_kind() -> None:
    assert len(CASES) == len(cases()) == 150
    assert Counter(case.tool for case in CASES.values()) == {
        "addScene": 26,
        "editScene": 30,
        "changeDuration": 20,
        "deleteScene": 12,
        "planScenes": 12,
        "applyPatch": 16,
        "generateComponent": 10,
        "ask": 14,
        "answer": 10,
    }
    assert sum(case.hard for case in CASES.values()) >= 45
    for case in CASES.values():
        scenes = len(fixtures()[case.project].scenes)
        named = (*case.targets, *case.refs, *case.attached, *case.last, *([case.selected] if case.selected else []))
        assert all(1 <= each <= scenes for each in named), case.id


def test_the_two_passes_of_labels_agree() -> None:
    second = second_labels()
    assert set(second) == set(CASES)
    assert kappa([each.tool for each in CASES.values()], [second[each] for each in CASES]) > 0.9


def test_every_rule_is_right_and_no_case_is_lost() -> None:
    decided = [decide(case, ScriptedVideoModel(), SCRIPTED) for case in CASES.values()]
    figures = figures_of(decided)
    assert figures.rules.of >= 15
    assert figures.rules.right == figures.rules.of
    assert figures.tools.right >= REACHED
    assert [each.case.id for each in decided if each.tool == "failed"] == []


def test_a_recorded_run_is_scored_without_a_model(tmp_path: Path) -> None:
    recording = RecordingModel(ScriptedVideoModel())
    case = CASES["edit-01"]
    first = decide(case, recording, SCRIPTED)
    recording.save(tmp_path / "run.json")
    assert dataclasses.replace(decide(case, ReplayingModel(tmp_path / "run.json"), SCRIPTED), tokens=0) == (
        dataclasses.replace(first, tokens=0)
    )
    other = decide(CASES["edit-02"], ReplayingModel(tmp_path / "run.json"), SCRIPTED)
    assert (other.tool, "not recorded" in other.problem) == ("failed", True)


def test_the_command_tells_what_it_found_and_fails_below_a_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = ["--only", "comp-0", "--set", "dev"]
    assert main([*only, "--record", str(tmp_path / "r.json"), "--keep", str(tmp_path / "figures.json")]) == 0
    printed = capsys.readouterr().out
    assert "no AI" in printed
    assert "tool          4 of   5,  80.0%" in printed or "tool          5 of   5, 100.0%" in printed
    assert (tmp_path / "figures.json").read_text().startswith('{\n "model": "scripted-1"')
    assert main([*only, "--target", "1.01"]) == 1


def _decided(tool: str, *, wanted: str = "editScene", confidence: float = 0.8, **fields: object) -> Decided:
    case = Case(id="x", project="launch", text="x", tool=wanted, also=("applyPatch",), targets=(2,))
    return dataclasses.replace(Decided(case, tool, "model", confidence), **fields)  # type: ignore[arg-type]


def test_figures_count_tools_targets_and_confidence() -> None:
    figures = figures_of(
        [
            _decided("editScene", targets=(2,)),
            _decided("editScene", targets=(1,)),
            _decided("applyPatch"),
            _decided("ask"),
        ]
    )
    assert (figures.tools, figures.targets) == (Score(3, 4), Score(1, 2))
    assert figures.by_tool["editScene"] == (Score(2, 2), Score(3, 4))
    assert figures.calibration == [(0.8, Score(3, 4))]
    assert figures.calibration_error == pytest.approx(0.05)


def test_the_interval_is_wilsons() -> None:
    low, high = Score(143, 150).interval
    assert (round(low, 3), round(high, 3)) == (0.907, 0.977)
    assert Score(0, 0).interval == (0.0, 1.0)


def test_kappa_is_1_for_equal_labels_and_0_for_chance() -> None:
    assert kappa(["a", "b"], ["a", "b"]) == 1
    assert kappa(["a", "a", "b", "b"], ["a", "b", "a", "b"]) == 0
