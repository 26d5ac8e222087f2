"""Find the jobs of a session, run or project: an item for each link of a job, in a partition for each linked entity.

DynamoDB's own indexes are not used, because they are read with a delay (docs/decisions/0025).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shared.jobs.ids import JOB_ID, ulid_of
from shared.jobs.job import Job, LinkKind
from shared.storage import keys
from shared.storage.attributes import Item, to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.cursors import decode_cursor
from shared.storage.expiry import stored_until
from shared.storage.matching import matching_page


class LinkIndex:
    """The items of `table` that say which jobs are linked to an entity.

    `load_all` returns the jobs with these ids that have not expired, strongly consistent. An item expires when the job
    would that never ended, and an end lets no job expire later, so no job is without its items.
    """

    def __init__(self, table: str, load_all: Callable[[Sequence[str]], Mapping[str, Job]]) -> None:
        self._table = table
        self._load_all = load_all

    def items_of(self, job: Job) -> Iterator[Item]:
        """Yield the item of each of the job's links."""
        for kind, entity_id in job.links.by_kind().items():
            key = keys.link(job.owner, kind, entity_id, ulid_of(job.id))
            yield to_item({**key, "jobId": job.id, "expiresAt": stored_until(job.expires_at)})

    def put(self, job: Job) -> None:
        """Store the items of the job's links again, with the job's new expiry."""
        for item in self.items_of(job):
            with storage_faults():
                dynamodb().put_item(TableName=self._table, Item=item)

    def remove(self, job: Job) -> None:
        """Delete the items of the job's links."""
        for item in self.items_of(job):
            with storage_faults():
                dynamodb().delete_item(TableName=self._table, Key={"PK": item["PK"], "SK": item["SK"]})

    def page(
        self,
        owner: str,
        link: tuple[LinkKind, str],
        *,
        matches: Callable[[Job], bool],
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Job], str | None]:
        """Return up to `limit` of the owner's jobs that match, newest first, and the next page's cursor or None.

        Raises ValueError for an invalid cursor.
        """
        start = self._key(owner, link, decode_cursor(cursor, JOB_ID)) if cursor is not None else None

        def query(after: Item | None, most: int) -> Mapping[str, Any]:
            more: dict[str, Any] = {"ExclusiveStartKey": after} if after else {}
            with storage_faults():
                return dynamodb().query(
                    TableName=self._table,
                    KeyConditionExpression="PK = :link",
                    ExpressionAttributeValues=to_item({":link": keys.link_partition(owner, *link)}),
                    ScanIndexForward=False,
                    ConsistentRead=True,
                    Limit=most,
                    **more,
                )

        return matching_page(
            query,
            id_in=lambda item: str(item["jobId"]["S"]),
            load_all=self._load_all,
            # Ids are the client's, so the keys of two owners could be the same text.
            matches=lambda job: job.owner == owner and matches(job),
            limit=limit,
            start=start,
        )

    def _key(self, owner: str, link: tuple[LinkKind, str], job_id: str) -> Item:
        return to_item(keys.link(owner, *link, ulid_of(job_id)))
