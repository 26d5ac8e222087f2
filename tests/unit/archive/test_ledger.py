"""The usage ledger: what its lines say, and that a reader counts each job once."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shared.archive.ledger import End, UsageAccounts, line_of, pseudonym
from shared.errors import ErrorCode
from shared.jobs.ids import new_job_id
from shared.jobs.job import Fault, Job, JobStatus
from shared.log.usage import TokenUsage
from tests.fakes.archive import FakeOwnerKeys, FakeUsageLedger
from tests.fakes.clock import NOON
from tests.fakes.core import a_job

ROOT = Path(__file__).parents[3]
SUMS = """
    SELECT count(*), sum(inputTokens), sum(outputTokens), sum(unreportedCalls), sum(costUsd), sum(seconds),
           count(DISTINCT owner), count(*) FILTER (status = 'failed')
    FROM (
        SELECT * FROM read_json($files, format = 'newline_delimited', hive_partitioning = true, columns = $columns)
        QUALIFY row_number() OVER (PARTITION BY jobId ORDER BY generation DESC, updatedAt DESC) = 1
    )
"""
COLUMNS = {
    "jobId": "VARCHAR",
    "generation": "INTEGER",
    "owner": "VARCHAR",
    "status": "VARCHAR",
    "updatedAt": "TIMESTAMPTZ",
    "seconds": "DOUBLE",
    "inputTokens": "BIGINT",
    "outputTokens": "BIGINT",
    "unreportedCalls": "BIGINT",
    "costUsd": "DOUBLE",
}


def ended(index: int, chance: random.Random) -> Job:
    """Return one of many ended jobs, spread over a few days and owners."""
    created = NOON + timedelta(minutes=3 * index)
    at = created + timedelta(seconds=chance.randint(1, 300))
    cost = None if index % 10 == 0 else chance.randint(1, 10_000) / 1_000_000
    usage = TokenUsage(
        input_tokens=chance.randint(0, 5000),
        output_tokens=chance.randint(0, 5000),
        unreported_calls=int(index % 17 == 0),
        cost_usd=cost,
    )
    status = chance.choice([JobStatus.COMPLETED, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
    return a_job(
        new_job_id(int(created.timestamp() * 1000)),
        owner=f"user-{index % 7}",
        status=status,
        usage=usage,
        created_at=created,
        updated_at=at,
        ended_at=at,
    )


def resumed(job: Job) -> Job:
    """Return the job as it ends once more: its usage counts the generation before too."""
    at = job.updated_at + timedelta(days=1)
    more = job.usage + TokenUsage(input_tokens=100, output_tokens=200, cost_usd=0.001)
    changes = {"generation": 2, "usage": more, "updated_at": at, "ended_at": at, "status": JobStatus.COMPLETED}
    return job.model_copy(update=changes)


def batches(ends: Sequence[Job], chance: random.Random) -> Iterator[Sequence[Job]]:
    """Yield the ends as Lambda delivers them: in batches, some of them twice, some in other batches again."""
    position = 0
    while position < len(ends):
        batch = ends[position : position + chance.randint(1, 50)]
        yield batch
        if chance.random() < 0.3:
            yield batch
        if chance.random() < 0.3:
            yield batch[len(batch) // 2 :]
        position += len(batch)


def written(ends: Sequence[Job], folder: Path, *, chance: random.Random) -> FakeOwnerKeys:
    """Write the ledger of these ends as files, as they are in the bucket."""
    ledger, keys = FakeUsageLedger(), FakeOwnerKeys()
    for batch in batches(ends, chance):
        UsageAccounts(ledger, keys).count(End(job, erased=False) for job in batch)
    for (day, name), lines in ledger.objects.items():
        file = folder / f"dt={day}" / f"{name}.jsonl.gz"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return keys


def query(sql: str, folder: Path, columns: Mapping[str, str] = COLUMNS) -> Sequence[Any]:
    with duckdb.connect() as database:
        files = str(folder / "dt=*" / "*.jsonl.gz")
        found = database.execute(sql, {"files": files, "columns": columns}).fetchone()
        assert found is not None
        return found


def test_the_sums_of_the_ledger_are_those_of_a_thousand_jobs(tmp_path: Path) -> None:
    chance = random.Random(18)
    first = [ended(index, chance) for index in range(1000)]
    again = [resumed(job) for job in first if job.status is not JobStatus.COMPLETED][:50]
    ends = sorted([*first, *again], key=lambda job: job.updated_at)
    written(ends, tmp_path, chance=chance)
    last = {job.id: job for job in ends}.values()
    costs = [job.usage.cost_usd for job in last if job.usage.cost_usd is not None]
    count, read, wrote, unreported, cost, seconds, owners, failed = query(SUMS, tmp_path)
    assert (count, owners) == (1000, 7)
    assert (read, wrote) == (
        sum(job.usage.input_tokens for job in last),
        sum(job.usage.output_tokens for job in last),
    )
    assert unreported == sum(job.usage.unreported_calls for job in last)
    assert cost == pytest.approx(sum(costs))
    assert seconds == pytest.approx(sum((time_of(job.ended_at) - job.created_at).total_seconds() for job in last))
    assert failed == sum(job.status is JobStatus.FAILED for job in last)


def time_of(at: datetime | None) -> datetime:
    assert at is not None
    return at


def test_a_batch_that_comes_again_replaces_its_objects() -> None:
    chance = random.Random(1)
    ledger, accounts_keys = FakeUsageLedger(), FakeOwnerKeys()
    jobs = [ended(index, chance) for index in range(0, 900, 300)]
    accounts = UsageAccounts(ledger, accounts_keys)
    accounts.count(End(job, erased=False) for job in jobs)
    first = dict(ledger.objects)
    accounts.count(End(job, erased=False) for job in reversed(jobs))
    assert ledger.objects == first
    assert len({day for day, _ in first}) == 2


def test_a_line_has_nothing_of_a_jobs_content_and_not_its_owners_name() -> None:
    secrets = ("rivers", "ada", "why it failed", "frame 1")
    fault = Fault(code=ErrorCode.MODEL_REFUSED, message="why it failed", stack_trace="frame 1")
    job = a_job(status=JobStatus.FAILED, failure=fault, ended_at=NOON)
    text = line_of(job, key=b"secret").model_dump_json()
    assert not [each for each in secrets if each in text]
    assert '"failureCode":"MODEL_REFUSED"' in text


def test_the_name_of_an_owner_follows_from_a_key_of_their_own() -> None:
    assert pseudonym("ada", b"1") == pseudonym("ada", b"1")
    assert len({pseudonym("ada", b"1"), pseudonym("ada", b"2"), pseudonym("eve", b"1")}) == 3


def test_an_erased_owner_gets_no_new_key() -> None:
    ledger, keys = FakeUsageLedger(), FakeOwnerKeys()
    UsageAccounts(ledger, keys).count([End(a_job(status=JobStatus.FAILED, ended_at=NOON), erased=True), None])
    assert not keys.keys
    ((line,),) = ledger.objects.values()
    assert '"owner":null' in line


def test_without_a_ledger_nobody_gets_a_key() -> None:
    keys = FakeOwnerKeys()
    UsageAccounts(None, keys).count([End(a_job(status=JobStatus.FAILED, ended_at=NOON), erased=False)])
    assert not keys.keys


def test_the_query_of_the_documentation_adds_up(tmp_path: Path) -> None:
    chance = random.Random(2)
    jobs = [ended(index, chance) for index in range(40)]
    written(jobs, tmp_path, chance=chance)
    page = (ROOT / "docs" / "archive.md").read_text()
    sql = page.partition("```sql\n")[2].partition("```")[0]
    files = "s3://BUCKET/usage/dt=2026-11-*/*.jsonl.gz"
    assert files in sql
    with duckdb.connect() as database:
        found = database.execute(sql.replace(files, str(tmp_path / "dt=*" / "*.jsonl.gz")).rstrip("; \n")).fetchall()
    assert sum(row[1] for row in found) == len(jobs)
    assert sum(row[2] for row in found) == sum(job.usage.total_tokens for job in jobs)
