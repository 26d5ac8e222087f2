"""The codec between models and DynamoDB, and cursors, without a database."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.jobs.store import JobFilter
from shared.storage.attributes import from_attribute, from_item, to_attribute, to_item
from shared.storage.jobs import DynamoJobStore
from tests.fakes.clock import SettableClock

# What DynamoDB's numbers hold: 38 digits, up to 10^125. Whole floats come back as int: equal where a float is exact.
NUMBERS = st.integers(-(10**37), 10**37) | st.floats(-(2.0**53), 2.0**53).filter(
    lambda each: abs(each) > 1e-100 or each == 0
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.text() | NUMBERS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@settings(max_examples=50)
@given(VALUES)
def test_every_json_like_value_comes_back_equal(value: Any) -> None:
    assert from_attribute(to_attribute(value)) == value


@settings(max_examples=30)
@given(st.dictionaries(st.text(), VALUES))
def test_an_item_comes_back_without_what_was_none(values: dict[str, Any]) -> None:
    assert from_item(to_item(values)) == {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize("number", [5e-324, -1e-131])
def test_a_number_too_small_for_dynamodb_is_nothing(number: float) -> None:
    assert to_attribute(number) == {"N": "0"}
    assert to_attribute(1e-130) == {"N": "1e-130"}


def test_a_truth_value_is_no_number_and_a_whole_number_is_no_fraction() -> None:
    assert to_attribute(True) == {"BOOL": True}
    assert isinstance(from_attribute(to_attribute(5.0)), int)
    assert from_attribute(to_attribute((1, 2))) == [1, 2]


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_what_is_not_json_like_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_attribute(value)


def test_an_attribute_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError):
        from_attribute({"SS": ["a"]})


NOT_OURS = st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode())


@given(NOT_OURS)
def test_a_cursor_that_is_not_ours_is_a_value_error_and_reaches_no_database(cursor: str) -> None:
    store = DynamoJobStore("no-table", clock=SettableClock())
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        store.list_owned("ada", where=JobFilter(), limit=1, cursor=cursor)


@pytest.mark.parametrize("text", ["5", "[]", '["job_1"]', '[""]', "[" * 5000, "null", "job_", "job_" + "u" * 26])
def test_a_cursor_of_some_other_json_is_a_value_error_too(text: str) -> None:
    store = DynamoJobStore("no-table", clock=SettableClock())
    cursor = base64.urlsafe_b64encode(text.encode()).decode()
    for each in (cursor, cursor.rstrip("=")):
        with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
            store.list_owned("ada", where=JobFilter(), limit=1, cursor=each)
