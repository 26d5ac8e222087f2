"""Reading a model's output as a data model, and asking for a repair."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.apps.ideation.models import Ranking
from shared.apps.ideation.prompts import ranking_schema
from shared.apps.suggestions.models import Suggestions
from shared.apps.suggestions.prompts import output_schema
from shared.llm.model import Finished, Message
from shared.log.usage import TokenUsage
from shared.stages.answers import InvalidAnswer, describe_problem, outline_of, read_answer, repair_messages

CARD = {
    "title": "Save “carts”",
    "rationale": "People leave.",
    "description": "It is kept, with {braces}.",
    "implementationConsiderations": ["Expiry"],
}
ANSWER: dict[str, Any] = {"suggestions": [CARD, {**CARD, "title": "Naïve café 🌍"}]}
TEXT = json.dumps(ANSWER, ensure_ascii=False)
DRAFT = json.dumps({"suggestions": [{**CARD, "title": "A draft"}]})
PROMPT = (Message("system", "Answer."), Message("user", "A page"))


@pytest.mark.parametrize(
    "output",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"```\n{TEXT}",
        f"Here are three:\n\n{TEXT}\n\nTell me if you need more.",
        f"<think>\nMaybe {DRAFT}? Or {{'a': [1, 2}}\n</think>\n\n{TEXT}",
        f"Maybe {DRAFT}?</think>{TEXT}",
        f"First {DRAFT}, but better: {TEXT}",
        TEXT[:-2] + ",],}",
        TEXT + TEXT,
        TEXT + "\n" + TEXT[:40],
        TEXT.replace('"suggestions"', "“suggestions”"),
        TEXT.replace("People leave.", "People\nleave.").replace("People\nleave.", "People leave."),
        json.dumps(TEXT),
        json.dumps({"answer": ANSWER}),
        json.dumps(ANSWER["suggestions"]),
        TEXT.replace("implementationConsiderations", "implementation_considerations"),
        "\ufeff" + TEXT,
    ],
)
def test_the_answer_is_found_whatever_is_around_it(output: str) -> None:
    assert read_answer(Suggestions, output).model_dump(mode="json") == ANSWER


def test_line_breaks_inside_a_text_are_kept() -> None:
    found = read_answer(Suggestions, TEXT.replace("People leave.", "People\nleave."))
    assert found.suggestions[0].rationale == "People\nleave."


def test_half_a_character_becomes_a_replacement_character() -> None:
    found = read_answer(Suggestions, json.dumps(ANSWER).replace("People leave.", r"Half: \ud83c."))
    assert found.suggestions[0].rationale == "Half: \ufffd."


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("", "the output is empty"),
        (" \n", "the output is empty"),
        ("I suggest saving carts.", "output: Invalid JSON"),
        (f"<think>{TEXT}", "output: Invalid JSON"),
        (json.dumps({"suggestions": [{**CARD, "title": ""}]}), "suggestions.0.title: String should have at least"),
        (f"Well: {json.dumps({'suggestions': []})}", "suggestions: Tuple should have at least 1"),
        (json.dumps({**ANSWER, "more": 1}), "output: Extra inputs are not permitted"),
    ],
)
def test_what_is_not_an_answer_is_refused_with_its_problem(output: str, problem: str) -> None:
    with pytest.raises(InvalidAnswer, match=problem):
        read_answer(Suggestions, output)


def test_an_answer_to_another_question_is_refused() -> None:
    ranking = json.dumps({"ranking": [{"number": 1, "reason": "Good"}]})
    assert read_answer(Ranking, ranking, misfit=lambda found: found.misfit(1)).ranking[0].number == 1
    with pytest.raises(InvalidAnswer, match="missing: 2"):
        read_answer(Ranking, f"Sure: {ranking}", misfit=lambda found: found.misfit(2))


def test_a_problem_is_described_with_the_end_of_the_output() -> None:
    assert describe_problem("empty", Finished(TokenUsage())) == "empty"
    assert describe_problem("empty", Finished(TokenUsage(), why_empty="only reasoning")) == "empty: only reasoning"
    assert "output limit" in describe_problem("cut", Finished(TokenUsage(), truncated=True))


def test_a_repair_contains_the_output_its_problem_and_every_key() -> None:
    *prompt, output, task = repair_messages(PROMPT, "the output", "title: missing", output_schema())
    assert tuple(prompt) == PROMPT
    assert (output.role, output.text) == ("assistant", "the output")
    assert task.role == "user"
    assert "title: missing" in task.text
    assert '{"suggestions": [{"title": string, "rationale": string, "description": string, ' in task.text
    assert '"implementationConsiderations": [string]}]}' in task.text


def test_a_repair_of_an_empty_output_has_no_empty_turn() -> None:
    messages = repair_messages(PROMPT, " \n", "the output is empty", output_schema())
    assert [message.role for message in messages] == ["system", "user"]
    assert messages[1].text.startswith("A page\n\n")
    assert "the output is empty" in messages[1].text


def test_the_outline_of_a_schema_has_its_keys() -> None:
    assert outline_of(ranking_schema(2).schema) == '{"ranking": [{"number": integer, "reason": string}]}'
