"""Patterns of EventBridge and of Lambda's filters."""

from __future__ import annotations

from typing import Any

import pytest

from local.template.filter_patterns import matches

EVENT = {"a": {"text": "one", "number": 1, "truth": True, "none": None}, "b": {"c": {"d": "deep"}}}
FITTING: list[dict[str, Any]] = [
    {},
    {"a": {"text": ["two", "one"]}},
    {"a": {"text": ["one"], "number": [1]}},
    {"a": {"truth": [True]}},
    {"a": {"none": [None]}},
    {"a": {"text": [{"prefix": "o"}]}},
    {"a": {"text": [{"anything-but": ["two"]}]}},
    {"a": {"text": [{"anything-but": "two"}]}},
    {"a": {"number": [{"anything-but": [2]}]}},
    {"b": {"c": {"d": [{"exists": True}]}}},
    {"b": {"c": {"e": [{"exists": False}]}}},
    {"x": {"y": [{"exists": False}]}},
    {"b": {"c": [{"exists": False}]}},
]
NOT_FITTING: list[dict[str, Any]] = [
    {"a": {"text": ["two"]}},
    {"a": {"text": ["one"], "number": [2]}},
    {"a": {"number": [True]}},
    {"a": {"number": ["1"]}},
    {"a": {"text": [None]}},
    {"a": {"missing": [None]}},
    {"a": {"number": [{"prefix": "1"}]}},
    {"a": {"text": [{"anything-but": ["one", "two"]}]}},
    {"a": {"missing": [{"anything-but": ["one"]}]}},
    {"b": {"c": [{"exists": True}]}},
    {"b": {"c": [{"anything-but": ["x"]}]}},
    {"b": {"c": {"d": [{"exists": False}]}}},
    {"a": {"text": {"more": ["one"]}}},
    {"x": {"y": ["z"]}},
]


@pytest.mark.parametrize("pattern", FITTING, ids=str)
def test_an_event_fits(pattern: dict[str, Any]) -> None:
    assert matches(pattern, EVENT)


@pytest.mark.parametrize("pattern", NOT_FITTING, ids=str)
def test_an_event_does_not_fit(pattern: dict[str, Any]) -> None:
    assert not matches(pattern, EVENT)


def test_an_unsupported_rule_is_an_error() -> None:
    with pytest.raises(ValueError, match="numeric"):
        matches({"a": {"number": [{"numeric": [">", 0]}]}}, EVENT)
