"""Store jobs in DynamoDB: one item per job, which conditional updates change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.clock import Clock
from shared.errors import StorageThrottled
from shared.jobs.compute import amounts_of, charged, compute_of
from shared.jobs.ids import JOB_ID
from shared.jobs.job import Job
from shared.jobs.store import JobFilter, JobGuard, JobPage, LivePage, PreparedWrites, SideWriteConflict, StaleWrite
from shared.observability import metering
from shared.observability.log import log
from shared.observability.metering import Amounts, Meter
from shared.storage import keys
from shared.storage.attributes import from_item, to_attribute, to_item
from shared.storage.aws import dynamodb, refused_condition, storage_faults
from shared.storage.capacity import units_of
from shared.storage.items import query_pages, read_item, remove_partition
from shared.storage.job_compute import ATTRIBUTES, addition, attributes_of_new, compute_in
from shared.storage.job_list import JobListIndex, time_order
from shared.storage.link_index import LinkIndex
from shared.storage.owner_index import OwnerIndex, gone_mark
from shared.storage.transactions import MAX_ATTEMPTS, ConditionsRefused, write_transaction
from shared.ulid import ALPHABET

LIVE_JOBS = "LiveJobs"
"""The index of live jobs."""

LIVE_SHARDS = 8
"""Partitions of the index of live jobs. One partition could not take a thousand new jobs per second."""

ERASED_SECONDS = 3 * 86_400
"""How long it is noted that a job was erased. A record of the table's stream lasts for a day."""

INDEX_ATTRIBUTES = ("ownerSort", "live")
"""Attributes of a job's item that only the indexes use."""


_INDEXED = (*INDEX_ATTRIBUTES, "sweep")
"""Attributes of new items of both tables that an index sorts or partitions by: each is an entry, and a unit."""

_ABSENT: Mapping[str, Any] = {
    "links": {},
    "usage": {},
    "checkpoints": {},
    "fence": "",
    "retryCount": 0,
    "generation": 1,
}
"""The values that a new item leaves out, because they are what a job has without them."""


