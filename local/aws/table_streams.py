"""The streams of tables: makes records of writes, for the pollers whose filter lets them through.

Moto has streams too, and this stack does without them: they keep every record for ever, copy each item that is updated,
and have records of transactions that were rolled back.
"""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from local.aws.stream_poller import StreamPoller
from local.template.intrinsics import ACCOUNT, REGION

Image = dict[str, Any]


class TableStreams:
    """Makes a record of each write that a poller wants. The caller lets one write at a time in."""

    def __init__(self, pollers: Iterable[StreamPoller]) -> None:
        self._pollers: dict[str, list[StreamPoller]] = {}
        for poller in pollers:
            self._pollers.setdefault(poller.source.table, []).append(poller)
        self._numbers = itertools.count(100_000_000_000_000_000_001)

    @property
    def tables(self) -> frozenset[str]:
        """The tables whose stream a function reads."""
        return frozenset(self._pollers)

    def wants(self, table: str, keys: Mapping[str, Any]) -> bool:
        """Return whether a write of this item may be of interest: ask before the write, and keep the item if so."""
        return any(poller.wants(keys) for poller in self._pollers.get(table, ()))

    def written(self, table: str, keys: Mapping[str, Any], old: Image | None, new: Image | None) -> None:
        """Hand over the record of a write that succeeded. A write that changes nothing has none."""
        if old == new:
            return
        images = {name: image for name, image in (("NewImage", new), ("OldImage", old)) if image is not None}
        change = {
            "ApproximateCreationDateTime": int(time.time()),
            "Keys": dict(keys),
            **images,
            "SequenceNumber": str(next(self._numbers)),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        kind = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        self.publish(table, {"eventID": uuid.uuid4().hex, "eventName": kind, "dynamodb": change})

    def publish(self, table: str, record: Mapping[str, Any]) -> None:
        """Hand the record of a table to the pollers whose filter it passes, with what Lambda adds to it."""
        takers = [poller for poller in self._pollers.get(table, ()) if poller.passes(record)]
        if not takers:
            return
        change = record["dynamodb"]
        images = [change.get(name) for name in ("NewImage", "OldImage")]
        whole = {
            **record,
            "dynamodb": {"SizeBytes": len(json.dumps(images, default=repr)), **change},
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "eventSourceARN": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/local",
        }
        for poller in takers:
            poller.offer(whole)
