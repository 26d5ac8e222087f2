"""The prompts for ideas and arrangements, and the schemas of the output."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from shared.apps.ideation.models import Idea, IdeationInput
from shared.apps.ideation.prompts import (
    groups_messages,
    groups_schema,
    ideas_messages,
    ideas_schema,
    ranking_messages,
    ranking_schema,
)
from shared.llm.model import OutputSchema
from tests.apps.suggestions.unit.test_prompts import ACCEPTED, keywords, objects

WANTED = IdeationInput(
    platform="mobile game",
    genre_paths=[["Fiction", "Mystery"], ["Sport"], ["Music"]],
    genre_proportions=[50, 30, 20],
    requirements="playable in two minutes",
)
DRAFT = {"title": "t", "logline": "l", "description": "d"}
IDEAS = [Idea(number=n, genre_path=["Sport"], title=f"Idea {n}", logline=f"Line {n}", description="d") for n in (1, 2)]


def fits(schema: OutputSchema, document: Any) -> bool:
    return bool(jsonschema_rs.is_valid(schema.schema, document))


@pytest.mark.parametrize("schema", [ideas_schema(WANTED, {0: 5, 2: 1}), ranking_schema(3), groups_schema(3)])
def test_every_schema_is_strict(schema: OutputSchema) -> None:
    assert keywords(schema.schema) <= ACCEPTED
    found = objects(schema.schema)
    assert len(found) == 2
    for each in found:
        assert each["additionalProperties"] is False
        assert set(each["required"]) == set(each["properties"])


def test_the_schema_has_the_number_of_missing_ideas_per_genre() -> None:
    schema = ideas_schema(WANTED, {0: 2, 2: 1})
    assert fits(schema, {"g1": [DRAFT, DRAFT], "g3": [DRAFT]})
    assert not fits(schema, {"g1": [DRAFT], "g3": [DRAFT]})
    assert not fits(schema, {"g1": [DRAFT] * 3, "g3": [DRAFT]})
    assert not fits(schema, {"g1": [DRAFT] * 2, "g2": [DRAFT], "g3": [DRAFT]})
    assert not fits(schema, {"g1": [DRAFT] * 2})
    assert "Fiction > Mystery" in schema.schema["properties"]["g1"]["description"]


def test_the_ranking_schema_accepts_only_the_known_ideas_and_all_of_them() -> None:
    schema = ranking_schema(2)
    assert fits(schema, {"ranking": [{"number": n, "reason": "r"} for n in (2, 1)]})
    assert not fits(schema, {"ranking": [{"number": n, "reason": "r"} for n in (3, 1)]})
    assert not fits(schema, {"ranking": [{"number": 1, "reason": "r"}]})


@pytest.mark.parametrize(("ideas", "allowed", "refused"), [(1, [1], [0, 2]), (3, [2, 3], [1, 4]), (50, [2, 6], [1, 7])])
def test_the_groups_schema_accepts_two_to_six_groups_or_fewer_for_few_ideas(
    ideas: int, allowed: list[int], refused: list[int]
) -> None:
    group = {"name": "n", "reason": "r", "numbers": [1]}
    assert all(fits(groups_schema(ideas), {"groups": [group] * count}) for count in allowed)
    assert not any(fits(groups_schema(ideas), {"groups": [group] * count}) for count in refused)
    assert not fits(groups_schema(ideas), {"groups": [{**group, "numbers": [ideas + 1]}] * allowed[0]})


def test_the_request_contains_the_platform_the_genres_with_counts_and_the_requirements() -> None:
    system, user = ideas_messages(WANTED, {0: 5, 1: 3, 2: 2}, [])
    assert (system.role, user.role) == ("system", "user")
    for words in ("mobile game", "5 for Fiction > Mystery", "3 for Sport", "2 for Music", "playable in two minutes"):
        assert words in user.text
    assert "exist already" not in user.text


def test_the_request_for_missing_ideas_contains_the_known_ideas_and_the_incomplete_genres() -> None:
    _, user = ideas_messages(WANTED, {2: 1}, ["The Lift", "Nine"])
    assert user.text.endswith("do not repeat them:\n- The Lift\n- Nine")
    assert "Sport" not in user.text


def test_every_request_of_a_job_has_the_same_beginning() -> None:
    beginnings = [
        messages[1].text.split("playable in two minutes")[0]
        for messages in (
            ideas_messages(WANTED, {0: 5}, []),
            ideas_messages(WANTED, {1: 2}, ["x"]),
            ranking_messages(WANTED, IDEAS),
            groups_messages(WANTED, IDEAS),
        )
    ]
    assert len(set(beginnings)) == 1


def test_a_request_for_an_arrangement_contains_every_idea_with_its_number() -> None:
    for messages in (ranking_messages(WANTED, IDEAS), groups_messages(WANTED, IDEAS)):
        assert messages[1].text.endswith("1. Idea 1 (Sport): Line 1\n2. Idea 2 (Sport): Line 2")