class DynamoJobStore:
    """The JobStore on a DynamoDB table; the port describes the methods."""

    def __init__(self, table: str, *, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._index = OwnerIndex(table, "job_", JOB_ID, _key, self._readable, sort_of=time_order, consistent=False)
        self._list = JobListIndex(table, self._index.load_all, now=lambda: int(self._clock().timestamp()))
        self._links = LinkIndex(table, replace(self._index, consistent=True).load_all)

    def put_new(self, job: Job, *, side_writes: PreparedWrites | None = None) -> None:
        item = _item(job, live=_live(_live_shard(job.id)))
        put: Any = {
            "TableName": self._table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(PK)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        links = [{"Put": {"TableName": self._table, "Item": each}} for each in self._links.items_of(job)]
        together = [*links, *(side_writes.writes if side_writes is not None else ())]
        try:
            with charged(lambda _: _units_of_new(item, together)) as amounts:
                item |= attributes_of_new(amounts)
                self._put_new(put, together)
        except ConditionsRefused as refused:
            if 0 not in refused.existing:
                raise SideWriteConflict from refused
            # botocore retries a write whose response was lost. If the stored job is the same, the first try succeeded.
            existing = refused.existing[0]
            if not existing or from_item(existing) != from_item(item):
                raise ValueError(f"another job has the id {job.id}") from refused

    @staticmethod
    def _put_new(put: Any, together: Sequence[Mapping[str, Any]]) -> None:
        if together:
            write_transaction([{"Put": put}, *together])
            return
        with refused_condition(lambda existing: ConditionsRefused({0: existing})):
            dynamodb().put_item(**put)

    def get(self, job_id: str, *, consistent: bool = True) -> Job | None:
        found = None if consistent else self._read(job_id, consistent=False)
        return found or self._read(job_id, consistent=True)

    def _read(self, job_id: str, *, consistent: bool) -> Job | None:
        item = read_item(self._table, _key(job_id), consistent=consistent)
        _remember(item)
        return self._visible(item)

    def update(
        self, job_id: str, changes: Mapping[str, Any], *, when: JobGuard, side_writes: PreparedWrites | None = None
    ) -> Job:
        if side_writes is not None:
            return self._update_with_side_writes(job_id, changes, when, side_writes)
        stale = refused_condition(lambda item: StaleWrite(self._visible(item)))
        with charged(lambda meter: _units_of_update(meter, changes)) as amounts, stale:
            updated = dynamodb().update_item(**self._update(job_id, changes, when, amounts), ReturnValues="ALL_NEW")
        _remember(updated["Attributes"])
        return _job(updated["Attributes"])

    def _update_with_side_writes(
        self, job_id: str, changes: Mapping[str, Any], when: JobGuard, side_writes: PreparedWrites
    ) -> Job:
        """Update the job in a transaction.

        A transaction does not return the updated item. So read the job first, and make its `updatedAt` a condition of
        the transaction: the updated job is then the job that was read, with the changes.
        """
        with charged(lambda meter: _units_together(meter, changes, side_writes)) as amounts:
            return self._update_in_transaction(job_id, changes, when, side_writes, amounts)

    def _update_in_transaction(
        self, job_id: str, changes: Mapping[str, Any], when: JobGuard, side_writes: PreparedWrites, amounts: Amounts
    ) -> Job:
        after: Job | None = None
        for _ in range(MAX_ATTEMPTS):
            before = self.get(job_id)
            if before is not None and before == after:
                return before  # an earlier try succeeded, although its response was lost
            if before is None or not when.holds(before):
                raise StaleWrite(before)
            compute = None if before.compute is None else before.compute + compute_of(amounts)
            after = before.model_copy(update={**changes, "compute": compute})
            update = self._update(job_id, changes, replace(when, updated_at=before.updated_at), amounts)
            try:
                write_transaction([{"Update": update}, *side_writes.writes])
            except ConditionsRefused as refused:
                if 0 not in refused.existing:
                    raise SideWriteConflict from refused
                continue
            return after
        raise StorageThrottled("the job is being changed by other requests; try again")

    def add_compute(self, job_id: str) -> None:
        with charged(lambda meter: _units_of_update(meter, {})) as amounts:
            if not amounts:
                return
            values: dict[str, Any] = {}
            added = addition(amounts, values)
            with contextlib.suppress(_Gone), refused_condition(lambda _: _Gone()):
                dynamodb().update_item(
                    TableName=self._table,
                    Key=to_item(_key(job_id)),
                    UpdateExpression=added.strip(),
                    ConditionExpression="attribute_exists(PK)",
                    ExpressionAttributeValues=values,
                )

    def _update(self, job_id: str, changes: Mapping[str, Any], when: JobGuard, amounts: Amounts) -> dict[str, Any]:
        """Return the parameters of a conditional update, for UpdateItem or for the Update of a transaction."""
        values = _attributes(changes)
        guarded = self._guarded(job_id, when)
        names, attributes = guarded["ExpressionAttributeNames"], guarded["ExpressionAttributeValues"]
        assignments = []
        for index, (name, value) in enumerate(values.items()):
            names[f"#s{index}"] = name
            attributes[f":s{index}"] = to_attribute(value)
            assignments.append(f"#s{index} = :s{index}")
        expression = "SET " + ", ".join(assignments)
        if "status" in changes:
            # Only items with the attribute `live` are in the index of live jobs.
            names["#live"] = "live"
            if changes["status"].ended:
                expression += " REMOVE #live"
            else:
                expression += ", #live = :live"
                attributes[":live"] = to_attribute(_live(_live_shard(job_id)))
        expression += addition(amounts, attributes)
        return {**guarded, "UpdateExpression": expression, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

    def _guarded(self, job_id: str, when: JobGuard) -> dict[str, Any]:
        """Return the parameters of a request for the job that fails if it has expired or the guard does not hold."""
        now = int(self._clock().timestamp())
        names, attributes = {"#expiresAt": "expiresAt"}, {":now": to_attribute(now)}
        conditions = ["#expiresAt > :now", *_conditions(when, names, attributes)]
        return {
            "TableName": self._table,
            "Key": to_item(_key(job_id)),
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": attributes,
        }

    def prepare_check(self, job_id: str, *, when: JobGuard) -> PreparedWrites:
        return PreparedWrites(({"ConditionCheck": self._guarded(job_id, when)},))

    def live(self, *, cursor: str | None, limit: int) -> LivePage:
        # Shard by shard, and within a shard in the order of the index; the id says in which shard a job is.
        start = None if cursor is None else _live_key(cursor)
        shard = 0 if cursor is None else _live_shard(cursor)
        while True:
            more: dict[str, Any] = {} if start is None else {"ExclusiveStartKey": to_item(start)}
            page = next(
                query_pages(
                    self._table,
                    "#live = :live",
                    {":live": _live(shard)},
                    IndexName=LIVE_JOBS,
                    ExpressionAttributeNames={"#live": "live"},
                    Limit=limit,
                    **more,
                )
            )
            ids = [keys.id_in(item) for item in page]
            if ids:
                found = self._index.load_all(ids)
                live = [found[each] for each in ids if each in found and not found[each].status.ended]
                return LivePage(live, ids[-1])
            start, shard = None, shard + 1
            if shard == LIVE_SHARDS:
                return LivePage((), None)

    def list_owned(self, owner: str, *, where: JobFilter, limit: int, cursor: str | None) -> JobPage:
        link = where.link
        if link is not None:
            return JobPage(*self._links.page(owner, link, matches=where.matches, limit=limit, cursor=cursor))
        return self._list.page(owner, where, limit=limit, cursor=cursor)

    def renew_links(self, job: Job) -> None:
        self._links.put(job)

    def restore(self, job: Job) -> bool:
        now = to_attribute(int(self._clock().timestamp()))
        put = {
            "TableName": self._table,
            "Item": _item(job, live=None),
            "ConditionExpression": "attribute_not_exists(PK) OR expiresAt <= :now",
            "ExpressionAttributeValues": {":now": now},
        }
        not_erased = {
            "TableName": self._table,
            "Key": to_item(_erased_key(job.id)),
            "ConditionExpression": "attribute_not_exists(PK)",
        }
        links = [{"Put": {"TableName": self._table, "Item": each}} for each in self._links.items_of(job)]
        try:
            write_transaction([{"Put": put}, {"ConditionCheck": not_erased}, *links])
        except ConditionsRefused:
            return not self.is_erased(job.id)
        return True

    def mark_erased(self, owner: str, job_id: str) -> None:
        self._note_erasure(job_id, gone_mark(owner, time_order(job_id)))

    def _note_erasure(self, job_id: str, mark: Mapping[str, str]) -> None:
        note = {**_erased_key(job_id), **mark, "expiresAt": int(self._clock().timestamp()) + ERASED_SECONDS}
        with storage_faults():
            dynamodb().put_item(TableName=self._table, Item=to_item(note))

    def is_erased(self, job_id: str) -> bool:
        return read_item(self._table, _erased_key(job_id)) is not None

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        return self._index.every_id(owner, gone=gone)

    def owner_of(self, job_id: str) -> str | None:
        item = read_item(self._table, _key(job_id)) or read_item(self._table, _erased_key(job_id))
        return item["owner"]["S"] if item and "owner" in item else None

    def erase(self, job_id: str) -> None:
        item = read_item(self._table, _key(job_id))
        if item is None:
            return
        try:
            self._links.remove(_job(item))
        except ValueError as error:
            log.defect("job item not readable; its links expire by themselves", error, job_id=job_id)
        # Last, because it names the links.
        with storage_faults():
            dynamodb().delete_item(TableName=self._table, Key=to_item(_key(job_id)))

    def purge(self, job_id: str) -> None:
        remove_partition(self._table, keys.job_partition(job_id), keeping=keys.ERASED)
        # Last, so that a purge that failed is found again.
        self._note_erasure(job_id, {})

    def _visible(self, item: Mapping[str, Any] | None) -> Job | None:
        """Return the job; None if it has expired, because DynamoDB deletes expired items only some time later."""
        if not item:
            return None
        job = _job(item)
        return None if job.expired(self._clock()) else job

    def _readable(self, item: Mapping[str, Any]) -> Job | None:
        """Return the visible job; log an item that cannot be read, so that one such item does not hide the others."""
        try:
            return self._visible(item)
        except ValueError as error:
            log.defect("job item not readable", error, key=item["PK"]["S"])
            return None


def _conditions(when: JobGuard, names: dict[str, str], attributes: dict[str, Any]) -> list[str]:
    conditions = []
    if when.status_in is not None:
        names["#status"] = "status"
        allowed = {f":status{index}": to_attribute(status) for index, status in enumerate(sorted(when.status_in))}
        attributes.update(allowed)
        conditions.append(f"#status IN ({', '.join(allowed)})")
    if when.generation is not None:
        names["#generation"] = "generation"
        attributes[":generation"] = to_attribute(when.generation)
        # An item without a generation, such as one that was made by hand, has the first; one without a fence, none.
        absent = "attribute_not_exists(#generation) OR " if when.generation == 1 else ""
        conditions.append(f"({absent}#generation = :generation)")
    if when.updated_at is not None:
        names["#updatedAt"] = "updatedAt"
        attributes[":updatedAt"] = to_attribute(_attributes({"updated_at": when.updated_at})["updatedAt"])
        conditions.append("#updatedAt = :updatedAt")
    for operator, fence in (("<=", when.fence_up_to), ("=", when.fence_is)):
        if fence is not None:
            names["#fence"] = "fence"
            attributes[":fence"] = to_attribute(fence)
            absent = "attribute_not_exists(#fence) OR " if operator == "<=" else ""
            conditions.append(f"({absent}#fence {operator} :fence)")
    return conditions


def _attributes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return these fields of a job as they are stored."""
    return _without_zeros(Job.model_construct(**changes).model_dump(mode="json", include=set(changes), warnings=False))


def _without_zeros(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a job without zeros of its tokens and checkpoints: each kilobyte of an item is a unit."""
    slim = dict(values)
    if "usage" in slim:
        slim["usage"] = {name: number for name, number in slim["usage"].items() if number}
    if "checkpoints" in slim:
        slim["checkpoints"] = {
            stage: {name: value for name, value in ref.items() if value or name == "seq"}
            for stage, ref in slim["checkpoints"].items()
        }
    return slim


class _Gone(Exception):
    """The job's item does not exist any more."""


def _units_of_new(item: Mapping[str, Any], together: Sequence[Mapping[str, Any]]) -> float:
    """Return the units of storing a job's item, alone or together with others in a transaction."""
    written = [item, *(each["Put"]["Item"] if "Put" in each else None for each in together)]
    entries = 1 + sum(name in each for each in written if each for name in _INDEXED)  # 1: the job's in `JobList`
    units = sum(map(units_of, written)) + entries
    return 2 * units if together else units


def _units_together(meter: Meter, changes: Mapping[str, Any], side_writes: PreparedWrites) -> float:
    """Return the units of an update and its side writes in a transaction."""
    # The size of an item that a side write updates is not known before the write: it counts as one unit.
    others = (_units_of_replacing(each["Put"]["Item"]) if "Put" in each else 1 for each in side_writes.writes)
    return 2 * (_units_of_update(meter, changes) + sum(others))


def _units_of_replacing(item: Mapping[str, Any]) -> int:
    """Return the units of storing an item that exists: of its entries in indexes only that of `sweep` moves."""
    return units_of(item) + 2 * ("sweep" in item)


def _units_of_update(meter: Meter, changes: Mapping[str, Any]) -> int:
    """Return the units of an update of the item that the meter remembers, with the indexes if it ends."""
    index = 2 if "status" in changes and changes["status"].ended else 0
    return units_of({**(meter.item or {}), **to_item(_attributes(changes))}) + index


def _remember(item: Mapping[str, Any] | None) -> None:
    """Keep a job's item in the meter of this context, to know what the next update of it costs."""
    meter = metering.current()
    if meter is not None:
        meter.item = item


def _live_shard(job_id: str) -> int:
    return ALPHABET.index(job_id[-1]) % LIVE_SHARDS


def _live(shard: int) -> str:
    return f"LIVE#{shard}"


def _live_key(job_id: str) -> dict[str, str]:
    """Return the job's key in the index of live jobs."""
    return {"live": _live(_live_shard(job_id)), "ownerSort": time_order(job_id), **_key(job_id)}


def _key(job_id: str) -> dict[str, str]:
    return {"PK": keys.job_partition(job_id), "SK": keys.JOB}


def _erased_key(job_id: str) -> dict[str, str]:
    return {"PK": keys.job_partition(job_id), "SK": keys.ERASED}


def _item(job: Job, *, live: str | None) -> dict[str, Any]:
    """Return the item of a job, which is in the index of live jobs if `live` is its shard."""
    dumped = _without_zeros(job.model_dump(mode="json", exclude_none=True, exclude={"compute"}))
    values = {name: value for name, value in dumped.items() if _ABSENT.get(name) != value}
    used = {} if job.compute is None else attributes_of_new(amounts_of(job.compute))
    return to_item({**_key(job.id), "ownerSort": time_order(job.id), "live": live, **values}) | used


def _job(item: Mapping[str, Any]) -> Job:
    values = from_item(item)
    for name in ("PK", "SK", *INDEX_ATTRIBUTES, *ATTRIBUTES):
        values.pop(name, None)
    return Job.model_validate({**values, "compute": compute_in(item)})
