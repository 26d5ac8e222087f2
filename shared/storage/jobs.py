"""Jobs in DynamoDB: one item each, moved by conditional updates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shared.clock import Clock
from shared.jobs.ids import JOB_ID
from shared.jobs.job import Job
from shared.jobs.store import JobFilter, JobGuard, JobPage, StaleWrite
from shared.storage import keys
from shared.storage.attributes import from_item, to_attribute, to_item
from shared.storage.aws import dynamodb, refused_condition, storage_faults
from shared.storage.cursors import decode_cursor, encode_cursor
from shared.ulid import ALPHABET

BY_OWNER = "ByOwner"
LIVE_JOBS = "LiveJobs"
LIVE_SHARDS = 8
"""Partitions of the index of live jobs: a thousand new jobs a second would be too many for one."""

INDEX_ATTRIBUTES = ("ownerSort", "live")


class DynamoJobStore:
    """The JobStore on a DynamoDB table."""

    def __init__(self, table: str, *, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def put_new(self, job: Job) -> None:
        values = job.model_dump(mode="json", exclude_none=True)
        # The index sorts by id, which begins with the time of creation.
        item = to_item(
            {
                "PK": keys.job_partition(job.id),
                "SK": keys.JOB,
                "ownerSort": job.id,
                "live": _live_shard(job.id),
                **values,
            }
        )
        try:
            with refused_condition(_Existing):
                dynamodb().put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(PK)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except _Existing as existing:
            # A write whose answer was lost is repeated by botocore and finds itself.
            if existing.item is None or from_item(existing.item) != from_item(item):
                raise ValueError(f"{job.id} is stored already") from existing

    def get(self, job_id: str) -> Job | None:
        with storage_faults():
            found = dynamodb().get_item(TableName=self._table, Key=_key(job_id), ConsistentRead=True)
        return self._shown(found.get("Item"))

    def update(self, job_id: str, changes: Mapping[str, Any], *, when: JobGuard) -> Job:
        values = Job.model_construct(**changes).model_dump(mode="json", include=set(changes), warnings=False)
        now = int(self._clock().timestamp())
        names, attributes = {"#expiresAt": "expiresAt"}, {":now": to_attribute(now)}
        assignments = []
        for place, (name, value) in enumerate(values.items()):
            names[f"#s{place}"] = name
            attributes[f":s{place}"] = to_attribute(value)
            assignments.append(f"#s{place} = :s{place}")
        expression = "SET " + ", ".join(assignments)
        if "status" in changes:
            # In the index of live jobs exactly while it is one.
            names["#live"] = "live"
            if changes["status"].ended:
                expression += " REMOVE #live"
            else:
                expression += ", #live = :live"
                attributes[":live"] = to_attribute(_live_shard(job_id))
        conditions = ["#expiresAt > :now", *_conditions(when, names, attributes)]
        with refused_condition(lambda item: StaleWrite(self._shown(item))):
            updated = dynamodb().update_item(
                TableName=self._table,
                Key=_key(job_id),
                UpdateExpression=expression,
                ConditionExpression=" AND ".join(conditions),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=attributes,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        return _job(updated["Attributes"])

    def live(self) -> Iterator[Job]:
        for shard in range(LIVE_SHARDS):
            start: dict[str, Any] = {}
            while True:
                with storage_faults():
                    page = dynamodb().query(
                        TableName=self._table,
                        IndexName=LIVE_JOBS,
                        KeyConditionExpression="#live = :live",
                        ExpressionAttributeNames={"#live": "live"},
                        ExpressionAttributeValues={":live": to_attribute(f"LIVE#{shard}")},
                        **start,
                    )
                found = self._load_all([item["ownerSort"]["S"] for item in page["Items"]])
                yield from (job for job in found.values() if not job.status.ended)
                if "LastEvaluatedKey" not in page:
                    break
                start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def list_owned(self, owner: str, *, where: JobFilter, limit: int, cursor: str | None) -> JobPage:
        start: dict[str, Any] | None = None
        if cursor is not None:
            last_id = decode_cursor(cursor, JOB_ID)
            start = {"owner": {"S": owner}, "ownerSort": {"S": last_id}, **_key(last_id)}
        jobs: list[Job] = []
        while True:
            query: dict[str, Any] = {"ExclusiveStartKey": start} if start else {}
            with storage_faults():
                page = dynamodb().query(
                    TableName=self._table,
                    IndexName=BY_OWNER,
                    KeyConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": {"S": owner}},
                    ScanIndexForward=False,
                    Limit=max(limit, 25),
                    **query,
                )
            found = self._load_all([item["ownerSort"]["S"] for item in page["Items"]])
            for key in page["Items"]:
                job = found.get(key["ownerSort"]["S"])
                if job is None or not where.matches(job):
                    continue
                jobs.append(job)
                if len(jobs) == limit:
                    more = key is not page["Items"][-1] or "LastEvaluatedKey" in page
                    return JobPage(jobs, encode_cursor(job.id) if more else None)
            start = page.get("LastEvaluatedKey")
            if start is None:
                return JobPage(jobs, None)

    def _load_all(self, job_ids: list[str]) -> dict[str, Job]:
        """The shown ones among these jobs, a hundred at a time as BatchGetItem allows."""
        jobs: dict[str, Job] = {}
        for begin in range(0, len(job_ids), 100):
            wanted: Any = {self._table: {"Keys": [_key(each) for each in job_ids[begin : begin + 100]]}}
            while wanted:
                with storage_faults():
                    answer = dynamodb().batch_get_item(RequestItems=wanted)
                for item in answer["Responses"].get(self._table, []):
                    job = self._shown(item)
                    if job is not None:
                        jobs[job.id] = job
                wanted = answer.get("UnprocessedKeys")
        return jobs

    def _shown(self, item: Mapping[str, Any] | None) -> Job | None:
        """DynamoDB deletes expired items some time later; nobody sees them from the moment they expire."""
        if not item:
            return None
        job = _job(item)
        return None if job.expired(self._clock()) else job


class _Existing(Exception):
    def __init__(self, item: Mapping[str, Any] | None) -> None:
        super().__init__("exists")
        self.item = item


def _conditions(when: JobGuard, names: dict[str, str], attributes: dict[str, Any]) -> list[str]:
    conditions = []
    if when.status_in is not None:
        names["#status"] = "status"
        allowed = {f":status{place}": to_attribute(status) for place, status in enumerate(sorted(when.status_in))}
        attributes.update(allowed)
        conditions.append(f"#status IN ({', '.join(allowed)})")
    if when.generation is not None:
        names["#generation"] = "generation"
        attributes[":generation"] = to_attribute(when.generation)
        conditions.append("#generation = :generation")
    for operator, fence in (("<=", when.fence_up_to), ("=", when.fence_is)):
        if fence is not None:
            names["#fence"] = "fence"
            attributes[":fence"] = to_attribute(fence)
            conditions.append(f"#fence {operator} :fence")
    return conditions


def _live_shard(job_id: str) -> str:
    return f"LIVE#{ALPHABET.index(job_id[-1]) % LIVE_SHARDS}"


def _key(job_id: str) -> dict[str, Any]:
    return {"PK": {"S": keys.job_partition(job_id)}, "SK": {"S": keys.JOB}}


def _job(item: Mapping[str, Any]) -> Job:
    values = from_item(item)
    for name in ("PK", "SK", *INDEX_ATTRIBUTES):
        values.pop(name, None)
    return Job.model_validate(values)
