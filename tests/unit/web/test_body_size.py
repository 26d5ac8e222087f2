"""What a response leaves out so that Lambda may return it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.web.body_size import kept_within, sent_bytes, too_large


@pytest.mark.parametrize("value", ["", 'a"b\\n', "é🌍\x01", {"a": [1, None, "x"]}, None, ("a", {"b": 'c"'})])
def test_a_value_is_counted_as_it_is_sent_in_a_body_inside_of_json(value: Any) -> None:
    for ascii_only in (True, False):
        sent = json.dumps(json.dumps(value, ensure_ascii=False, separators=(",", ":")), ensure_ascii=ascii_only)
        assert len(sent.encode()) <= sent_bytes(value)


@pytest.mark.parametrize(
    ("sizes", "omitted"),
    [
        ({"a": 10, "b": 20}, ()),
        ({"a": 10, "b": 95}, ("b",)),
        ({"a": 60, "b": 50}, ("a",)),
        ({"a": 120, "b": 110, "c": 1}, ("a", "b")),
    ],
)
def test_the_largest_fields_are_left_out_until_the_others_fit(sizes: dict[str, int], omitted: tuple[str, ...]) -> None:
    assert too_large({name: "x" * size for name, size in sizes.items()}, most=112) == omitted


def test_the_first_contents_are_kept_and_smaller_ones_behind_one_that_does_not_fit() -> None:
    assert kept_within(["x" * 50, "x" * 50, "x" * 10], most=80) == [True, False, True]
