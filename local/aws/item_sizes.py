"""The sizes of items by which DynamoDB bills: moto's own leave out what lists and maps cost, and count numbers as text.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType


def size_of_attributes(attributes: Mapping[str, DynamoType]) -> int:
    """Return the bytes of these attributes, with their names."""
    return sum(_text(name) + _value(value.type, value.value) for name, value in attributes.items())


def _value(kind: str, content: Any) -> int:
    match kind:
        case "S":
            return _text(content)
        case "N":
            return _number(str(content))
        case "M":
            return 3 + sum(1 + _text(name) + _element(each) for name, each in content.items())
        case "L":
            return 3 + sum(1 + _element(each) for each in content)
        case "SS" | "NS" | "BS":
            return sum(_value(kind[0], each) for each in content)
        case _:
            return len(content) if kind == "B" else 1


def _element(value: Any) -> int:
    """Return the bytes of an element of a list or map, which moto keeps as an object or as JSON."""
    if isinstance(value, DynamoType):
        return _value(value.type, value.value)
    ((kind, content),) = value.items()
    return _value(kind, content)


def _text(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _number(text: str) -> int:
    digits = text.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1
