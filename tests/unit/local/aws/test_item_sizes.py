"""The sizes by which the local tables bill."""

from __future__ import annotations

from typing import Any

import pytest
from moto.dynamodb.models.dynamo_type import DynamoType

from local.aws.item_sizes import size_of_attributes
from shared.storage.capacity import units_of


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "abc"}, 3),
        ({"S": "ä"}, 2),
        ({"N": "7"}, 2),
        ({"N": "-12.50"}, 3),
        ({"N": "100000"}, 2),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"B": b"1234"}, 4),
        ({"SS": ["a", "bc"]}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"N": "1"}]}, 3 + 1 + 2 + 1 + 2),
        ({"M": {"name": {"M": {"n": {"N": "10"}}}}}, 3 + 1 + 4 + 3 + 1 + 1 + 2),
    ],
)
def test_an_attribute_has_the_size_that_the_documentation_says(value: dict[str, Any], size: int) -> None:
    assert size_of_attributes({"key": DynamoType(value)}) == len("key") + size


def test_a_job_predicts_what_the_table_bills() -> None:
    """The functions compute the size of an item themselves: both have to see the same edge of a kilobyte."""
    for length in range(900, 1030):
        nested = {"M": {"n": {"N": "12"}, "l": {"L": [{"BOOL": True}]}}}
        item: dict[str, Any] = {"text": {"S": "a" * length}, "map": nested}
        size = size_of_attributes({name: DynamoType(value) for name, value in item.items()})
        assert units_of(item) == max(1, -(-size // 1024))
