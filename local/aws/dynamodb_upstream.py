"""DynamoDB from another server, DynamoDB Local for one: forwarded, with the same faults and meter as moto's."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from local.aws.capacity import CapacityMeter, Consumed
from local.aws.dynamodb_faults import InjectedFaults
from local.aws.upstream import Upstream

_METERED_WRITES = {"PutItem", "UpdateItem", "DeleteItem"}
_METERED_READS = {"GetItem", "Query", "BatchGetItem"}


class UpstreamDynamoDb:
    """Forwards operations and meters what the server says they consumed.

    What the meter does not know exactly: a write refused by its condition counts as one unit whatever the size of the
    item, and a batch's units are shared evenly among the partitions in it. Transactions are not metered.
    """

    def __init__(self, url: str) -> None:
        self.lock = threading.Lock()
        self.meter = CapacityMeter()
        self.faults = InjectedFaults()
        self._server = Upstream(url)

    def call(self, operation: str, payload: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and JSON body of any operation."""
        fault = self.faults.take(operation, payload)
        if fault is not None:
            return fault
        metered = operation in _METERED_WRITES | _METERED_READS
        body: dict[str, Any] = json.loads(payload)
        if metered:
            payload = json.dumps({**body, "ReturnConsumedCapacity": "TOTAL"}).encode()
        status, _, answer = self._server.post("/", payload, headers)
        if not metered:
            return status, answer
        answered: dict[str, Any] = json.loads(answer)
        consumed = answered.pop("ConsumedCapacity", [])
        self._meter(operation, body, status, consumed if isinstance(consumed, list) else [consumed])
        return status, json.dumps(answered).encode()

    def _meter(self, operation: str, body: dict[str, Any], status: int, consumed: list[dict[str, Any]]) -> None:
        units = float(sum(each["CapacityUnits"] for each in consumed))
        if operation in _METERED_WRITES and status != 200:
            units = 1.0
        partitions = _partitions(body)
        share = units / len(partitions)
        writes = operation in _METERED_WRITES
        with self.lock:
            for table, partition in partitions:
                spent = Consumed(share if writes else 0.0, 0.0 if writes else share, requests=1)
                self.meter.charge(table, partition, spent)


_EQUALS = re.compile(r"(?<![<>])= *(:\w+)")


def _partitions(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Table and partition of what a call touches; a query's is the first value its key condition compares with `=`."""
    if "RequestItems" in body:
        return [(table, key["PK"]["S"]) for table, wanted in body["RequestItems"].items() for key in wanted["Keys"]]
    if "KeyConditionExpression" not in body:
        return [(body["TableName"], (body.get("Item") or body["Key"])["PK"]["S"])]
    [value, *_] = _EQUALS.findall(body["KeyConditionExpression"])
    return [(body["TableName"], body["ExpressionAttributeValues"][value]["S"])]
