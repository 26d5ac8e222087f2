"""The evaluation's harness: a right answer is found right, and a wrong one wrong."""

from __future__ import annotations

import datetime
from random import Random

import pytest

from shared.apps.sheets.cells import CellContent
from tests.apps.sheets.chat_world import call
from tests.evals.sheets.evaluation import SEEDS, attempt, is_same
from tests.evals.sheets.tasks import TASKS
from tests.fakes.model import CallingModel

BY_ID = {task.id: task for task in TASKS}


def test_there_are_sixty_tasks_with_workbooks_that_a_seed_decides() -> None:
    assert len(BY_ID) == len(TASKS) == 60
    for task in TASKS:
        for seed in SEEDS:
            sheets = task.build(Random(seed))
            assert sheets == task.build(Random(seed))
            assert task.expect(sheets).rows


def _formula_model(formula: str, rows: int) -> CallingModel:
    header = call("write_range", sheet="Sales", start="G1", values=[["Revenue"]])
    cells = call("write_formula", "c2", sheet="Sales", range=f"G2:G{rows}", formula=formula)
    return CallingModel(("", header, cells), ("Done.",))


@pytest.mark.parametrize(
    ("formula", "problem"), [("=D2*E2", None), ("=D2+E2", "Sales!G2 is "), ("=D3*E3", "Sales!G2 is ")]
)
def test_a_task_is_solved_if_every_cell_is_as_expected(formula: str, problem: str | None) -> None:
    task = BY_ID["column-revenue"]
    rows = len(task.build(Random(1))["Sales"])
    outcome = attempt(task, 1, _formula_model(formula, rows), "scripted-1")
    assert outcome.solved == (problem is None)
    assert (outcome.problem or "").startswith(problem or "")
    assert outcome.versions == 2


def test_a_sheet_that_was_not_made_is_a_problem() -> None:
    outcome = attempt(BY_ID["table-counts"], 1, CallingModel(("I cannot.",)), "scripted-1")
    assert "Counts" in (outcome.problem or "")


def test_a_job_that_fails_is_a_problem() -> None:
    outcome = attempt(BY_ID["table-counts"], 1, CallingModel(("",)), "scripted-1")
    assert (outcome.problem or "").startswith("the job failed: INVALID_MODEL_OUTPUT")


@pytest.mark.parametrize(
    ("cell", "wanted", "same"),
    [
        (CellContent(0.1 + 0.2), 0.3, True),
        (CellContent(3), 3.1, False),
        (CellContent("3"), 3, False),
        (CellContent(True), 1, False),
        (CellContent(None), "", True),
        (CellContent(0), None, False),
        (CellContent("North"), "North", True),
        (CellContent("north"), "North", False),
        (CellContent(46_027, iso="2026-01-05"), datetime.date(2026, 1, 5), True),
        (CellContent(46_028, iso="2026-01-06"), datetime.date(2026, 1, 5), False),
        (CellContent("#REF!", error=True), 3, False),
    ],
)
def test_cells_are_compared_by_their_values(cell: CellContent, wanted: object, same: bool) -> None:
    assert is_same(cell, wanted) is same
