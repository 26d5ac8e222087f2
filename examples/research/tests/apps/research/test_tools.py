"""The tools: pure functions of the library, the findings so far and the arguments."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.apps.research.library import library
from shared.apps.research.models import ResearchFinding
from shared.apps.research.tools import MAX_FINDINGS, TOOLBOX, Desk
from shared.llm.model import ToolCall
from shared.tools.result import ToolResult
from shared.tools.tool import Outcome

DESK = Desk(library())
NOTE: dict[str, Any] = {"claim": "It snowed.", "passageId": "flood_diary-2"}


def call(name: str, *, desk: Desk = DESK, **arguments: Any) -> Outcome[ResearchFinding]:
    checked = TOOLBOX.check(ToolCall("c1", name, json.dumps(arguments)), None)
    assert not isinstance(checked, ToolResult), checked
    outcome: Outcome[ResearchFinding] = checked.tool.function(desk, checked.arguments)
    return outcome


def test_a_search_finds_the_passages_with_the_most_of_the_words_first() -> None:
    result = call("search_library", words="rain on snow floods", most=2).result
    assert result.data is not None
    assert [each["passageId"] for each in result.data["passages"]] == ["flood_diary-2", "flood_diary-4"]
    assert result.truncated


def test_a_search_without_a_hit_names_the_sources() -> None:
    result = call("search_library", words="zeppelin").result
    assert result.ok
    assert "A Diary of Floods on the Wend" in result.summary


def test_a_passage_is_read_whole() -> None:
    result = call("read_passage", passageId="mill_letters-3").result
    assert result.data is not None
    assert result.data["text"].startswith("I have put in a second sluice.")


@pytest.mark.parametrize(("name", "arguments"), [("read_passage", {}), ("add_finding", {"claim": "It snowed."})])
def test_an_unknown_passage_is_refused_with_a_hint(name: str, arguments: dict[str, Any]) -> None:
    error = call(name, passageId="flood_diary-99", **arguments).result.error
    assert error is not None
    assert (error.code, error.hint) == ("UNKNOWN_PASSAGE", "use an id that search_library has returned")


def test_a_finding_is_an_effect_and_changes_nothing_by_itself() -> None:
    outcome = call("add_finding", **NOTE)
    assert [each.number for each in outcome.effects] == [1]
    assert outcome == call("add_finding", **NOTE)


def test_a_finding_is_noted_once_and_not_without_end() -> None:
    first = call("add_finding", **NOTE).effects[0]
    again = call("add_finding", desk=Desk(library(), (first,)), **NOTE).result.error
    full = call(
        "add_finding", desk=Desk(library(), (first,) * MAX_FINDINGS), **{**NOTE, "claim": "It rained."}
    ).result.error
    assert (again and again.code, full and full.code) == ("ALREADY_NOTED", "ENOUGH_FINDINGS")


def test_the_best_sources_are_those_with_the_most_of_the_words() -> None:
    assert [each.id for each in library().best_sources("trout and gravel", 1)] == ["fishery_report"]
    assert len(library().best_sources("zeppelin", 8)) == 4
