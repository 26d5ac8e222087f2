"""List what an owner has by the index `ByOwner`. It holds keys only, so the items are read in batches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.storage import keys
from shared.storage.attributes import Item, to_attribute, to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.cursors import decode_cursor
from shared.storage.items import query_items
from shared.storage.matching import BATCH, matching_page

T = TypeVar("T")

BY_OWNER = "ByOwner"
"""The name of the index."""

GONE = "gone_"
"""What `ownerSort` begins with for what its owner has deleted, as long as anything of it is still stored.

No list shows it, because lists read by the prefix of an id. An erasure of the owner finds it.
"""


def gone_mark(owner: str, owner_sort: str) -> Mapping[str, str]:
    """Return the attributes by which an erasure finds what the owner has deleted."""
    return {"owner": owner, "ownerSort": f"{GONE}{owner_sort}"}


@dataclass(frozen=True, slots=True)
class OwnerIndex(Generic[T]):
    """The index of one kind of entity in one table, such as jobs or runs.

    Its ids match `ids`; `key_of` returns the key of an id's item. `sort_of` returns its `ownerSort`, which begins with
    `prefix` and sorts by time. `visible` returns the entity of an item, or None if the owner must not see it.
    `consistent` reads include the latest writes, at twice the price.
    """

    table: str
    prefix: str
    ids: re.Pattern[str]
    key_of: Callable[[str], Mapping[str, str]]
    visible: Callable[[Mapping[str, Any]], T | None]
    sort_of: Callable[[str], str] = str
    consistent: bool = True

    def page(
        self, owner: str, *, matches: Callable[[T], bool], limit: int, cursor: str | None
    ) -> tuple[Sequence[T], str | None]:
        """Return up to `limit` entities that match, newest first, and the next page's cursor or None.

        Look at a bounded number of keys, as `matching_page` does.

        Raises ValueError for an invalid cursor.
        """
        start = self._start_key(owner, decode_cursor(cursor, self.ids)) if cursor is not None else None

        def query(after: Item | None, most: int) -> Mapping[str, Any]:
            more: dict[str, Any] = {"ExclusiveStartKey": after} if after else {}
            with storage_faults():
                return dynamodb().query(
                    TableName=self.table,
                    IndexName=BY_OWNER,
                    KeyConditionExpression="#owner = :owner AND begins_with(ownerSort, :prefix)",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": to_attribute(owner), ":prefix": to_attribute(self.prefix)},
                    ScanIndexForward=False,
                    Limit=most,
                    **more,
                )

        return matching_page(query, id_in=keys.id_in, load_all=self.load_all, matches=matches, limit=limit, start=start)

    def every_id(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        """Yield the ids of all that the owner has, or with `gone` of what the owner has deleted; newest first.

        Also yield what is not visible. The latest writes may be missing.
        """
        found = query_items(
            self.table,
            "#owner = :owner AND begins_with(ownerSort, :prefix)",
            {":owner": owner, ":prefix": f"{GONE}{self.prefix}" if gone else self.prefix},
            IndexName=BY_OWNER,
            ExpressionAttributeNames={"#owner": "owner"},
            ScanIndexForward=False,
        )
        return (keys.id_in(item) for item in found)

    def load_all(self, ids: Sequence[str]) -> dict[str, T]:
        """Return the visible entities among these ids, by id."""
        entities: dict[str, T] = {}
        for begin in range(0, len(ids), BATCH):
            by_partition = {self.key_of(each)["PK"]: each for each in ids[begin : begin + BATCH]}
            wanted_keys = [to_item(self.key_of(each)) for each in by_partition.values()]
            wanted: Any = {self.table: {"Keys": wanted_keys, "ConsistentRead": self.consistent}}
            while wanted:
                with storage_faults():
                    response = dynamodb().batch_get_item(RequestItems=wanted)
                for item in response["Responses"].get(self.table, []):
                    entity = self.visible(item)
                    if entity is not None:
                        entities[by_partition[item["PK"]["S"]]] = entity
                wanted = response.get("UnprocessedKeys")
        return entities

    def _start_key(self, owner: str, last_id: str) -> dict[str, Any]:
        return to_item({"owner": owner, "ownerSort": self.sort_of(last_id), **self.key_of(last_id)})
