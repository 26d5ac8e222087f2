"""A model server of another project calls the tools of sheet chat, in both APIs, and the workbook changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.apps.sheets.addresses import parse_area
from shared.llm.openai.chat import OpenAIChatModel
from shared.llm.openai.responses import OpenAIResponsesModel
from shared.llm.prices import ModelPrice
from tests.apps.sheets.chat_world import ChatWorld
from tests.llm.aimock import ORACLE, aimock_with


@pytest.fixture(scope="module")
def aimock() -> Iterator[str]:
    with aimock_with(ORACLE / "fixtures/sheets.json") as url:
        yield url


@pytest.mark.parametrize("adapter", [OpenAIChatModel, OpenAIResponsesModel])
def test_scripted_tool_calls_change_the_workbook(
    aimock: str, tmp_path: Path, adapter: type[OpenAIChatModel | OpenAIResponsesModel]
) -> None:
    world = ChatWorld(tmp_path)
    model = adapter(base_url=aimock, api_key=lambda: "sk-any", prices={"gpt-4o": ModelPrice(input=1.0, output=1.0)})
    job = world.new_job("Add totals to the workbook")
    world.prepare(job)

    answer = world.answer(job, model)

    assert answer["text"] == "Done: column D has the totals."
    assert answer["versions"] == [2, 3]
    assert [(each.by, each.kind) for each in world.versions()[1:]] == [("model", "change")] * 2
    workbook = world.workbook()
    header, *totals = (row[0] for row in workbook.read(world.sheet, parse_area("D1:D5")))
    workbook.close()
    assert header.value == "Umsatz 🌍"
    assert [each.formula for each in totals] == [f"=B{row}*C{row}" for row in range(2, 6)]
