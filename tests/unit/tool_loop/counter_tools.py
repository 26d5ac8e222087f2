"""A small application with tools over one number, for tests of the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field

from shared.llm.model import ChatModel, Message
from shared.schema import Schema
from shared.stages.stage import StageContext
from shared.tools.budget import Budget
from shared.tools.loop import Answer, ToolLoop
from shared.tools.result import Change, ToolResult, failed
from shared.tools.tool import Outcome, Tool, Toolbox

CONVERSATION = (Message("system", "You count."), Message("user", "Count."))


class AddArguments(Schema):
    by: int = Field(ge=1, le=10)


class NoArguments(Schema):
    pass


def add(total: int, arguments: AddArguments) -> Outcome[int]:
    return Outcome(
        ToolResult(ok=True, summary=f"added {arguments.by}", data={"total": total + arguments.by}), (arguments.by,)
    )


def read(total: int, _: NoArguments) -> Outcome[int]:
    return Outcome(ToolResult(ok=True, summary=f"it is {total}", data={"total": total}))


def refuse(_: int, __: NoArguments) -> Outcome[int]:
    return Outcome(failed("FROZEN", "the number is frozen", hint="read it instead"))


def recite(_: int, __: NoArguments) -> Outcome[int]:
    return Outcome(ToolResult(ok=True, summary="recited", data={"text": "x" * 20_000}))


def break_down(_: int, __: NoArguments) -> Outcome[int]:
    raise KeyError("secret")


TOOLBOX: Toolbox[int, int] = Toolbox(
    (
        Tool("add", "Add to the number.", AddArguments, add, title=lambda arguments: f"Add {arguments.by}"),
        Tool("read", "Read the number.", NoArguments, read),
        Tool("refuse", "Refuse.", NoArguments, refuse),
        Tool("recite", "Return much.", NoArguments, recite),
        Tool("break_down", "Break.", NoArguments, break_down),
    )
)


class Counter:
    """The workspace: one number, and what was published under which origin."""

    def __init__(self) -> None:
        self.total = 0
        self.results: dict[str, ToolResult] = {}
        self.before_state: Callable[[], None] = lambda: None
        self.before_publish: Callable[[], None] = lambda: None
        self.after_publish: Callable[[], None] = lambda: None

    async def state(self) -> int:
        self.before_state()
        return self.total

    async def published(self, origin: str) -> ToolResult | None:
        return self.results.get(origin)

    async def publish(self, origin: str, outcome: Outcome[int]) -> ToolResult:
        self.before_publish()
        self.total += sum(outcome.effects)
        change = Change(kind="number", id="total")
        self.results[origin] = outcome.result.model_copy(update={"version": self.total, "changes": (change,)})
        self.after_publish()
        return self.results[origin]


class CountStage:
    """The stage `draft` of the tests' poem pipeline, as a tool loop over a counter."""

    name = "draft"

    def __init__(self, model: ChatModel, counter: Counter, budget: Budget | None = None) -> None:
        self._model = model
        self._counter = counter
        self._budget = budget
        self.answer: Answer | None = None

    async def run(self, context: StageContext) -> dict[str, Any]:
        loop = ToolLoop(self._model, TOOLBOX, self._counter, context, budget=self._budget, sleep=_no_sleep)
        self.answer = await loop.run(CONVERSATION)
        return {"lines": [self.answer.text]}


async def _no_sleep(_: float) -> None:
    return None
