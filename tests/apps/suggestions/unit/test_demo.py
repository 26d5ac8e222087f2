"""What the demo shows of suggestions."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from local.demo.apps.suggestions import SuggestionDemo

ANSWER = {
    "suggestions": [
        {
            "title": f"Idea {number}",
            "rationale": "Because it is asked for every day and by nearly everybody who comes here for the first time.",
            "description": "It does what its title says.",
            "implementationConsiderations": ["Mind the first.", "Mind the second."],
        }
        for number in (1, 2)
    ]
}
TEXT = json.dumps(ANSWER)


def preview(text: str) -> list[str]:
    return [f"{label:<6}{body.plain}" for label, body in SuggestionDemo().preview(text)]


def test_only_the_last_paragraph_of_a_preview_changes_while_the_text_grows() -> None:
    whole = preview(TEXT)
    assert " ".join(line.split()[0] for line in whole) == "1 why what mind mind 2 why what mind mind"
    for end in range(TEXT.index("Idea"), len(TEXT)):
        *complete, last = preview(TEXT[:end])
        assert complete == whole[: len(complete)]
        assert whole[len(complete)].startswith(last)


@pytest.mark.parametrize(
    "text", ["", "not JSON at all", '{"suggestions": 3}', '{"suggestions": ["x"]}', "[1]", "```json"]
)
def test_a_text_that_does_not_fit_the_schema_is_shown_unchanged(text: str) -> None:
    assert [body.plain for _, body in SuggestionDemo().preview(text)] == [text]


def test_cards_have_all_texts_of_a_suggestion() -> None:
    console = Console(file=(written := io.StringIO()), width=80)
    for card in SuggestionDemo().cards(ANSWER):
        console.print(card)
    said = " ".join(re.sub(r"[│╭╮╰╯─]", " ", written.getvalue()).split())
    for suggestion in ANSWER["suggestions"]:
        for value in suggestion.values():
            for each in [value] if isinstance(value, str) else value:
                assert each in said
