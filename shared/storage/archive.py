"""Store archived jobs and the usage ledger in S3.

A record is `archive/<retention>/<hash of the owner>/<month>/<job id>.json.gz`, so a reader that knows owner and id
finds it without a list. Without permission to list, S3 says 403 of an object that is not stored.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import Final

from shared.archive.record import (
    HEAD_BYTES,
    ArchivedHead,
    ArchivedJob,
    Retention,
    UnreadableRecord,
    packed,
    rank,
    unpacked,
    unpacked_head,
)
from shared.archive.retention import ArchiveDays
from shared.clock import Clock
from shared.errors import StorageThrottled
from shared.jobs.ids import JOB_ID, ulid_of
from shared.jobs.job import LinkKind
from shared.observability.log import log
from shared.storage.aws import s3, storage_faults
from shared.storage.objects import MISSING, at_once
from shared.ulid import milliseconds_of

FOLDER = "archive"
"""The folder of the bucket with archived jobs."""

LINKS = "by-link"
"""The folder in FOLDER with an empty object for each link of an archived job, beside those of the retentions."""

LEDGER = "usage"
"""The folder of the bucket with the usage ledger."""

SUFFIX = ".json.gz"

RETENTIONS: tuple[Retention, ...] = ("standard", "linked")
"""All retentions. An erasure looks under each of them, because parameters change."""

CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409", "NoSuchKey", "404"})
"""Codes with which S3 refuses a conditional write, because the object has changed or is gone."""

NEW: Final[Mapping[str, str]] = {"IfNoneMatch": "*"}
"""The condition of a write that replaces nothing."""

MAX_ATTEMPTS = 5
"""Maximum attempts at a conditional write when other processes store the same job's record."""

LATEST = datetime(9999, 12, 1, tzinfo=UTC)
"""An id that names a later time was not made here."""


