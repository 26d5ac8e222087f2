"""Generic English text about the subject of a prompt."""

from __future__ import annotations

import pytest

from local.model.prose import brief_of, essay


@pytest.mark.parametrize(
    ("prompt", "subject"),
    [
        ("Topic: the sea\nLength: short", "the sea"),
        ("Write a poem.\nTopic: the sea.", "the sea"),
        ('{"topic": "the sea", "length": "short"}', "the sea"),
        ("- **topic**: the sea", "the sea"),
        ("[[script: tokens=3]]\nTopic: the sea", "the sea"),
        ("Write a poem.", "this request"),
        ("", "this request"),
    ],
)
def test_the_subject_is_the_first_labelled_value_of_the_prompt(prompt: str, subject: str) -> None:
    assert brief_of([prompt]).subject == subject


def test_the_same_prompt_gives_the_same_text_and_other_prompts_vary() -> None:
    assert brief_of(["a"]) == brief_of(["a"])
    assert len({brief_of([str(number)]).thought(0).title for number in range(20)}) > 1


def test_an_essay_names_the_subject_and_the_scripted_model() -> None:
    text = essay(brief_of(["Topic: the sea"]))
    assert "scripted model" in text
    assert text.count("the sea") > 3
