"""Let a model solve a task in a session of the fakes, and compare the cells of the answer range."""

from __future__ import annotations

import datetime
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from shared.apps.sheets.addresses import Area, Cell, parse_cell
from shared.apps.sheets.cells import CellContent
from shared.apps.sheets.workbook import Workbook, WorkbookRefusal
from shared.errors import MillraceError
from shared.llm.model import ChatModel
from tests.apps.sheets.chat_world import ChatWorld
from tests.evals.sheets.tasks import Answer, Task
from tests.evals.sheets.workbooks import file_of

SEEDS = (1, 2, 3)
"""The seeds of a task's workbooks: it is solved if all of them are."""

TOLERANCE = 1e-6
"""How much a number may differ, as a part of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one workbook of a task ended: `problem` is None if it is solved."""

    task: str
    seed: int
    problem: str | None
    tokens: int = 0
    versions: int = 0

    @property
    def solved(self) -> bool:
        return self.problem is None


def attempt(task: Task, seed: int, model: ChatModel, model_name: str) -> Outcome:
    """Let the model work on one workbook of the task, and return whether every cell is as expected."""
    sheets = task.build(Random(seed))
    with tempfile.TemporaryDirectory() as folder:
        world = ChatWorld(Path(folder), file_of(sheets))
        job = world.new_job(task.instruction, model=model_name)
        try:
            world.prepare(job)
            answer = world.answer(job, model)
        except MillraceError as error:
            return Outcome(task.id, seed, f"the job failed: {error.code}: {error.message}")
        workbook = world.workbook()
        try:
            problem = next(differences(workbook, task.expect(sheets)), None)
        finally:
            workbook.close()
        tokens = world.core.job(job.id).usage.total_tokens
        return Outcome(task.id, seed, problem, tokens, len(answer["versions"]))


def differences(workbook: Workbook, answer: Answer) -> Iterator[str]:
    """Yield each cell of the answer range that is not as expected."""
    first = parse_cell(answer.start)
    width = max(len(row) for row in answer.rows)
    last = Cell(first.row + len(answer.rows) - 1, first.column + width - 1)
    try:
        cells = workbook.read(answer.sheet, Area(first, last))
    except WorkbookRefusal as refusal:
        yield refusal.message
        return
    for down, (found, row) in enumerate(zip(cells, answer.rows, strict=True)):
        for across, wanted in enumerate(row):
            if not is_same(found[across], wanted):
                at = Cell(first.row + down, first.column + across)
                yield f"{answer.sheet}!{at} is {found[across].value!r}, not {wanted!r}"


def is_same(cell: CellContent, wanted: Any) -> bool:
    """Return whether a cell has the expected value: numbers within the tolerance, dates by day, empty as no text."""
    if wanted is None or wanted == "":
        return cell.value is None or cell.value == ""
    if isinstance(wanted, datetime.date):
        return (cell.iso or str(cell.value))[:10] == wanted.isoformat()
    if isinstance(wanted, int | float):
        value = cell.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isclose(value, wanted, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(cell.value == wanted)
