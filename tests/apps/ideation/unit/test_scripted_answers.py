"""The scripted model's output for ideas and arrangements."""

from __future__ import annotations

import itertools
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.model.answers import ideation
from local.model.application_answers import application_answer
from local.model.prompt import Prompt
from shared.apps.ideation.models import Draft, Groups, Idea, IdeationInput, Ranking
from shared.apps.ideation.plan import planned_counts
from shared.apps.ideation.prompts import (
    groups_messages,
    groups_schema,
    ideas_messages,
    ideas_schema,
    ranking_messages,
    ranking_schema,
)
from shared.llm.model import Message, OutputSchema


def output_of(messages: tuple[Message, ...], schema: OutputSchema) -> dict[str, Any]:
    wanted = {"type": "json_schema", "name": schema.name, "schema": schema.schema}
    prompt = Prompt("scripted-1", [{"role": "user", "content": messages[-1].text}], wanted, most_tokens=None)
    document: dict[str, Any] = ideation.answer(prompt)
    assert application_answer(prompt) == document
    jsonschema_rs.validate(schema.schema, document)
    return document


def wanted_input(genres: int, count: int) -> IdeationInput:
    shares = [100 // genres] * (genres - 1)
    return IdeationInput(
        platform="podcast series",
        genre_paths=[["Fiction", f"Genre {number}"] for number in range(genres)],
        genre_proportions=[*shares, 100 - sum(shares)],
        idea_count=count,
    )


def brainstormed(wanted: IdeationInput, missing: dict[int, int], known: list[str]) -> dict[str, Any]:
    return output_of(ideas_messages(wanted, missing, known), ideas_schema(wanted, missing))


def missing_at_first(wanted: IdeationInput) -> dict[int, int]:
    counts = planned_counts(wanted.genre_proportions, wanted.idea_count)
    return {index: count for index, count in enumerate(counts) if count}


@settings(max_examples=30, deadline=None)
@given(genres=st.integers(1, 20), count=st.integers(1, 50), kept=st.integers(0, 49))
def test_new_ideas_differ_from_each_other_and_from_the_known_ones(genres: int, count: int, kept: int) -> None:
    wanted = wanted_input(genres, count)
    complete = brainstormed(wanted, missing_at_first(wanted), [])
    first = [each["title"] for each in itertools.chain(*complete.values())]
    known = first[: min(kept, count - 1)]
    rest = brainstormed(wanted, {0: count - len(known)}, known)
    titles = known + [each["title"] for each in rest["g1"]]
    assert len(set(first)) == count
    assert len(set(titles)) == count
    for each in itertools.chain(*complete.values(), *rest.values()):
        Draft.model_validate(each)


def test_ideas_name_the_platform_and_genre_and_are_the_same_for_the_same_prompt() -> None:
    wanted = wanted_input(2, 6)
    document = brainstormed(wanted, missing_at_first(wanted), [])
    assert document == brainstormed(wanted, missing_at_first(wanted), [])
    for name, genre in (("g1", "Genre 0"), ("g2", "Genre 1")):
        assert all("podcast series" in each["logline"] and genre in each["logline"] for each in document[name])


def test_ideas_with_the_longest_platform_and_genre_are_valid() -> None:
    wanted = IdeationInput(platform="p" * 100, genre_paths=[["g" * 60] * 6], genre_proportions=[100], idea_count=50)
    for each in brainstormed(wanted, {0: 50}, [])["g1"]:
        Draft.model_validate(each)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 50])
def test_an_arrangement_contains_every_idea_once(count: int) -> None:
    wanted = wanted_input(1, count)
    ideas = [
        Idea(number=number, genre_path=["G"], title=f"Title ({number})", logline="l", description="d")
        for number in range(1, count + 1)
    ]
    ranking = Ranking.model_validate(output_of(ranking_messages(wanted, ideas), ranking_schema(count)))
    groups = Groups.model_validate(output_of(groups_messages(wanted, ideas), groups_schema(count)))
    assert (ranking.misfit(count), groups.misfit(count)) == (None, None)
    assert all(f"“Title ({each.number})”" in each.reason for each in ranking.ranking)
