"""The tool loop over both adapters, the real SDK and real HTTP, against the scripted model and its misbehaviours."""

from __future__ import annotations

from typing import Any

import pytest

from local.model.control import ModelControl
from shared.llm.model import ChatModel, Message
from shared.stages.stage import StageContext
from shared.tools.budget import Budget
from shared.tools.loop import Answer, ToolLoop
from tests.fakes.core import FakeCore
from tests.unit.tool_loop.counter_tools import TOOLBOX, Counter

PLAN = '[[tools: add {"by": 3}; read; refuse; add {"by": 4}]]'


class _Stage:
    """The stage `draft` of the tests' pipeline."""

    name = "draft"

    def __init__(self, model: ChatModel, counter: Counter, message: str, budget: Budget | None) -> None:
        self._model, self._counter, self._message, self._budget = model, counter, message, budget
        self.answer: Answer | None = None

    async def run(self, context: StageContext) -> dict[str, Any]:
        loop = ToolLoop(self._model, TOOLBOX, self._counter, context, budget=self._budget)
        self.answer = await loop.run((Message("system", "You count."), Message("user", self._message)))
        return {"lines": [self.answer.text]}


def run(model: ChatModel, message: str = PLAN, budget: Budget | None = None) -> tuple[Answer, Counter]:
    core, counter = FakeCore(), Counter()
    stage = _Stage(model, counter, message, budget)
    core.run(stage, core.new_job())
    assert stage.answer is not None
    return stage.answer, counter


@pytest.mark.parametrize(("parallel", "turns"), [(1, 5), (3, 3), (4, 2)])
@pytest.mark.parametrize("split", [False, True])
def test_calls_run_and_their_results_are_quoted(
    scripted: ModelControl, model: ChatModel, parallel: int, turns: int, split: bool
) -> None:
    scripted.script(parallel=parallel, split_arguments=split)

    answer, counter = run(model)

    assert counter.total == 7
    assert (answer.turns, answer.calls, answer.stopped) == (turns, 4, None)
    assert "- add: added 3" in answer.text
    assert "- refuse failed: the number is frozen (hint: read it instead)" in answer.text


def test_unreadable_arguments_are_explained_and_repaired(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(bad_arguments=True, times=1)
    answer, counter = run(model, '[[tools: add {"by": 3}]]')
    assert (counter.total, answer.calls) == (3, 2)
    assert "- add failed: the arguments of add are not JSON" in answer.text


def test_an_unknown_tool_is_explained(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(unknown_tool=True)
    answer, counter = run(model, '[[tools: add {"by": 3}]]')
    assert (counter.total, answer.calls, answer.stopped) == (0, 2, None)
    assert "- no_such_tool failed: there is no tool 'no_such_tool' (hint: tools: add, read" in answer.text
    assert answer.text.endswith("Not done: add.")


def test_the_same_failing_call_is_stopped(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(repeat_forever=True)
    answer, _ = run(model, "[[tools: refuse; read]]")
    assert answer.stopped == "3 identical failing calls"
    assert answer.text.endswith("Not done: read.")


def test_the_same_call_for_ever_ends_with_the_budget(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(repeat_forever=True)
    answer, counter = run(model, '[[tools: add {"by": 3}]]', Budget(turns=4))
    assert (answer.stopped, counter.total) == ("4 turns", 12)
    assert answer.text.startswith("The scripted model called 4 tools:")
    assert scripted.requests()[-1]["tool_choice"] == "none"
