"""Uses another server's DynamoDB, such as DynamoDB Local, with the same faults and the same meter as moto's."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from local.aws.capacity import CapacityMeter, Consumed
from local.aws.injected_faults import InjectedFaults
from local.aws.table_streams import TableStreams
from local.aws.upstream import Upstream
from local.aws.upstream_streams import UpstreamStreams

_METERED_WRITES = {"PutItem", "UpdateItem", "DeleteItem"}
_WRITES = _METERED_WRITES | {"TransactWriteItems", "BatchWriteItem"}
_METERED_READS = {"GetItem", "Query", "BatchGetItem"}


class UpstreamDynamoDb:
    """Forwards operations and meters the capacity that the server reports.

    The meter is not exact in two cases: a write whose condition failed counts as one unit for every item size, and the
    units of a batch are divided equally among its partitions. Transactions are not metered.
    """

    def __init__(self, url: str, streams: TableStreams | None = None) -> None:
        self._reader = None if streams is None or not streams.tables else UpstreamStreams(url, streams)
        self.lock = threading.Lock()
        self.meter = CapacityMeter()
        self.faults = InjectedFaults()
        self._server = Upstream(url)

    def call(self, operation: str, payload: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Run any operation; return the status and the JSON body of its response."""
        fault = self.faults.take(operation, payload)
        if fault is not None:
            return fault
        metered = operation in _METERED_WRITES | _METERED_READS
        body: dict[str, Any] = json.loads(payload)
        if metered:
            payload = json.dumps({**body, "ReturnConsumedCapacity": "TOTAL"}).encode()
        status, _, raw = self._server.post("/", payload, headers)
        if self._reader is not None and operation in _WRITES:
            self._reader.written()
        if not metered:
            return status, raw
        response: dict[str, Any] = json.loads(raw)
        consumed = response.get("ConsumedCapacity", [])
        if body.get("ReturnConsumedCapacity", "NONE") == "NONE":
            response.pop("ConsumedCapacity", None)
        self._meter(operation, body, status, consumed if isinstance(consumed, list) else [consumed])
        return status, json.dumps(response).encode()

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
    """Return table and partition of each item; a query's partition is the first value in its key condition with `=`."""
    if "RequestItems" in body:
        return [(table, key["PK"]["S"]) for table, wanted in body["RequestItems"].items() for key in wanted["Keys"]]
    if "KeyConditionExpression" not in body:
        return [(body["TableName"], (body.get("Item") or body["Key"])["PK"]["S"])]
    [value, *_] = _EQUALS.findall(body["KeyConditionExpression"])
    return [(body["TableName"], body["ExpressionAttributeValues"][value]["S"])]
