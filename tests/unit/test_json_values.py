"""What clients and models write as JSON is stored as it is, or refused with a rule."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.apps.video.code_text import props_in
from shared.apps.video.models import VideoChatInput
from shared.json_values import MAX_LEVELS, broken_rule, value_in
from shared.rules import issues_of


def nested(levels: int, inner: Any = 1) -> Any:
    for number in range(levels):
        inner = {"a": inner} if number % 2 else [inner]
    return inner


REFUSED = [
    pytest.param(nested(MAX_LEVELS + 1), "at most 40 levels", id="too deep"),
    pytest.param(nested(MAX_LEVELS, []), "at most 40 levels", id="too deep and empty"),
    pytest.param(nested(3000), "at most 40 levels", id="far too deep"),
    pytest.param({"a": [float("nan")]}, "finite numbers", id="NaN"),
    pytest.param(float("-inf"), "finite numbers", id="Infinity"),
    pytest.param({"a": "\ud800"}, "whole characters", id="lone surrogate"),
    pytest.param({"\udfff": 1}, "whole characters", id="lone surrogate in a key"),
]


@pytest.mark.parametrize(("value", "rule"), REFUSED)
def test_what_cannot_be_stored_breaks_a_rule(value: Any, rule: str) -> None:
    assert rule in str(broken_rule(value))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_all_other_values_are_stored_as_they_are(value: Any) -> None:
    assert broken_rule(value) is None
    text = json.dumps(value)
    assert value_in(text) == value
    asked = VideoChatInput.model_validate({"text": "x", "tool": {"name": "addScene", "arguments": {"props": value}}})
    assert VideoChatInput.model_validate_json(asked.model_dump_json()) == asked


@pytest.mark.parametrize(("value", "rule"), REFUSED[3:])
def test_a_message_with_such_arguments_is_refused_by_name(value: Any, rule: str) -> None:
    message = {"text": "x", "tool": {"name": "addScene", "arguments": {"props": value}}}
    with pytest.raises(ValidationError) as refused:
        VideoChatInput.model_validate(message)
    (issue,) = issues_of(refused.value.errors())
    assert issue.field == "tool.arguments"
    assert rule in issue.rule


def test_arguments_have_as_many_levels_as_can_be_stored() -> None:
    def message(levels: int) -> dict[str, Any]:
        return {"text": "x", "tool": {"name": "addScene", "arguments": {"props": nested(levels)}}}

    assert VideoChatInput.model_validate(message(MAX_LEVELS - 1)).model_dump_json()
    for levels in (MAX_LEVELS, 300):
        with pytest.raises(ValidationError, match="at most 40 levels"):
            VideoChatInput.model_validate(message(levels))


@pytest.mark.parametrize("text", ["NaN", '"\\ud800"', "[" * 60 + "]" * 60, "[" * 100_000, "Hello", ""])
def test_what_a_model_wrote_that_is_no_usable_json_is_a_text(text: str) -> None:
    assert value_in(text) == text


@pytest.mark.parametrize("props", ['{"a": NaN}', '{"a": "\\ud800"}', '{"a":' * 60 + "1" + "}" * 60, "[1]", "{"])
def test_props_in_code_that_cannot_be_stored_are_left_out(props: str) -> None:
    assert props_in(f"// props: {props}\nexport default 1;") == {}