class S3ArchiveStore:
    """The ArchiveStore on a bucket; the port describes the methods."""

    def __init__(self, bucket: str, *, days: ArchiveDays, clock: Clock) -> None:
        self._bucket = bucket
        self._days = days
        self._clock = clock

    def put(self, record: ArchivedJob) -> None:
        job = record.job
        key = _key(record.retention, job.owner, job.id)
        if key is None:
            raise ValueError(f"{job.id} is not the id of a job")
        # The places first: a record without them would stay when what it is linked to is deleted.
        if record.retention == "linked":
            for kind, entity_id in job.links.by_kind().items():
                with storage_faults():
                    s3().put_object(Bucket=self._bucket, Key=_place(job.owner, kind, entity_id, job.id), Body=b"")
        file = packed(record)
        condition = NEW  # few jobs are resumed, and deliveries of an end are seldom repeated
        for _ in range(MAX_ATTEMPTS):
            if self._put_if(key, file, condition):
                return
            stored, condition = self._stored_head(key)
            if stored is not None and rank(stored) > rank(record):
                return
        raise StorageThrottled("other processes keep storing the same job's record; try again")

    def _stored_head(self, key: str) -> tuple[ArchivedHead | None, Mapping[str, str]]:
        """Return the head of the stored record, and the condition under which a write replaces just this one."""
        found = self._get(key, most=HEAD_BYTES)
        if found is None:
            return None, NEW
        beginning, tag = found
        condition = {"IfMatch": tag}
        try:
            return unpacked_head(beginning), condition
        except UnreadableRecord:
            return None, condition  # replace it by one that can be read

    def _put_if(self, key: str, file: bytes, condition: Mapping[str, str]) -> bool:
        with _refusals(CHANGED) as refused:
            s3().put_object(
                Bucket=self._bucket,
                Key=key,
                Body=file,
                ContentType="application/gzip",
                **condition,  # type: ignore[arg-type]  # IfMatch and IfNoneMatch
            )
        return not refused

    def get(self, owner: str, job_id: str) -> ArchivedJob | None:
        for retention in self._days.kept:
            key = _key(retention, owner, job_id)
            found = self._get(key) if key is not None else None
            if found is None:
                continue
            try:
                record = unpacked(found[0])
            except UnreadableRecord as error:
                log.defect("archived job not readable", error, job_id=job_id)
                continue
            if self._is_shown(record, owner, job_id):
                return record
        return None

    def page(self, owner: str, month: str, *, after: str | None, limit: int) -> Sequence[str]:
        folders = [f"{FOLDER}/{retention}/{_hash(owner)}/{month}/" for retention in self._days.kept]
        found = merge(*(self._ids(folder, after=after, limit=limit) for folder in folders))
        # Each once: a job whose retention has changed has a record in both folders.
        return list(dict.fromkeys(islice(found, limit)))

    def heads(self, owner: str, job_ids: Sequence[str]) -> Sequence[ArchivedHead]:
        found = at_once(lambda job_id: self._head(owner, job_id), job_ids)
        return [head for head in found if head is not None]

    def linked(self, owner: str, kind: LinkKind, entity_id: str, *, after: str | None = None) -> Iterator[str]:
        yield from self._ids(_places(owner, kind, entity_id), after=after)

    def erase(self, owner: str, job_id: str) -> None:
        keys = [key for retention in RETENTIONS if (key := _key(retention, owner, job_id)) is not None]
        for key in keys:
            head, _ = self._stored_head(key)
            for kind, entity_id in head.job.links.by_kind().items() if head is not None else ():
                self.erase_place(owner, kind, entity_id, job_id)
        # The records last, because they name the places.
        for key in keys:
            self._delete(key)

    def erase_place(self, owner: str, kind: LinkKind, entity_id: str, job_id: str) -> None:
        self._delete(_place(owner, kind, entity_id, job_id))

    def every_id(self, owner: str) -> Iterator[str]:
        for retention in RETENTIONS:
            for key in self._listed(f"{FOLDER}/{retention}/{_hash(owner)}/"):
                yield key.rpartition("/")[2].removesuffix(SUFFIX)

    def erase_places(self, owner: str) -> int:
        keys = list(self._listed(f"{FOLDER}/{LINKS}/{_hash(owner)}/"))
        for key in keys:
            self._delete(key)
        return len(keys)

    def _head(self, owner: str, job_id: str) -> ArchivedHead | None:
        for retention in self._days.kept:
            key = _key(retention, owner, job_id)
            found = self._get(key, most=HEAD_BYTES) if key is not None else None
            if found is None:
                continue
            try:
                head = unpacked_head(found[0])
            except UnreadableRecord as error:
                log.defect("archived job not readable", error, job_id=job_id)
                continue
            if self._is_shown(head, owner, job_id):
                return head
        return None

    def _is_shown(self, head: ArchivedHead, owner: str, job_id: str) -> bool:
        """Return whether the record is the owner's and has not expired: S3 deletes expired objects some time later."""
        if (head.job.owner, head.job.id) != (owner, job_id):
            log.error("archived job is not the one that its key names", job_id=job_id)
            return False
        return self._clock() < self._days.expires_at(head)

    def _get(self, key: str, *, most: int | None = None) -> tuple[bytes, str] | None:
        """Return the object, at most its first `most` bytes, and its tag; None if it is not stored."""
        read: tuple[bytes, str] | None = None
        with _refusals(MISSING):
            found = s3().get_object(Bucket=self._bucket, Key=key)
            with contextlib.closing(found["Body"]) as body:
                read = body.read(most), found["ETag"]
        return read

    def _ids(self, folder: str, *, after: str | None, limit: int | None = None) -> Iterator[str]:
        """Yield the ids that the keys in the folder end with, in order, after one of them."""
        suffix = SUFFIX if folder.startswith(tuple(f"{FOLDER}/{each}/" for each in RETENTIONS)) else ""
        # "~" is above every character of an id and of the suffix.
        start = "" if after is None else f"{folder}{after}~"
        for key in islice(self._listed(folder, after=start), limit):
            job_id = key.removeprefix(folder).removesuffix(suffix)
            if JOB_ID.fullmatch(job_id):
                yield job_id

    def _listed(self, prefix: str, *, after: str = "") -> Iterator[str]:
        pages = s3().get_paginator("list_objects_v2")
        with storage_faults():
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix, StartAfter=after):
                yield from (found["Key"] for found in page.get("Contents", ()))

    def _delete(self, key: str) -> None:
        with storage_faults():
            s3().delete_object(Bucket=self._bucket, Key=key)


class S3UsageLedger:
    """The UsageLedger on a bucket; the port describes the method."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def put(self, day: str, name: str, lines: Sequence[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        with storage_faults():
            s3().put_object(
                Bucket=self._bucket,
                Key=f"{LEDGER}/dt={day}/{name}.jsonl.gz",
                Body=gzip.compress(text.encode(), mtime=0),
                ContentType="application/gzip",
            )


@contextlib.contextmanager
def _refusals(codes: frozenset[str]) -> Iterator[list[str]]:
    """Collect the code of a request that S3 refuses with one of `codes`; raise the faults of `storage_faults`."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as in shared/storage/aws.py

    refused: list[str] = []
    try:
        with storage_faults():
            yield refused
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code not in codes:
            raise
        refused.append(code)


def month_of(job_id: str) -> str | None:
    """Return the month in UTC in which the job was created, such as `2026-11`; None if the id names no such time."""
    milliseconds = milliseconds_of(ulid_of(job_id))
    if milliseconds >= LATEST.timestamp() * 1000:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m")


def _key(retention: Retention, owner: str, job_id: str) -> str | None:
    """Return the key of the job's record; None if the text is not a job's id."""
    month = month_of(job_id) if JOB_ID.fullmatch(job_id) else None
    return None if month is None else f"{FOLDER}/{retention}/{_hash(owner)}/{month}/{job_id}{SUFFIX}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _places(owner: str, kind: LinkKind, entity_id: str) -> str:
    return f"{FOLDER}/{LINKS}/{_hash(owner)}/{kind}/{_hash(entity_id)}/"


def _place(owner: str, kind: LinkKind, entity_id: str, job_id: str) -> str:
    return f"{_places(owner, kind, entity_id)}{job_id}"
