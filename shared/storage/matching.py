"""Collect a page of a list: query an index until enough of what its keys name matches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from shared.storage.attributes import Item
from shared.storage.cursors import encode_cursor

T = TypeVar("T")

BATCH = 100
"""The largest number of keys that BatchGetItem accepts."""

MOST_KEYS = 500
"""How many keys one page looks at, at most: about six queries and reads, also if nothing matches."""


def matching_page(
    query: Callable[[Item | None, int], Mapping[str, Any]],
    *,
    id_in: Callable[[Item], str],
    load_all: Callable[[Sequence[str]], Mapping[str, T]],
    matches: Callable[[T], bool],
    limit: int,
    start: Item | None,
) -> tuple[Sequence[T], str | None]:
    """Return up to `limit` entities that match, in the order of the index, and the next page's cursor or None.

    `query` returns DynamoDB's response for at most this many keys after a key; `start` is the key after which the page
    begins. `id_in` returns the id in a key, and `load_all` the entities with these ids. Look at MOST_KEYS at most: a
    page has fewer entities, or none, and a cursor if few entities match.
    """
    looked_at = 0
    found: list[T] = []
    while True:
        page = query(start, min(max(limit, 25) if looked_at == 0 else BATCH, MOST_KEYS - looked_at))
        ids = [id_in(item) for item in page["Items"]]
        entities = load_all(ids)
        for count, each in enumerate(ids, start=1):
            entity = entities.get(each)
            if entity is None or not matches(entity):
                continue
            found.append(entity)
            if len(found) == limit:
                more_to_come = count < len(ids) or "LastEvaluatedKey" in page
                return found, encode_cursor(each) if more_to_come else None
        looked_at += len(ids)
        start = page.get("LastEvaluatedKey")
        if start is None or looked_at >= MOST_KEYS:
            return found, encode_cursor(ids[-1]) if start else None
