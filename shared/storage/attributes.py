"""Convert JSON-like values to DynamoDB's attribute values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Item = dict[str, Any]
"""A DynamoDB item: attribute values by name."""

SMALLEST = 1e-130
"""The smallest positive number that DynamoDB accepts.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""


def to_attribute(value: Any) -> dict[str, Any]:
    """Return the attribute value of a JSON-like value; None becomes NULL. Raises TypeError for other types."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float() | Decimal():
            return {"N": _number(value)}
        case Mapping():
            return {"M": {key: to_attribute(each) for key, each in value.items()}}
        case list() | tuple():
            return {"L": [to_attribute(each) for each in value]}
        case _:
            raise TypeError(f"no attribute type for {type(value).__name__}")


def _number(value: float | Decimal) -> str:
    return "0" if isinstance(value, float) and abs(value) < SMALLEST else str(value)


def to_item(values: Mapping[str, Any]) -> Item:
    """Return the item of these values, without those that are None."""
    return {key: to_attribute(value) for key, value in values.items() if value is not None}


def from_attribute(attribute: Mapping[str, Any]) -> Any:
    """Return the JSON-like value of an attribute value. A number becomes an int if it is whole, otherwise a float."""
    ((kind, value),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            number = Decimal(value)
            return int(number) if number == number.to_integral_value() else float(number)
        case "NULL":
            return None
        case "M":
            return {key: from_attribute(each) for key, each in value.items()}
        case "L":
            return [from_attribute(each) for each in value]
        case _:
            raise TypeError(f"unexpected attribute type {kind}")


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON-like values of an item."""
    return {key: from_attribute(value) for key, value in item.items()}
