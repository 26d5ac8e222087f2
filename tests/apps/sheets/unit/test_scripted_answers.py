"""What the scripted model plans in a chat about a workbook."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.model.answers import sheets
from local.model.behaviour import Behaviour
from local.model.calls import PlannedCall
from local.model.offered_tools import OfferedTool
from local.model.output import Output
from local.model.prompt import Prompt
from local.model.tool_plan import reply_with_calls
from shared.apps.sheets.prompts import conversation
from shared.apps.sheets.tools.describe_workbook import describe_sheets
from shared.apps.sheets.tools.toolbox import TOOLBOX
from tests.apps.sheets.plain_workbook import PlainWorkbook
from tests.apps.sheets.unit.tools.calling import run

SALES = [
    ("Region", "Units", "Price"),
    ("North", 3, 2.5),
    ("South", 5, 1.5),
    ("North", 2, 4),
]
TOOLS = tuple(OfferedTool(spec.name, spec.description, spec.parameters) for spec in TOOLBOX.specs(None))


@pytest.fixture
def workbook() -> PlainWorkbook:
    return PlainWorkbook({"Sales": SALES, "Old data": [("x", "y"), (1, 2)]})


def prompt_of(workbook: PlainWorkbook, text: str, **settings: Any) -> Prompt:
    digest, _ = describe_sheets(workbook, 5_000, full=True)
    said = conversation(text, workbook=digest, history=[], selection=None)
    messages: list[dict[str, Any]] = [{"role": each.role, "content": each.text} for each in said]
    return Prompt("scripted-1", messages, {"type": "text"}, None, **{"tools": TOOLS, **settings})


def with_turn(prompt: Prompt, calls: tuple[PlannedCall, ...], results: list[str]) -> None:
    ids = [f"c{len(prompt.messages)}-{at}" for at in range(len(calls))]
    made = [{"id": i, "name": c.name, "arguments": c.arguments} for i, c in zip(ids, calls, strict=True)]
    prompt.messages.append({"role": "assistant", "content": "", "tool_calls": made})
    for identity, result in zip(ids, results, strict=True):
        prompt.messages.append({"role": "tool", "tool_call_id": identity, "content": result})


def converse(workbook: PlainWorkbook, text: str) -> tuple[list[tuple[str, dict[str, Any]]], str]:
    """Run the model's calls on the workbook, which writes do not change, and return them with the last text."""
    prompt = prompt_of(workbook, text)
    made: list[tuple[str, dict[str, Any]]] = []
    while (reply := reply_with_calls(prompt, Behaviour())) is not None:
        arguments = [json.loads(call.arguments) for call in reply.calls]
        results = [run(workbook, c.name, **a).result for c, a in zip(reply.calls, arguments, strict=True)]
        made += [(call.name, each) for call, each in zip(reply.calls, arguments, strict=True)]
        with_turn(prompt, reply.calls, [each.for_model for each in results])
    return made, "".join(token.text for token in Output.of(prompt, Behaviour()).tokens)


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("What is the total of Units by region?", "aggregate", {"groupBy": ["Region"]}),
        ("average Price per Region", "aggregate", {"measures": [{"column": "Price", "fn": "avg"}]}),
        ("Sort Sales by units descending.", "sort_range", {"range": "A1:C4", "hasHeader": True}),
        ("show only rows where Region is North", "filter_rows", {"to": "hide"}),
        ("copy the rows where Units >= 3 to a new sheet Large", "filter_rows", {"newSheet": "Large"}),
        ("Clear B2:B3", "clear_range", {"sheet": "Sales", "range": "B2:B3"}),
        ("read 'Old data'!A1:B2", "read_range", {"sheet": "Old data", "range": "A1:B2"}),
        ("find north", "search", {"text": "north"}),
        ("Undo that.", "undo_last_change", {}),
        ("What is in the workbook?", "describe_workbook", {}),
        ('select "Region" from "Sales"', "sql_query", {"query": 'select "Region" from "Sales"'}),
    ],
)
def test_a_message_is_planned_by_its_pattern(
    workbook: PlainWorkbook, text: str, name: str, arguments: dict[str, Any]
) -> None:
    (call,), _ = converse(workbook, text)
    assert call[0] == name
    assert call[1] | arguments == call[1]


def test_the_last_text_quotes_the_figures_and_says_that_this_is_no_ai(workbook: PlainWorkbook) -> None:
    _, text = converse(workbook, "total of Units by Region")
    assert text == (
        "computed sum of Units from 3 rows.\nRegion, sum of Units\nNorth | 5\nSouth | 5\n"
        "(This is the scripted model, no AI.)"
    )


def test_a_new_column_is_a_look_and_then_a_header_with_a_formula(workbook: PlainWorkbook) -> None:
    made, _ = converse(workbook, "Please add a column Total = Units * Price")
    assert [name for name, _ in made] == ["describe_workbook", "write_range", "write_formula"]
    assert made[1][1] == {"sheet": "Sales", "start": "D1", "values": [["Total"]]}
    assert made[2][1] == {"sheet": "Sales", "range": "D2:D4", "formula": "=B2 * C2"}


def test_a_misspelt_column_is_corrected_by_the_hint_once(workbook: PlainWorkbook) -> None:
    made, text = converse(workbook, "total of Unit by Region")
    assert [arguments["measures"][0]["column"] for _, arguments in made][-1] == "Units"
    assert "North | 5" in text
    made, text = converse(workbook, "total of Zzz")
    assert len(made) == 1
    assert "aggregate failed" in text


def test_a_call_that_would_overwrite_is_moved_to_the_free_column(workbook: PlainWorkbook) -> None:
    directive = '[[tools: write_formula {"sheet": "Sales", "range": "C2:C4", "formula": "=1"}]]'
    made, _ = converse(workbook, directive)
    assert [arguments["range"] for _, arguments in made] == ["C2:C4", "D2:D4"]


def test_only_offered_tools_are_called(workbook: PlainWorkbook) -> None:
    few = tuple(tool for tool in TOOLS if tool.name == "read_range")
    assert sheets.answer(prompt_of(workbook, "total of Units", tools=few)).startswith("The scripted model plans")
    assert isinstance(sheets.answer(prompt_of(workbook, "total of Units", tool_choice="none")), str)


def test_prompts_of_other_applications_are_left_to_them() -> None:
    assert sheets.answer(Prompt("m", [{"role": "user", "content": "total of Units"}], {}, None, tools=TOOLS)) is None
