"""The codec between data models and DynamoDB attributes, and cursors, without a database."""

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

# DynamoDB's numbers have 38 digits, up to 10^125. Whole floats are read as int, which is equal where a float is exact.
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
def test_decoding_returns_every_json_value_unchanged(value: Any) -> None:
    assert from_attribute(to_attribute(value)) == value


@settings(max_examples=30)
@given(st.dictionaries(st.text(), VALUES))
def test_decoding_returns_an_item_without_its_none_values(values: dict[str, Any]) -> None:
    assert from_item(to_item(values)) == {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize("number", [5e-324, -1e-131])
def test_a_number_too_small_for_dynamodb_is_stored_as_zero(number: float) -> None:
    assert to_attribute(number) == {"N": "0"}
    assert to_attribute(1e-130) == {"N": "1e-130"}


def test_booleans_stay_booleans_and_whole_numbers_are_read_as_int() -> None:
    assert to_attribute(True) == {"BOOL": True}
    assert isinstance(from_attribute(to_attribute(5.0)), int)
    assert from_attribute(to_attribute((1, 2))) == [1, 2]


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_a_value_that_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_attribute(value)


def test_an_attribute_of_an_unsupported_type_is_refused() -> None:
    with pytest.raises(TypeError):
        from_attribute({"SS": ["a"]})


INVALID_CURSORS = st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode())


@given(INVALID_CURSORS)
def test_an_invalid_cursor_is_a_value_error_without_a_database_call(cursor: str) -> None:
    store = DynamoJobStore("no-table", clock=SettableClock())
    with pytest.raises(ValueError):  # noqa: PT011 - any message
        store.list_owned("ada", where=JobFilter(), limit=1, cursor=cursor)


@pytest.mark.parametrize("text", ["5", "[]", '["job_1"]', '[""]', "[" * 5000, "null", "job_", "job_" + "u" * 26])
def test_a_cursor_with_other_json_is_a_value_error(text: str) -> None:
    store = DynamoJobStore("no-table", clock=SettableClock())
    cursor = base64.urlsafe_b64encode(text.encode()).decode()
    for each in (cursor, cursor.rstrip("=")):
        with pytest.raises(ValueError):  # noqa: PT011 - any message
            store.list_owned("ada", where=JobFilter(), limit=1, cursor=each)
