"""Lists of what a user owns, by the index `ByOwner`: keys only there, so the things themselves are read in batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.storage.attributes import to_attribute, to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.cursors import decode_cursor, encode_cursor

T = TypeVar("T")

BY_OWNER = "ByOwner"
BATCH = 100
"""The most keys one BatchGetItem takes."""


@dataclass(frozen=True, slots=True)
class Owned(Generic[T]):
    """One kind of thing in one table. `ids` begin with `prefix`, `key_of` an id is its item's key.

    `shown` reads an item, and answers None where there is nothing to show. `consistent`: also of what was written or
    deleted a moment ago, at twice the price.
    """

    table: str
    prefix: str
    ids: re.Pattern[str]
    key_of: Callable[[str], Mapping[str, str]]
    shown: Callable[[Mapping[str, Any]], T | None]
    consistent: bool = True

    def page(
        self, owner: str, *, matches: Callable[[T], bool], limit: int, cursor: str | None
    ) -> tuple[Sequence[T], str | None]:
        """Newest first, and the cursor of the next page. Raises ValueError for a cursor this list did not issue."""
        start = self._place(owner, decode_cursor(cursor, self.ids)) if cursor is not None else None
        found: list[T] = []
        while True:
            more: dict[str, Any] = {"ExclusiveStartKey": start} if start else {}
            with storage_faults():
                page = dynamodb().query(
                    TableName=self.table,
                    IndexName=BY_OWNER,
                    KeyConditionExpression="#owner = :owner AND begins_with(ownerSort, :prefix)",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": to_attribute(owner), ":prefix": to_attribute(self.prefix)},
                    ScanIndexForward=False,
                    Limit=max(limit, 25),
                    **more,
                )
            ids = [item["ownerSort"]["S"] for item in page["Items"]]
            things = self.load_all(ids)
            for place, each in enumerate(ids, start=1):
                thing = things.get(each)
                if thing is None or not matches(thing):
                    continue
                found.append(thing)
                if len(found) == limit:
                    more_to_come = place < len(ids) or "LastEvaluatedKey" in page
                    return found, encode_cursor(each) if more_to_come else None
            start = page.get("LastEvaluatedKey")
            if start is None:
                return found, None

    def load_all(self, ids: Sequence[str]) -> dict[str, T]:
        """The shown ones among these, by id."""
        things: dict[str, T] = {}
        for begin in range(0, len(ids), BATCH):
            by_partition = {self.key_of(each)["PK"]: each for each in ids[begin : begin + BATCH]}
            keys = [to_item(self.key_of(each)) for each in by_partition.values()]
            wanted: Any = {self.table: {"Keys": keys, "ConsistentRead": self.consistent}}
            while wanted:
                with storage_faults():
                    answer = dynamodb().batch_get_item(RequestItems=wanted)
                for item in answer["Responses"].get(self.table, []):
                    thing = self.shown(item)
                    if thing is not None:
                        things[by_partition[item["PK"]["S"]]] = thing
                wanted = answer.get("UnprocessedKeys")
        return things

    def _place(self, owner: str, last_id: str) -> dict[str, Any]:
        return to_item({"owner": owner, "ownerSort": last_id, **self.key_of(last_id)})
