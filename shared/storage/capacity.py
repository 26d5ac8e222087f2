"""Count DynamoDB's capacity units in the meter of the current context: botocore calls this for every request."""

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
    """Let a client of DynamoDB ask for the consumed units of each request that belongs to a job, and count them."""
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


def _ask(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
    if current() is not None and (model.name in _READS or model.name in _WRITES):
        params["ReturnConsumedCapacity"] = "TOTAL"
        context["millrace"] = (time.perf_counter(), len(params.get("TransactItems", ())))


def _count(parsed: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: Any) -> None:
    meter, asked = current(), context.get("millrace")
    if meter is None or asked is None:
        return
    began, transaction_items = asked
    what = Count.READ_UNITS if model.name in _READS else Count.WRITE_UNITS
    meter.count_request(what, _units(parsed, transaction_items), time.perf_counter() - began)


def count_read(parsed: Mapping[str, Any], began: float) -> None:
    """Count the units of a read that botocore has not sent; `began` is of `time.perf_counter`."""
    meter = current()
    if meter is not None:
        meter.count_request(Count.READ_UNITS, _units(parsed, 0), time.perf_counter() - began)


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
