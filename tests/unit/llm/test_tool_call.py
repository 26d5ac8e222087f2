"""Sending a model's tool calls back to it."""

from __future__ import annotations

import json

import pytest

from shared.llm.model import ToolCall


@pytest.mark.parametrize("arguments", ["{}", '{"a": [1, {"b": null}]}', ' {"ü": "世"} '])
def test_arguments_that_are_an_object_are_sent_as_the_model_wrote_them(arguments: str) -> None:
    assert ToolCall("c", "add", arguments).sendable_arguments == arguments


@pytest.mark.parametrize("arguments", ["", " \n"])
def test_no_arguments_are_sent_as_an_empty_object(arguments: str) -> None:
    assert ToolCall("c", "add", arguments).sendable_arguments == "{}"


@pytest.mark.parametrize(
    "arguments", ['{"a": 1', "[1]", "3", '{"a": NaN}', '{"a": -Infinity}', '{"a": 1}{"a": 2}', "[" * 100_000]
)
def test_arguments_that_a_provider_would_refuse_are_quoted(arguments: str) -> None:
    assert json.loads(ToolCall("c", "add", arguments).sendable_arguments) == {"unparsable": arguments}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("read_range-2", "read_range-2"),
        ("functions.read", "functions_read"),
        ("lesen ü", "lesen__"),
        ("", "unnamed"),
        ("x" * 70, "x" * 64),
    ],
)
def test_a_name_is_sent_in_the_form_that_providers_take(name: str, sent: str) -> None:
    assert ToolCall("c", name, "{}").sendable_name == sent
