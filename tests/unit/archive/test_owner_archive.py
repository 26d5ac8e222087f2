"""Erasing an owner from the archive and from the usage ledger."""

from __future__ import annotations

from datetime import timedelta

from shared.archive.owner_archive import OwnerArchive, OwnerLedgerKey
from shared.archive.record import ArchivedJob
from shared.erasure.owner_data import ErasedStep
from shared.jobs.ids import new_job_id
from shared.jobs.job import JobLinks, JobStatus
from tests.fakes.clock import NOON
from tests.fakes.core import FakeCore, a_job

LATER = NOON + timedelta(hours=1)


def archived(core: FakeCore, owner: str, index: int) -> None:
    job = a_job(
        new_job_id(int(NOON.timestamp() * 1000) + index),
        owner=owner,
        status=JobStatus.CANCELLED,
        links=JobLinks(project_id="prj_1"),
    )
    core.archive.put(
        ArchivedJob(retention="linked", archived_at=NOON, job=job, input={}, text="", progress=0, last_event_id=1)
    )


def test_an_owners_records_and_places_go_and_anothers_stay() -> None:
    core = FakeCore()
    for index in range(3):
        archived(core, "ada", index)
        archived(core, "eve", index + 10)
    core.archive.files.pop(next(key for key in core.archive.files if key[0] == "ada"))
    part = OwnerArchive(core.archive, clock=core.clock)

    assert part.erase_some("ada", until=LATER, settled=False) == ErasedStep(3, done=True)
    assert part.erase_some("ada", until=LATER, settled=True) == ErasedStep(0, done=True)

    assert {owner for owner, _ in core.archive.files} == {place[0] for place in core.archive.places} == {"eve"}
    assert len(core.archive.files) == 3


def test_a_step_ends_at_its_time_and_the_next_continues() -> None:
    core = FakeCore()
    for index in range(3):
        archived(core, "ada", index)
    part = OwnerArchive(core.archive, clock=core.clock)

    steps = [part.erase_some("ada", until=NOON, settled=False) for _ in range(3)]

    assert [step.count for step in steps] == [1, 1, 1]
    assert not core.archive.files


def test_the_ledgers_key_of_an_owner_is_deleted() -> None:
    core = FakeCore()
    keys = core.ports.owner_keys
    for owner in ("ada", "eve"):
        keys.of(owner, create=True)
    part = OwnerLedgerKey(keys)

    assert part.erase_some("ada", until=LATER, settled=False) == ErasedStep(1, done=True)
    assert part.erase_some("ada", until=LATER, settled=True) == ErasedStep(0, done=True)
    assert keys.keys.keys() == {"eve"}
