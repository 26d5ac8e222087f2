"""List an owner's jobs by the index `JobList`, which has what filters and searches compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from shared.jobs.ids import JOB_ID, ulid_of
from shared.jobs.job import Job
from shared.jobs.store import JobFilter, JobPage
from shared.jobs.titles import found_by
from shared.storage import keys
from shared.storage.attributes import Item, to_attribute, to_item
from shared.storage.aws import dynamodb, storage_faults
from shared.storage.cursors import decode_cursor, encode_cursor

JOB_LIST = "JobList"
"""The name of the index."""

SIZES = (100, 1_000, 10_000)
"""How many entries the queries of one page look at; the last one is repeated. DynamoDB ends a query at 1 MB."""

MOST_ENTRIES = 20_000
"""How many entries one page looks at, at most: about 4 MB, also if none matches."""

MOST_JOBS = 500
"""How many jobs one page reads, at most, if the entries that matched are out of date."""


class JobListIndex:
    """The index of `table` with an entry for each job: its owner, its time, and the attributes that a filter compares.

    `load_all` returns the jobs with these ids that have not expired. `now` returns the Unix time in seconds.
    """

    def __init__(
        self, table: str, load_all: Callable[[Sequence[str]], Mapping[str, Job]], *, now: Callable[[], int]
    ) -> None:
        self._table = table
        self._load_all = load_all
        self._now = now

    def page(self, owner: str, where: JobFilter, *, limit: int, cursor: str | None) -> JobPage:
        """Return up to `limit` jobs that match, newest first, and the next page's cursor or None.

        Look at MOST_ENTRIES entries at most: the page then has fewer jobs, or none, and a cursor.

        Raises ValueError for an invalid cursor.
        """
        start = None if cursor is None else self._key(owner, decode_cursor(cursor, JOB_ID))
        looked_at = read = 0
        found: list[Job] = []
        sizes = chain(SIZES, repeat(SIZES[-1]))
        while True:
            response = self._query(owner, where, start, min(next(sizes), MOST_ENTRIES - looked_at))
            start = response.get("LastEvaluatedKey")
            ids = [keys.id_in(entry) for entry in response["Items"] if _found(where, entry)]
            for position, job in self._jobs(ids, max(limit, 25)):
                if job is not None and where.matches(job):
                    found.append(job)
                last = position == len(ids)
                if len(found) == limit or (not last and read + position >= MOST_JOBS):
                    more = not last or start is not None
                    return JobPage(found, encode_cursor(ids[position - 1]) if more else None)
            looked_at, read = looked_at + int(response["ScannedCount"]), read + len(ids)
            if start is None or looked_at >= MOST_ENTRIES or read >= MOST_JOBS:
                return JobPage(found, None if start is None else encode_cursor(keys.id_in(start)))

    def _jobs(self, ids: Sequence[str], batch: int) -> Iterator[tuple[int, Job | None]]:
        """Yield the jobs with their positions from 1; None for one that has expired. Read them when they are needed."""
        for begin in range(0, len(ids), batch):
            some = ids[begin : begin + batch]
            jobs = self._load_all(some)
            for position, job_id in enumerate(some, start=begin + 1):
                yield position, jobs.get(job_id)

    def _query(self, owner: str, where: JobFilter, start: Item | None, most: int) -> Mapping[str, Any]:
        compared = {"pipeline": where.pipeline, "status": where.status}
        wanted = {name: value for name, value in compared.items() if value is not None}
        conditions = ["#expiresAt > :now", *(f"#{name} = :{name}" for name in wanted)]
        values = {"owner": owner, "prefix": "job_", "now": self._now(), **wanted}
        names = {f"#{name}": name for name in ("owner", "expiresAt", *wanted)}
        more: dict[str, Any] = {} if start is None else {"ExclusiveStartKey": start}
        with storage_faults():
            return dynamodb().query(
                TableName=self._table,
                IndexName=JOB_LIST,
                KeyConditionExpression="#owner = :owner AND begins_with(ownerSort, :prefix)",
                FilterExpression=" AND ".join(conditions),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={f":{name}": to_attribute(value) for name, value in values.items()},
                ScanIndexForward=False,
                Limit=most,
                **more,
            )

    def _key(self, owner: str, last_id: str) -> Item:
        key = {"PK": keys.job_partition(last_id), "SK": keys.JOB}
        return to_item({"owner": owner, "ownerSort": time_order(last_id), **key})


def time_order(job_id: str) -> str:
    """Return what the indexes of jobs sort by: the id without its cell, which begins with the time of creation."""
    return f"job_{ulid_of(job_id)}"


def _found(where: JobFilter, entry: Item) -> bool:
    """Return whether the search finds the job of this entry, as `JobFilter.matches` does. DynamoDB compares cases."""
    if where.search is None:
        return True
    title = entry.get("title")
    return found_by(where.search, job_id=keys.id_in(entry), title=None if title is None else title["S"])
