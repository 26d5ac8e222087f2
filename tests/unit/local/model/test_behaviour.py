"""Rules and directives, which tell the scripted model how to behave."""

from __future__ import annotations

import pytest

from local.model.behaviour import Behaviour, Rule, Script
from local.model.directives import UnreadableDirective


def test_a_rule_applies_to_its_prompts_and_for_its_number_of_times() -> None:
    script = Script()
    script.add(Rule(match="pear", times=2, behaviour=Behaviour(status=500)))
    script.add(Rule(behaviour=Behaviour(text="always")))

    assert script.behaviour_for("apple").text == "always"
    assert [script.behaviour_for("a pear").status for _ in range(3)] == [500, 500, None]

    script.clear()
    assert script.behaviour_for("a pear") == Behaviour()


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        ("[[script: status=429]]", Behaviour(status=429)),
        ("[[script: status=429, retry_after=2]]", Behaviour(status=429, retry_after=2)),
        ("[[ script: refusal ]]", Behaviour(refusal=True)),
        ('[[script: text="a, b" token_ms=2.5 length]]', Behaviour(text="a, b", token_ms=2.5, length=True)),
    ],
)
def test_a_prompt_may_contain_a_directive(directive: str, expected: Behaviour) -> None:
    assert Script().behaviour_for(f"Please help. {directive} Thank you.") == expected


def test_a_directive_with_times_counts_prompts_with_the_same_beginning() -> None:
    script = Script()
    prompt = "[[script: status=503, times=2]]"
    assert [script.behaviour_for(f"{prompt} {rest}").status for rest in ("all", "the rest", "")] == [503, 503, None]
    assert script.behaviour_for(f"another {prompt}").status == 503


@pytest.mark.parametrize(
    "directive", ["[[script: stauts=429]]", "[[script: status=soon]]", "[[script: times=0, refusal]]"]
)
def test_a_directive_with_a_typing_error_is_refused(directive: str) -> None:
    with pytest.raises(UnreadableDirective):
        Script().behaviour_for(directive)
