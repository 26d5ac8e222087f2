"""Names that people give read as they are written, and no rule is told as a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import StringConstraints, TypeAdapter, ValidationError

from shared.agents.agent import ToolName
from shared.apps.sheets.web import NewSession, UploadFile
from shared.apps.video.ids import ComponentName, ImageId, MessageId, SceneId
from shared.apps.video.tools.add_scene import AddScene
from shared.apps.video.web import NewImageFile, NewProject, PreferencesUpdate, ProjectUpdate
from shared.rules import rule_of
from shared.texts import PLAIN_NAME
from shared.web.agents import AgentChanges, NewAgent

NAME = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), PLAIN_NAME]
FILE = {"name": "a.csv", "bytes": 1}
IMAGE = {"contentType": "image/png", "bytes": 1}


def rules_of(kind: Any, value: Any) -> Iterator[str]:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        yield from map(rule_of, error.errors())


@pytest.mark.parametrize("name", ["Launch – 🚀", "日本語 🇩🇪", "👩‍🚀", "Ünïcode “name”", "עברית العربية"])
def test_a_name_in_any_script_is_taken(name: str) -> None:
    assert list(rules_of(NAME, name)) == []


@pytest.mark.parametrize("character", [0, 7, 0x0A, 0x1B, 0x7F, 0x85, 0x061C, 0x200E, 0x2028, 0x202E, 0x2066])
def test_a_character_that_hides_or_turns_text_is_refused_by_its_number(character: int) -> None:
    (rule,) = rules_of(NAME, f"gpj{chr(character)}.exe")
    assert rule.startswith("must have no control characters")
    assert rule.endswith(f"remove U+{character:04X}")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (NewAgent, {"name": "a\u202eb", "instructions": "x"}),
        (AgentChanges, {"name": "a\u202eb"}),
        (NewProject, {"title": "a\u202eb"}),
        (ProjectUpdate, {"title": "a\u202eb"}),
        (PreferencesUpdate, {"facts": {"a\u202eb": "x"}}),
        (PreferencesUpdate, {"facts": {"a": "x\u202ey"}}),
        (NewImageFile, {**IMAGE, "name": "a\u202eb.png"}),
        (NewSession, {"title": "a\u202eb", "file": FILE}),
        (UploadFile, {**FILE, "name": "a\u202eb.csv"}),
        (AddScene, {"instruction": "x", "name": "a\u202eb"}),
    ],
)
def test_every_name_that_a_request_gives_has_the_rule(kind: Any, body: dict[str, Any]) -> None:
    assert [rule for rule in rules_of(kind, body) if rule.endswith("remove U+202E")]


@pytest.mark.parametrize(
    ("kind", "example"),
    [
        (SceneId, "such as scn_"),
        (ImageId, "such as img_"),
        (MessageId, "such as 01"),
        (ComponentName, "such as PriceTag"),
        (ToolName, "the name of a tool"),
    ],
)
def test_the_rule_of_an_id_is_told_in_words_with_an_example(kind: Any, example: str) -> None:
    (rule,) = rules_of(kind, "???")
    assert rule.startswith("must be")
    assert example in rule


def test_another_broken_rule_of_an_id_is_told_as_before() -> None:
    assert list(rules_of(SceneId, 5)) == ["must be a valid string"]
