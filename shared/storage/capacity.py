"""Count DynamoDB's capacity units in the meter of the current context: for botocore's requests, and for direct ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from shared.observability.metering import Count, current

_READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"})
_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
_TRANSACTION = 2
"""A transaction's units are twice those of single writes."""

KILOBYTE = 1024


def install(client: Any) -> None:
    """Let botocore ask for the consumed units of each request that it sends for a job, and count them."""
    client.meta.events.register("before-parameter-build.dynamodb", _ask)
    client.meta.events.register("after-call.dynamodb", _count)


def units_of(item: Mapping[str, Any] | None) -> int:
    """Return the units of writing an item, without its indexes. An absent item costs one."""
    size = 0 if item is None else sum(len(name.encode()) + _size(value) for name, value in item.items())
    return max(1, -(-size // KILOBYTE))


def _size(value: Mapping[str, Any]) -> int:
    """Return the billed bytes of an attribute value.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return (len(content.strip("-.0")) + 1) // 2 + 1
        case "M":
            return 3 + sum(1 + len(name.encode()) + _size(each) for name, each in content.items())
        case "L":
            return 3 + sum(1 + _size(each) for each in content)
        case "BOOL" | "NULL":
            return 1
        case _:
            return len(content)


def asking(operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of an operation, so that the response has the units if the request belongs to a job."""
    if current() is None or not (operation in _READS or operation in _WRITES):
        return parameters
    return {**parameters, "ReturnConsumedCapacity": "TOTAL"}


def count(operation: str, parsed: Mapping[str, Any], began: float, *, transaction_items: int = 0) -> None:
    """Count the units of an operation that has returned `parsed`; `began` is of `time.perf_counter`."""
    meter = current()
    if meter is not None and (operation in _READS or operation in _WRITES):
        what = Count.READ_UNITS if operation in _READS else Count.WRITE_UNITS
        meter.count_request(what, _units(parsed, transaction_items), time.perf_counter() - began)


def _ask(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
    params.update(asking(model.name, params))
    context["millrace"] = (time.perf_counter(), items_of(params))


def _count(parsed: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: Any) -> None:
    began, transaction_items = context["millrace"]
    count(model.name, parsed, began, transaction_items=transaction_items)


def items_of(parameters: Mapping[str, Any]) -> int:
    """Return the number of items of a transaction; 0 for another operation."""
    return len(parameters.get("TransactItems", ()))


def _units(parsed: Mapping[str, Any], transaction_items: int) -> float:
    consumed = parsed.get("ConsumedCapacity")
    if consumed is not None:
        each_table = consumed if isinstance(consumed, list) else [consumed]
        return float(sum(each.get("CapacityUnits", 0) for each in each_table))
    # A write whose condition does not hold is billed too, but its response does not say how many units.
    match parsed.get("Error", {}).get("Code"):
        case "ConditionalCheckFailedException":
            return units_of(parsed.get("Item"))
        case "TransactionCanceledException":
            return transaction_items * _TRANSACTION
        case _:
            return 0.0
