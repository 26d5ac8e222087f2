"""Reads the streams of another server's tables, such as DynamoDB Local's, whenever something was written."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import Any

import boto3

from local.aws.credentials import DUMMY_CREDENTIALS
from local.aws.table_streams import TableStreams
from local.template.intrinsics import REGION

_PAUSE = 0.02  # seconds between two reads after a write
_READ_FOR = 2.0  # seconds after a write: the server may make its record later


class UpstreamStreams:
    """Offers the records of the tables that `streams` names, from a daemon thread that sleeps while none is written."""

    def __init__(self, url: str, streams: TableStreams) -> None:
        self._streams = streams
        self._client: Any = boto3.client(  # type: ignore[call-overload]
            "dynamodbstreams",
            region_name=REGION,
            endpoint_url=url,
            **DUMMY_CREDENTIALS,
        )
        self._written = threading.Event()
        self._iterators: dict[str, dict[str, str | None]] = {}
        threading.Thread(target=self._run, name="upstream-streams", daemon=True).start()

    def written(self) -> None:
        """Say that an item was written."""
        self._written.set()

    def _run(self) -> None:
        while True:
            self._written.wait()
            until = time.monotonic() + _READ_FOR
            while time.monotonic() < until:
                if self._written.is_set():
                    self._written.clear()
                    until = time.monotonic() + _READ_FOR
                for table in self._streams.tables:
                    self._read(table)
                time.sleep(_PAUSE)

    def _read(self, table: str) -> None:
        iterators = self._iterators.setdefault(table, {})
        if not iterators or None in iterators.values():
            self._find_shards(table, iterators)
        for shard, iterator in list(iterators.items()):
            if iterator is None:
                continue
            page = self._client.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                self._streams.publish(table, _as_lambda_has_it(record))
            iterators[shard] = page.get("NextShardIterator")

    def _find_shards(self, table: str, iterators: dict[str, str | None]) -> None:
        for stream in self._client.list_streams(TableName=table)["Streams"]:
            description = self._client.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
            for shard in description["Shards"]:
                if shard["ShardId"] not in iterators:
                    found = self._client.get_shard_iterator(
                        StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
                    )
                    iterators[shard["ShardId"]] = found["ShardIterator"]


def _as_lambda_has_it(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with its time in seconds, as Lambda's events have it, and with the types of empty values."""
    change = dict(record["dynamodb"])
    moment = change["ApproximateCreationDateTime"]
    if isinstance(moment, datetime):
        change["ApproximateCreationDateTime"] = int(moment.timestamp())
    for image in {"NewImage", "OldImage"} & change.keys():
        change[image] = {name: _with_type(value) for name, value in change[image].items()}
    return {"eventID": record["eventID"], "eventName": record["eventName"], "dynamodb": change}


def _with_type(attribute: dict[str, Any]) -> dict[str, Any]:
    """Return the attribute value with `M` for an empty map or list, whose type DynamoDB Local 3.1.0 leaves out."""
    if not attribute:
        return {"M": {}}
    ((kind, value),) = attribute.items()
    if kind == "M":
        return {"M": {name: _with_type(each) for name, each in value.items()}}
    return {"L": [_with_type(each) for each in value]} if kind == "L" else attribute
