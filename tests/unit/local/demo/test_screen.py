"""The demo's output, on a terminal and in a file."""

from __future__ import annotations

import io
import json
import re
from typing import Literal

import pytest
from rich.console import Console

from local.demo.apps.suggestions import SuggestionDemo
from local.demo.screen import Screen, numbered, printable, screen_for

RESULT = {
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
TEXT = json.dumps(RESULT)


def screen(*, terminal: bool) -> tuple[Screen, io.StringIO]:
    written = io.StringIO()
    colours: Literal["standard"] | None = "standard" if terminal else None
    console = Console(file=written, force_terminal=terminal, width=80, height=24, color_system=colours)
    return screen_for(console, SuggestionDemo().preview), written


def timeless(text: str) -> list[str]:
    return [re.sub(r"^ *[\d.]+ s {2}", "", line) for line in text.splitlines()]


@pytest.mark.parametrize("step", [1, 7, 200])
def test_each_plain_line_is_written_once_for_any_split_of_the_text(step: int) -> None:
    plain, written = screen(terminal=False)
    plain.start_clock()
    for end in range(0, len(TEXT) + step, step):
        plain.text(TEXT[:end], 40)
    plain.settle()
    plain.settle()
    assert [line.split("%", 1)[1].strip() for line in timeless(written.getvalue())] == [
        line
        for number in (1, 2)
        for line in (
            f"{number}  Idea {number}",
            "why   Because it is asked for every day and by nearly",
            "everybody who comes here for the first time.",
            "what  It does what its title says.",
            "mind  Mind the first.",
            "mind  Mind the second.",
        )
    ]
    assert "\x1b" not in written.getvalue()


def test_only_new_text_is_written_after_a_restart() -> None:
    plain, written = screen(terminal=False)
    plain.text("one half of a line", 10)
    plain.restart("", 0)
    plain.event("retry", "attempt 2")
    plain.text("the other", 20)
    plain.stage("validate_it", 2, 2)
    assert timeless(written.getvalue()) == [
        " 10 %       one half of a line",
        "retry       attempt 2",
        " 20 %       the other",
        "stage       2 of 2: validate it",
    ]


def test_a_terminal_keeps_the_events_and_clears_the_live_view() -> None:
    live, written = screen(terminal=True)
    with live.waiting("starting"):
        pass
    live.start_clock()
    live.stage("generate_it", 1, 2)
    live.text(TEXT, 60)
    live.restart("", 0)
    live.text("x" * 5000, 10)
    live.settle()
    live.settle()
    assert "1 of 2: generate it" in written.getvalue()
    assert written.getvalue().rstrip().endswith("\x1b[2K")  # clearing the view comes last


def test_a_failure_names_what_to_try_next() -> None:
    plain, written = screen(terminal=False)
    plain.failure("It failed: CODE", "a \x1b[31mmessage", "another way")
    assert written.getvalue() == "\nIt failed: CODE\na  [31mmessage\ntry   another way\n"


@pytest.mark.parametrize(
    "text", ["", "not JSON at all", '{"suggestions": 3}', '{"suggestions": ["x"]}', "[1]", "```json"]
)
def test_output_that_does_not_fit_its_schema_is_shown_unchanged(text: str) -> None:
    assert [body.plain for _, body in SuggestionDemo().preview(text)] == [text]


def test_a_card_shows_every_field_of_a_suggestion() -> None:
    console = Console(file=(written := io.StringIO()), width=80)
    for card in SuggestionDemo().cards(RESULT):
        console.print(card)
    said = " ".join(re.sub(r"[│╭╮╰╯─]", " ", written.getvalue()).split())
    for suggestion in RESULT["suggestions"]:
        for value in suggestion.values():
            for each in [value] if isinstance(value, str) else value:
                assert each in said


def test_control_characters_of_a_models_text_are_removed() -> None:
    assert printable("a\x1b[2Jb\rc\u202ed\ne\x07") == "a [2Jb c d\ne "


def test_a_noun_is_singular_only_after_one() -> None:
    assert [numbered(count, "unit") for count in (0, 1, 2.5, 1234567)] == [
        "0 units",
        "1 unit",
        "2.5 units",
        "1234567 units",
    ]
