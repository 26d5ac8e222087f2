"""Archived jobs in the bucket, the keys of the ledger's names, and the note that a job was erased."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.archive.record import ArchivedHead, ArchivedJob, packed
from shared.jobs.checkpoints import StageOutput
from shared.jobs.ids import new_job_id
from shared.jobs.job import Job, JobLinks, JobStatus, LinkKind
from shared.log.events import Item
from shared.storage import archive as adapter
from shared.storage import aws
from shared.storage.archive import S3ArchiveStore, S3UsageLedger
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.core import a_job
from tests.storage.ports import ARCHIVE_DAYS, AwsServer, Ports

MONTH = "2026-03"
LINKED = JobLinks(project_id="prj_1", session_id="ses_1")


def an_owner() -> str:
    return f"user-{new_job_id(0)}"


def a_record(owner: str, *, seconds: int = 0, **fields: Any) -> ArchivedJob:
    created = NOON.timestamp() + seconds
    values: dict[str, Any] = {"status": JobStatus.FAILED, "ended_at": NOON, **fields}
    job = a_job(new_job_id(int(created * 1000)), owner=owner, **values)
    return record_of(job)


def record_of(job: Job, **fields: Any) -> ArchivedJob:
    values: dict[str, Any] = {
        "retention": "linked" if job.links.by_kind() else "standard",
        "archived_at": NOON,
        "job": job,
        "input": job.input,
        "text": "a draft",
        "items": (Item(stage="draft", key="1", data={"line": "one"}, text_length=3),),
        "progress": 50,
        "last_event_id": 7,
        "outputs": {"draft": StageOutput(output={"a": 1}, text="a draft")},
    }
    return ArchivedJob(**{**values, **fields})


def head_of(record: ArchivedJob) -> ArchivedHead:
    head = ArchivedHead(retention=record.retention, archived_at=record.archived_at, job=record.job)
    return head.model_copy(update={"job": record.job.model_copy(update={"input": {}})})


class TestRecords:
    def test_a_record_is_read_as_it_was_stored(self, ports: Ports) -> None:
        record = a_record(an_owner())
        ports.archive.put(record)
        found = ports.archive.get(record.job.owner, record.job.id)
        assert found is not None
        assert found.whole_job == record.job
        assert found.model_copy(update={"job": record.job}) == record
        assert ports.archive.heads(record.job.owner, [record.job.id]) == [head_of(record)]

    def test_a_record_is_the_owners_only(self, ports: Ports) -> None:
        record = a_record(an_owner())
        ports.archive.put(record)
        eve = an_owner()
        assert ports.archive.get(eve, record.job.id) is None
        assert ports.archive.heads(eve, [record.job.id]) == []
        assert ports.archive.page(eve, MONTH, after=None, limit=5) == []

    @pytest.mark.parametrize("job_id", ["job_a" + "0" * 26, "job_a" + "z" * 26])
    def test_an_unknown_id_is_not_archived(self, ports: Ports, job_id: str) -> None:
        assert ports.archive.get("ada", job_id) is None

    def test_an_older_record_replaces_no_newer_one(self, ports: Ports) -> None:
        first = a_record(an_owner())
        second = first.job.model_copy(update={"generation": 2})
        ports.archive.put(record_of(second, text="again"))
        ports.archive.put(first)
        found = ports.archive.get(second.owner, second.id)
        assert found is not None
        assert (found.job.generation, found.text) == (2, "again")

    def test_a_record_expires_at_the_midnight_after_its_days(self, ports: Ports) -> None:
        owner = an_owner()
        short, long = a_record(owner), a_record(owner, links=LINKED)
        for each in (short, long):
            ports.archive.put(each)
        ports.clock.advance(3 * 86_400)
        assert ports.archive.get(owner, short.job.id) is None
        assert ports.archive.get(owner, long.job.id) is not None
        assert [head.job.id for head in ports.archive.heads(owner, [short.job.id, long.job.id])] == [long.job.id]


class TestLists:
    def test_a_month_is_listed_in_the_order_of_creation(self, ports: Ports) -> None:
        owner = an_owner()
        records = [a_record(owner, seconds=each, links=LINKED if each % 2 else JobLinks()) for each in range(5)]
        ids = [each.job.id for each in records]
        for record in reversed(records):
            ports.archive.put(record)
        ports.archive.put(a_record(owner, seconds=40 * 86_400))
        assert ports.archive.page(owner, MONTH, after=None, limit=10) == ids
        assert ports.archive.page(owner, MONTH, after=None, limit=2) == ids[:2]
        assert ports.archive.page(owner, MONTH, after=ids[1], limit=2) == ids[2:4]
        assert ports.archive.page(owner, MONTH, after=ids[4], limit=2) == []

    def test_the_jobs_of_a_link_are_listed(self, ports: Ports) -> None:
        owner = an_owner()
        records = [a_record(owner, seconds=each, links=LINKED) for each in range(3)]
        ids = [each.job.id for each in records]
        for record in records:
            ports.archive.put(record)
        ports.archive.put(a_record(owner))
        for kind, entity_id in LINKED.by_kind().items():
            assert list(ports.archive.linked(owner, kind, entity_id)) == ids
        assert list(ports.archive.linked(owner, LinkKind.PROJECT, "prj_1", after=ids[0])) == ids[1:]
        assert list(ports.archive.linked(owner, LinkKind.PROJECT, "prj_2")) == []
        assert list(ports.archive.linked(an_owner(), LinkKind.PROJECT, "prj_1")) == []


class TestErasure:
    def test_a_record_is_erased_with_its_places_under_its_links(self, ports: Ports) -> None:
        owner = an_owner()
        records = [a_record(owner, seconds=each, links=LINKED) for each in range(2)]
        for record in records:
            ports.archive.put(record)
        for _ in range(2):
            ports.archive.erase(owner, records[0].job.id)
        assert ports.archive.get(owner, records[0].job.id) is None
        assert list(ports.archive.linked(owner, LinkKind.SESSION, "ses_1")) == [records[1].job.id]
        assert list(ports.archive.every_id(owner)) == [records[1].job.id]

    def test_places_without_records_are_erased(self, ports: Ports) -> None:
        owner = an_owner()
        record = a_record(owner, links=LINKED)
        ports.archive.put(record)
        ports.archive.erase_place(owner, LinkKind.SESSION, "ses_1", record.job.id)
        assert list(ports.archive.linked(owner, LinkKind.SESSION, "ses_1")) == []
        assert ports.archive.erase_places(owner) == 1
        assert ports.archive.erase_places(owner) == 0

    def test_an_erased_job_is_not_restored(self, ports: Ports) -> None:
        job = a_job(status=JobStatus.FAILED)
        assert not ports.jobs.is_erased(job.id)
        ports.jobs.mark_erased(job.owner, job.id)
        assert ports.jobs.is_erased(job.id)
        assert not ports.jobs.restore(job)
        assert ports.jobs.get(job.id) is None

    def test_a_job_is_restored_if_it_has_expired_and_left_alone_if_not(self, ports: Ports) -> None:
        job = a_job(status=JobStatus.FAILED, links=JobLinks(project_id=an_owner()))
        assert ports.jobs.restore(job)
        assert ports.jobs.restore(job.model_copy(update={"progress": 10.0}))
        assert ports.jobs.get(job.id) == job
        ports.clock.advance(7200)
        later = job.model_copy(update={"expires_at": job.expires_at + 7200, "progress": 20.0})
        assert ports.jobs.restore(later)
        assert ports.jobs.get(job.id) == later


class TestKeys:
    def test_an_owner_has_one_key_until_it_is_erased(self, ports: Ports) -> None:
        owner = an_owner()
        assert ports.owner_keys.of(owner, create=False) is None
        key = ports.owner_keys.of(owner, create=True)
        assert key is not None
        assert ports.owner_keys.of(owner, create=True) == ports.owner_keys.of(owner, create=False) == key
        assert ports.owner_keys.of(an_owner(), create=True) != key
        assert ports.owner_keys.erase(owner)
        assert not ports.owner_keys.erase(owner)
        assert ports.owner_keys.of(owner, create=True) != key


def key_of(record: ArchivedJob) -> str:
    key = adapter._key(record.retention, record.job.owner, record.job.id)
    assert key is not None
    return key


@pytest.fixture
def archive(moto: AwsServer) -> S3ArchiveStore:
    return S3ArchiveStore(moto.bucket, days=ARCHIVE_DAYS, clock=SettableClock())


class TestForeignObjects:
    def test_a_file_of_another_job_under_the_key_does_not_exist(self, moto: AwsServer, archive: S3ArchiveStore) -> None:
        mine, other = a_record(an_owner()), a_record(an_owner())
        moto.s3.put_object(Bucket=moto.bucket, Key=key_of(mine), Body=packed(other))
        assert archive.get(mine.job.owner, mine.job.id) is None
        assert archive.heads(mine.job.owner, [mine.job.id]) == []

    @pytest.mark.parametrize("file", [b"", b"no gzip at all", b"\x1f\x8b\x08"])
    def test_a_file_that_is_no_record_does_not_exist_and_is_replaced(
        self, moto: AwsServer, archive: S3ArchiveStore, file: bytes
    ) -> None:
        record = a_record(an_owner())
        moto.s3.put_object(Bucket=moto.bucket, Key=key_of(record), Body=file)
        assert archive.get(record.job.owner, record.job.id) is None
        assert archive.heads(record.job.owner, [record.job.id]) == []
        archive.put(record)
        assert archive.get(record.job.owner, record.job.id) is not None

    def test_keys_that_name_no_job_are_left_out_of_lists(self, moto: AwsServer, archive: S3ArchiveStore) -> None:
        record = a_record(an_owner())
        archive.put(record)
        moto.s3.put_object(Bucket=moto.bucket, Key=key_of(record).replace("job_", "a_"), Body=b"")
        assert archive.page(record.job.owner, MONTH, after=None, limit=5) == [record.job.id]

    @pytest.mark.parametrize("code", ["AccessDenied", "NoSuchKey"])
    def test_an_object_that_s3_does_not_show_is_not_archived(
        self, archive: S3ArchiveStore, monkeypatch: pytest.MonkeyPatch, code: str
    ) -> None:
        def refuse(**_: object) -> None:
            metadata = {"HTTPStatusCode": 403 if code == "AccessDenied" else 404}
            raise ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "GetObject")  # type: ignore[typeddict-item]

        monkeypatch.setattr(aws.client("s3"), "get_object", refuse)
        assert archive.get("ada", new_job_id(int(NOON.timestamp() * 1000))) is None

    def test_a_newer_record_that_is_stored_between_the_read_and_the_write_stays(
        self, archive: S3ArchiveStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = a_record(an_owner())
        second = record_of(first.job.model_copy(update={"generation": 2}))
        put_if = archive._put_if
        stored: list[ArchivedJob] = []

        def put_late(*arguments: Any) -> bool:
            if not stored:
                stored.append(second)
                archive.put(second)
            return put_if(*arguments)

        monkeypatch.setattr(archive, "_put_if", put_late)
        archive.put(first)
        found = archive.get(first.job.owner, first.job.id)
        assert found is not None
        assert found.job.generation == 2


def test_the_ledger_has_one_object_for_each_name(moto: AwsServer) -> None:
    ledger = S3UsageLedger(moto.bucket)
    for lines in (["a"], ["b", "c"]):
        ledger.put("2026-03-01", "batch", lines)
    found = moto.s3.list_objects_v2(Bucket=moto.bucket, Prefix="usage/dt=2026-03-01/")
    assert [each["Key"] for each in found["Contents"]] == ["usage/dt=2026-03-01/batch.jsonl.gz"]
