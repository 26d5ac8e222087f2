"""The demo's output, on a terminal and in a file."""

from __future__ import annotations

import io
import re
from typing import Literal

import pytest
from rich.console import Console
from rich.text import Text

from local.demo.screen import Paragraph, Screen, numbered, printable, screen_for

TEXT = "".join(
    f"title: Idea {number}\n"
    "why: Because it is asked for every day and by nearly everybody who comes here for the first time.\n"
    "what: It does what its title says.\n"
    for number in (1, 2)
)


def preview(text: str) -> list[Paragraph]:
    """Read each line as `label: text`; a title and a line without a label have none."""
    pairs = (line.rpartition(": ") for line in text.splitlines())
    return [("" if label == "title" else label, Text(body)) for label, _, body in pairs]


def screen(*, terminal: bool) -> tuple[Screen, io.StringIO]:
    written = io.StringIO()
    colours: Literal["standard"] | None = "standard" if terminal else None
    console = Console(file=written, force_terminal=terminal, width=80, height=24, color_system=colours)
    return screen_for(console, preview), written


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
            f"Idea {number}",
            "why   Because it is asked for every day and by nearly",
            "everybody who comes here for the first time.",
            "what  It does what its title says.",
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


def test_control_characters_of_a_models_text_are_removed() -> None:
    assert printable("a\x1b[2Jb\rc\u202ed\ne\x07") == "a [2Jb c d\ne "


def test_a_noun_is_singular_only_after_one() -> None:
    assert [numbered(count, "unit") for count in (0, 1, 2.5, 1234567)] == [
        "0 units",
        "1 unit",
        "2.5 units",
        "1234567 units",
    ]
