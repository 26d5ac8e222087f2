"""Erase items in the partitions of their owners, by the first part of their sort keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shared.erasure.owner_data import ErasedStep
from shared.storage import keys
from shared.storage.items import query_items, remove_items


class UserItems:
    """Implements OwnerData for the items `USER#<owner> / <prefix>…` of one table."""

    def __init__(self, table: str, *, prefixes: Sequence[str], place: str, name: str, holds: str) -> None:
        """`place` is the table's name in the template, which the port's `places` begin with."""
        self.name = name
        self.holds = holds
        self.places = tuple(f"{place} USER# {prefix}" for prefix in prefixes)
        self._table = table
        self._prefixes = prefixes

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:  # noqa: ARG002 - they are few
        """Delete all of the items: an owner has at most some hundreds of them."""
        count = 0
        for prefix in self._prefixes:
            found = list(
                query_items(
                    self._table,
                    "PK = :owner AND begins_with(SK, :prefix)",
                    {":owner": keys.user_partition(owner), ":prefix": prefix},
                    ConsistentRead=True,
                    ProjectionExpression="PK, SK",
                )
            )
            remove_items(self._table, found)
            count += len(found)
        return ErasedStep(count, done=True)
