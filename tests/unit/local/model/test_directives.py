"""Reading which tools a prompt tells the scripted model to call."""

from __future__ import annotations

import pytest

from local.model.calls import PlannedCall
from local.model.directives import UnreadableDirective, directed_calls, without_directives


@pytest.mark.parametrize(
    ("prompt", "calls"),
    [
        ("[[tools: read]]", [PlannedCall("read", "{}")]),
        ('Please [[ tools: add {"by": 3} ]].', [PlannedCall("add", '{"by": 3}')]),
        (
            '[[tools: add {"by": 3}; read; add {"by":4}]]',
            [PlannedCall("add", '{"by": 3}'), PlannedCall("read"), PlannedCall("add", '{"by":4}')],
        ),
        (
            '[[tools: write {"rows": [[1], [2]], "note": "a; b]]"}\n; read {} ]] [[script: refusal]]',
            [PlannedCall("write", '{"rows": [[1], [2]], "note": "a; b]]"}'), PlannedCall("read", "{}")],
        ),
    ],
)
def test_calls_are_read_in_their_order_as_they_are_written(prompt: str, calls: list[PlannedCall]) -> None:
    assert directed_calls(prompt) == tuple(calls)


def test_a_prompt_without_the_directive_has_no_calls() -> None:
    assert directed_calls("Please add [[script: refusal]] and [[tools]].") is None


@pytest.mark.parametrize(
    "prompt",
    [
        "[[tools: ]]",
        "[[tools: add {by: 3}]]",
        '[[tools: add {"by": 3}',
        "[[tools: add read]]",
        "[[tools: add; ]]",
        "[[tools: {}]]",
        "[[tools: add [1]]]",
    ],
)
def test_a_directive_with_a_typing_error_is_refused_and_not_ignored(prompt: str) -> None:
    with pytest.raises(UnreadableDirective, match=r"name \{json\}"):
        directed_calls(prompt)


def test_the_subject_of_a_prompt_is_what_is_not_a_directive() -> None:
    prompt = 'a[[script: refusal]]b[[tools: add {"x": "]]"}]]c[[tools: read]]d'
    assert without_directives(prompt) == "abcd"
