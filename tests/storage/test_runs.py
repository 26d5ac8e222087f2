"""The RunStore, in memory and on DynamoDB, writes a run together with its job and keeps it permanently."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.agents.agent import AgentRef
from shared.errors import ErrorCode, StorageThrottled
from shared.jobs.ids import new_job_id, new_run_id
from shared.jobs.job import Fault, Job, JobLinks, JobStatus
from shared.jobs.store import JobGuard, JobStore, PreparedWrites, SideWriteConflict, StaleWrite
from shared.runs.run import Artefact, Lineage, Run, Transform, TransformStatus
from shared.storage import transactions
from tests.fakes.clock import NOON
from tests.fakes.core import a_job
from tests.storage.at_once import CALLERS, at_once
from tests.storage.ports import AwsServer, Ports, adapters
from tests.storage.test_agents import an_agent

LATER = NOON + timedelta(seconds=90)
PENDING = JobGuard(status_in=frozenset({JobStatus.PENDING}))
CANCELLED = {"status": JobStatus.CANCELLED, "ended_at": LATER, "updated_at": LATER}
LARGE = {"text": "ü" * 60_000}
"""More bytes than the store keeps in an item."""


def live_jobs(jobs: JobStore) -> list[Job]:
    found: list[Job] = []
    page = jobs.live(cursor=None, limit=100)
    while page.cursor is not None:
        found.extend(page.jobs)
        page = jobs.live(cursor=page.cursor, limit=100)
    return [*found, *page.jobs]


def a_run(owner: str = "ada", run_id: str | None = None, **fields: Any) -> Run:
    values: dict[str, Any] = {
        "id": run_id or new_run_id(int(NOON.timestamp() * 1000)),
        "owner": owner,
        "kind": "ideation",
        "title": "a title – 💡",
        "status": TransformStatus.RUNNING,
        "transform_id": "tfm_1",
        "versions": {"parameters": 1},
        "digests": {"parameters": "d"},
        "revision": 1,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Run(**{**values, **fields})


def a_transform(run: Run, **fields: Any) -> Transform:
    values: dict[str, Any] = {
        "id": run.transform_id,
        "run_id": run.id,
        "kind": run.kind,
        "status": run.status,
        "job_id": new_job_id(0),
        "model": "scripted-1",
        "agent": AgentRef(agent_id="agt_1", version=3),
        "inputs": {"parameters": "parameters.v1"},
        "created_at": NOON,
    }
    return Transform(**{**values, **fields})


def an_artefact(run: Run, role: str = "parameters", version: int = 1, **fields: Any) -> Artefact:
    values: dict[str, Any] = {"run_id": run.id, "role": role, "version": version, "created_at": NOON}
    return Artefact(**{"content": {"role": role, "version": version}, **values, **fields})


def opening(ports: Ports, run: Run, *artefacts: Artefact) -> PreparedWrites:
    return ports.runs.prepare_creation(run, a_transform(run), artefacts or (an_artefact(run),))


def cancelling(ports: Ports, run: Run, *artefacts: Artefact, **fields: Any) -> PreparedWrites:
    """Prepare the run's next revision, which is cancelled."""
    ended = {"status": TransformStatus.CANCELLED, "revision": run.revision + 1, "updated_at": LATER}
    moved = run.model_copy(update={**ended, **fields})
    return ports.runs.prepare_revision(moved, a_transform(moved, ended_at=LATER), artefacts)


def opened(ports: Ports, owner: str = "ada", *artefacts: Artefact, **fields: Any) -> tuple[Job, Run]:
    """Create a job together with its run."""
    run = a_run(owner, **fields)
    job = a_job(owner=owner, links=JobLinks(run_id=run.id))
    ports.jobs.put_new(job, side_writes=opening(ports, run, *artefacts))
    return job, run


def lineage(ports: Ports, run: Run) -> Lineage:
    found = ports.runs.lineage(run.id)
    assert found is not None
    return found


class TestOpening:
    def test_the_store_returns_a_run_unchanged(self, ports: Ports) -> None:
        run = a_run(title="")
        fault = Fault(code=ErrorCode.MODEL_TIMEOUT, message="too slow – ⏳", stage="draft", retryable=True)
        transform = a_transform(run, failure=fault, retry_count=2, max_retries=5, ended_at=LATER)
        parameters = an_artefact(run, content={"nested": [1, 2.5, None, True, "ü\x00"], "empty": {}, "small": 1e-200})
        ports.jobs.put_new(a_job(), side_writes=ports.runs.prepare_creation(run, transform, (parameters,)))
        assert ports.runs.get(run.id) == run
        assert ports.runs.transform(run.id, transform.id) == transform
        assert lineage(ports, run) == Lineage(run, [transform], [parameters])

    def test_the_store_returns_none_for_an_unknown_run(self, ports: Ports) -> None:
        _, run = opened(ports)
        unknown = new_run_id(0)
        assert ports.runs.get(unknown) is None
        assert ports.runs.lineage(unknown) is None
        assert ports.runs.transform(run.id, "tfm_2") is None

    def test_no_job_is_stored_if_the_run_id_is_used(self, ports: Ports) -> None:
        _, run = opened(ports)
        job, other = a_job(), run.model_copy(update={"title": "another"})
        with pytest.raises(SideWriteConflict):
            ports.jobs.put_new(job, side_writes=opening(ports, other))
        assert ports.jobs.get(job.id) is None
        assert ports.runs.get(run.id) == run

    def test_of_two_contributors_neither_writes_if_the_condition_of_one_does_not_hold(self, ports: Ports) -> None:
        _, used = opened(ports)
        job, new, newer = a_job(), a_run(), a_run()
        refused = opening(ports, used.model_copy(update={"title": "another"}))
        with pytest.raises(SideWriteConflict):
            ports.jobs.put_new(job, side_writes=PreparedWrites(opening(ports, new).writes + refused.writes))
        assert (ports.jobs.get(job.id), ports.runs.get(new.id)) == (None, None)
        assert ports.runs.get(used.id) == used
        accepted = PreparedWrites(opening(ports, new).writes + opening(ports, newer).writes)
        ports.jobs.put_new(job, side_writes=accepted)
        assert (ports.runs.get(new.id), ports.runs.get(newer.id)) == (new, newer)

    @pytest.mark.parametrize("gone", ["unknown", "hidden", "removed"])
    def test_a_job_can_be_stored_on_the_condition_that_a_run_exists(self, ports: Ports, gone: str) -> None:
        _, run = opened(ports)
        job, later = a_job(), a_job()
        ports.jobs.put_new(job, side_writes=ports.runs.prepare_presence(run.id))
        assert (ports.jobs.get(job.id), ports.runs.get(run.id)) == (job, run)
        absent = run.id if gone != "unknown" else new_run_id(0)
        if gone != "unknown":
            ports.runs.hide(run.id)
        if gone == "removed":
            ports.runs.remove(run.id)
        with pytest.raises(SideWriteConflict):
            ports.jobs.put_new(later, side_writes=ports.runs.prepare_presence(absent))
        assert ports.jobs.get(later.id) is None

    def test_no_run_is_stored_if_the_job_id_is_used(self, ports: Ports) -> None:
        job, run = a_job(), a_run()
        ports.jobs.put_new(job)
        with pytest.raises(ValueError, match=job.id):
            ports.jobs.put_new(job.model_copy(update={"owner": "bob"}), side_writes=opening(ports, run))
        assert ports.runs.lineage(run.id) is None
        assert ports.jobs.get(job.id) == job

    def test_a_repeated_creation_stores_the_run_once(self, ports: Ports) -> None:
        job, run = opened(ports)
        ports.jobs.put_new(job, side_writes=opening(ports, run))
        assert ports.runs.get(run.id) == run

    def test_one_of_twenty_concurrent_jobs_creates_the_run(self, ports: Ports) -> None:
        run, jobs = a_run(), [a_job() for _ in range(CALLERS)]

        def open_it(number: int) -> bool:
            try:
                ports.jobs.put_new(jobs[number], side_writes=opening(ports, run))
            except (SideWriteConflict, StorageThrottled):
                return False
            return True

        assert at_once(open_it).count(True) == 1
        assert sum(ports.jobs.get(job.id) is not None for job in jobs) == 1


class TestMoving:
    def test_a_transition_changes_the_job_and_its_run(self, ports: Ports) -> None:
        job, run = opened(ports)
        ideas = an_artefact(run, "ideas")
        moved = ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=cancelling(ports, run, ideas))
        assert moved == job.model_copy(update=CANCELLED) == ports.jobs.get(job.id)
        found = lineage(ports, run)
        assert (found.run.status, found.run.revision, found.run.updated_at) == (TransformStatus.CANCELLED, 2, LATER)
        assert [each.ended_at for each in found.transforms] == [LATER]
        assert found.artefacts == [ideas, an_artefact(run)]
        assert moved.id not in {each.id for each in live_jobs(ports.jobs)}

    @pytest.mark.parametrize("revision", [-1, 1, 5])
    def test_a_conflict_of_the_runs_revision_leaves_the_job_unchanged(self, ports: Ports, revision: int) -> None:
        job, run = opened(ports, revision=3)
        stale = cancelling(ports, run.model_copy(update={"revision": run.revision + revision}))
        with pytest.raises(SideWriteConflict):
            ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=stale)
        assert ports.jobs.get(job.id) == job
        assert ports.runs.get(run.id) == run

    def test_a_false_guard_of_the_job_leaves_the_run_unchanged(self, ports: Ports) -> None:
        job, run = opened(ports)
        before = lineage(ports, run)
        with pytest.raises(StaleWrite) as stale:
            ports.jobs.update(
                job.id,
                CANCELLED,
                when=JobGuard(generation=2),
                side_writes=cancelling(ports, run, an_artefact(run, "i")),
            )
        assert stale.value.current == job == ports.jobs.get(job.id)
        assert lineage(ports, run) == before

    def test_a_false_guard_is_reported_before_a_conflict_of_the_revision(self, ports: Ports) -> None:
        job, run = opened(ports)
        stale_run = cancelling(ports, run.model_copy(update={"revision": 7}))
        with pytest.raises(StaleWrite):
            ports.jobs.update(job.id, CANCELLED, when=JobGuard(generation=2), side_writes=stale_run)
        assert ports.jobs.get(job.id) == job
        assert ports.runs.get(run.id) == run

    def test_an_unknown_job_changes_no_run(self, ports: Ports) -> None:
        job, run = opened(ports)
        ports.clock.advance(7200)
        with pytest.raises(StaleWrite) as stale:
            ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=cancelling(ports, run))
        assert stale.value.current is None
        assert ports.runs.get(run.id) == run

    def test_a_stored_artefact_version_is_never_replaced(self, ports: Ports) -> None:
        job, run = opened(ports)
        changed = an_artefact(run, content={"changed": True})
        with pytest.raises(SideWriteConflict):
            ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=cancelling(ports, run, changed))
        assert lineage(ports, run).artefacts == [an_artefact(run)]
        assert ports.jobs.get(job.id) == job

    def test_an_unknown_run_cannot_be_changed(self, ports: Ports) -> None:
        job = a_job()
        ports.jobs.put_new(job)
        with pytest.raises(SideWriteConflict):
            ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=cancelling(ports, a_run()))
        assert ports.jobs.get(job.id) == job

    def test_one_of_twenty_concurrent_transitions_ends_the_job_and_its_run(self, ports: Ports) -> None:
        job, run = opened(ports)

        def cancel(number: int) -> Job | Exception:
            ideas = an_artefact(run, "ideas", content={"by": number, **LARGE})
            side_writes = cancelling(ports, run, ideas, title=f"by {number}")
            try:
                return ports.jobs.update(
                    job.id, {**CANCELLED, "stage": f"by {number}"}, when=PENDING, side_writes=side_writes
                )
            except (SideWriteConflict, StaleWrite, StorageThrottled) as refusal:
                return refusal

        answers = at_once(cancel)
        (moved,) = [answer for answer in answers if isinstance(answer, Job)]
        winner = answers.index(moved)
        assert ports.jobs.get(job.id) == moved
        found = lineage(ports, run)
        assert (moved.stage, found.run.title, found.run.revision) == (f"by {winner}", f"by {winner}", 2)
        ideas = found.latest("ideas")
        assert ideas is not None
        assert ideas.content == {"by": winner, **LARGE}

    def test_one_of_twenty_concurrent_jobs_changes_the_run_and_the_others_are_unchanged(self, ports: Ports) -> None:
        _, run = opened(ports)
        jobs = [a_job() for _ in range(CALLERS)]
        for job in jobs:
            ports.jobs.put_new(job)

        def move(number: int) -> bool:
            side_writes = cancelling(ports, run, title=f"by {number}")
            try:
                ports.jobs.update(jobs[number].id, CANCELLED, when=PENDING, side_writes=side_writes)
            except (SideWriteConflict, StorageThrottled):
                return False
            return True

        moved = at_once(move)
        assert moved.count(True) == 1
        statuses = [found.status for found in (ports.jobs.get(job.id) for job in jobs) if found]
        assert [status is JobStatus.CANCELLED for status in statuses] == moved
        found = ports.runs.get(run.id)
        assert found is not None
        assert (found.title, found.revision) == (f"by {moved.index(True)}", 2)


class TestLineage:
    def test_the_lineage_sorts_transforms_by_time_and_artefacts_by_role_and_version(self, ports: Ports) -> None:
        run = a_run()
        artefacts = [an_artefact(run, role, version) for role in ("b", "a") for version in (12, 2, 1, 10)]
        ports.jobs.put_new(a_job(), side_writes=ports.runs.prepare_creation(run, a_transform(run), artefacts))
        job = a_job()
        ports.jobs.put_new(job)
        earlier, later = (f"tfm_{new_run_id(milliseconds).removeprefix('run_')}" for milliseconds in (1, 2))
        for transform_id in (later, earlier):
            current = ports.runs.get(run.id)
            assert current is not None
            moved = current.model_copy(update={"revision": current.revision + 1, "transform_id": transform_id})
            side_writes = ports.runs.prepare_revision(moved, a_transform(moved), ())
            ports.jobs.update(job.id, {"stage": transform_id}, when=JobGuard(), side_writes=side_writes)
        found = lineage(ports, run)
        assert [each.id for each in found.transforms] == [earlier, later, "tfm_1"]
        assert found.latest_transform == found.transforms[0]
        assert [each.ref for each in found.artefacts] == [
            f"{role}.v{version}" for role in ("a", "b") for version in (1, 2, 10, 12)
        ]
        latest = found.latest("b")
        assert latest is not None
        assert latest.version == 12

    def test_a_run_of_several_megabytes_is_read_completely(self, ports: Ports) -> None:
        run = a_run()
        artefacts = [an_artefact(run, "text", number, content={"text": "x" * 95_000}) for number in range(1, 26)]
        ports.jobs.put_new(a_job(), side_writes=ports.runs.prepare_creation(run, a_transform(run), artefacts))
        assert lineage(ports, run) == Lineage(
            run, [a_transform(run, job_id=lineage(ports, run).transforms[0].job_id)], artefacts
        )


class TestJobIds:
    def test_the_store_names_the_jobs_of_a_run_in_order(self, ports: Ports) -> None:
        first = new_job_id(0)
        run = a_run()
        writes = ports.runs.prepare_creation(run, a_transform(run, job_id=first), (an_artefact(run),))
        job = a_job()
        ports.jobs.put_new(job, side_writes=writes)
        assert ports.runs.job_ids(run.id) == [first]
        moved = run.model_copy(update={"revision": 2, "transform_id": "tfm_2"})
        second = ports.runs.prepare_revision(moved, a_transform(moved, job_id=job.id), ())
        ports.jobs.update(job.id, {"stage": "s"}, when=PENDING, side_writes=second)
        ports.runs.hide(run.id)
        assert ports.runs.job_ids(run.id) == [first, job.id]
        assert ports.runs.job_ids(new_run_id(0)) == []


class TestLargeContents:
    def test_a_large_text_is_stored_in_the_bucket_and_returned_unchanged(self, server: AwsServer) -> None:
        ports, run = adapters(server), a_run()
        large = an_artefact(run, content=LARGE)
        ports.jobs.put_new(a_job(), side_writes=opening(ports, run, large))
        assert lineage(ports, run).artefacts == [large]
        (key,) = objects_of(server, run)
        stored = {item["SK"]["S"]: item for item in items_of(server, run)}
        assert stored["ARTEFACT#parameters#000001"]["content"] == {"S": f"s3:{key}"}
        assert key.startswith(f"runs/{run.id}/parameters.v1-")

    def test_two_writes_of_the_same_version_use_different_objects(self, server: AwsServer) -> None:
        ports = adapters(server)
        job, run = opened(ports)
        winner, loser = (an_artefact(run, "ideas", content={"by": who, **LARGE}) for who in ("one", "another"))
        first = cancelling(ports, run, winner)
        cancelling(ports, run, loser)
        ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=first)
        assert lineage(ports, run).latest("ideas") == winner
        assert len(objects_of(server, run)) == 2


class TestListing:
    def listed(self, ports: Ports, owner: str, limit: int, status: TransformStatus | None = None) -> list[list[str]]:
        pages: list[list[str]] = []
        cursor: str | None = None
        while True:
            page = ports.runs.list_owned(owner, kind="ideation", status=status, limit=limit, cursor=cursor)
            pages.append([run.id for run in page.runs])
            assert len(page.runs) <= limit
            cursor = page.cursor
            if cursor is None:
                return pages

    def store(self, ports: Ports, owner: str, count: int, **fields: Any) -> list[str]:
        """Store that number of runs, and return their ids, newest first."""
        made = [opened(ports, owner, run_id=new_run_id(1000 + number), **fields)[1].id for number in range(count)]
        return made[::-1]

    @pytest.mark.parametrize("limit", [1, 3, 7, 8])
    def test_the_pages_contain_every_run_of_the_kind_once_newest_first(
        self, ports: Ports, owner: str, limit: int
    ) -> None:
        made = self.store(ports, owner, 7)
        self.store(ports, owner, 2, kind="video")
        self.store(ports, f"another than {owner}", 2)
        for _ in range(3):
            ports.agents.put_new(an_agent(owner), limit=100)
        pages = self.listed(ports, owner, limit)
        assert [run_id for page in pages for run_id in page] == made
        agents = ports.agents.list_owned(owner, limit=100, cursor=None)
        assert len(agents.agents) == 3

    def test_a_page_is_full_although_a_filter_leaves_runs_out(self, ports: Ports, owner: str) -> None:
        self.store(ports, owner, 30, status=TransformStatus.COMPLETED)
        wanted = self.store(ports, owner, 3, status=TransformStatus.FAILED)
        pages = self.listed(ports, owner, 2, TransformStatus.FAILED)
        assert [run_id for page in pages for run_id in page] == wanted
        assert self.listed(ports, owner, 5, TransformStatus.CANCELLED) == [[]]

    def test_a_list_continues_after_a_run_that_is_deleted_between_pages(self, ports: Ports, owner: str) -> None:
        made = self.store(ports, owner, 3)
        page = ports.runs.list_owned(owner, kind="ideation", status=None, limit=1, cursor=None)
        ports.runs.hide(made[0])
        ports.runs.remove(made[0])
        rest = ports.runs.list_owned(owner, kind="ideation", status=None, limit=5, cursor=page.cursor)
        assert [run.id for run in rest.runs] == made[1:]

    @pytest.mark.parametrize("cursor", ["", "x", "not a cursor", "YWd0XzE="])
    def test_a_cursor_of_another_list_is_refused(self, ports: Ports, owner: str, cursor: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - the port promises no more
            ports.runs.list_owned(owner, kind="ideation", status=None, limit=5, cursor=cursor)

    def test_a_cursor_does_not_show_another_owners_runs(self, ports: Ports, owner: str) -> None:
        self.store(ports, owner, 3)
        cursor = ports.runs.list_owned(owner, kind="ideation", status=None, limit=1, cursor=None).cursor
        stranger = ports.runs.list_owned("a stranger", kind="ideation", status=None, limit=5, cursor=cursor)
        assert stranger.runs == []


class TestDeletion:
    def test_a_hidden_run_is_not_listed_and_cannot_be_changed(self, ports: Ports, owner: str) -> None:
        job, run = opened(ports, owner)
        ports.runs.hide(run.id)
        assert ports.runs.list_owned(owner, kind="ideation", status=None, limit=5, cursor=None).runs == []
        assert ports.runs.get(run.id) == run.model_copy(update={"deleting": True})
        with pytest.raises(SideWriteConflict):
            ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=cancelling(ports, run))
        assert ports.jobs.get(job.id) == job

    def test_a_run_can_be_hidden_twice_and_an_unknown_run_is_ignored(self, ports: Ports) -> None:
        _, run = opened(ports)
        ports.runs.hide(run.id)
        ports.runs.hide(run.id)
        ports.runs.remove(run.id)
        ports.runs.hide(run.id)
        assert ports.runs.get(run.id) is None

    def test_a_removed_run_is_absent_and_cannot_be_changed(self, ports: Ports) -> None:
        job, run = opened(ports)
        prepared = cancelling(ports, run)
        ports.runs.hide(run.id)
        ports.runs.remove(run.id)
        ports.runs.remove(run.id)
        assert ports.runs.lineage(run.id) is None
        with pytest.raises(SideWriteConflict):
            ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=prepared)
        assert ports.runs.lineage(run.id) is None
        assert ports.jobs.get(job.id) == job

    def test_a_removal_deletes_every_item_and_object(self, server: AwsServer) -> None:
        ports = adapters(server)
        run = a_run()
        large, small = an_artefact(run, content=LARGE), an_artefact(run, "small")
        job = a_job()
        ports.jobs.put_new(job, side_writes=opening(ports, run, large, small))
        cancelling(ports, run, an_artefact(run, "never written", content=LARGE))
        other = a_run()
        ports.jobs.put_new(a_job(), side_writes=opening(ports, other, an_artefact(other, content=LARGE)))
        ports.runs.hide(run.id)
        ports.runs.remove(run.id)
        assert [item["SK"] for item in items_of(server, run)] == [{"S": "DELETED"}]
        assert objects_of(server, run) == []
        assert list(ports.runs.ids_of(run.owner, gone=True)).count(run.id) == 1
        ports.runs.purge(run.id)
        assert items_of(server, run) == []
        assert len(objects_of(server, other)) == 1

    def test_a_second_removal_finishes_an_interrupted_one(
        self, server: AwsServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ports = adapters(server)
        run = a_run()
        ports.jobs.put_new(
            a_job(), side_writes=opening(ports, run, an_artefact(run, content=LARGE), an_artefact(run, "b"))
        )
        ports.runs.hide(run.id)
        whole: Any = server.dynamodb.delete_item
        calls: list[int] = []

        def breaks_at_the_second(**request: Any) -> Any:
            calls.append(1)
            if len(calls) == 2:
                raise ConnectionError("the process died")
            return whole(**request)

        with monkeypatch.context() as broken:
            broken.setattr(server.dynamodb, "delete_item", breaks_at_the_second)
            with pytest.raises(ConnectionError):
                ports.runs.remove(run.id)
        assert ports.runs.get(run.id) is not None
        assert list(ports.runs.ids_of(run.owner, gone=True)).count(run.id) == 1  # an erasure finds it
        ports.runs.remove(run.id)
        assert [item["SK"] for item in items_of(server, run)] == [{"S": "DELETED"}]

    def test_an_update_during_the_deletion_does_not_restore_the_run(self, ports: Ports) -> None:
        job, run = opened(ports)

        def act(number: int) -> None:
            if number == 0:
                ports.runs.hide(run.id)
                ports.runs.remove(run.id)
                return
            try:
                ports.jobs.update(
                    job.id,
                    CANCELLED,
                    when=PENDING,
                    side_writes=cancelling(ports, run, an_artefact(run, f"by {number}")),
                )
            except (SideWriteConflict, StaleWrite, StorageThrottled):
                return

        try:
            at_once(act)
        except StorageThrottled:  # hiding met a concurrent update, so the deletion tries again
            ports.runs.hide(run.id)
            ports.runs.remove(run.id)
        assert ports.runs.lineage(run.id) is None


class TestLegacyRuns:
    """A run that an earlier version wrote, without a status."""

    @pytest.fixture
    def legacy(self, server: AwsServer) -> str:
        """Store a run of an earlier version and return its id."""
        run_id = new_run_id(0)
        text = (Path(__file__).parent / "legacy_run.json").read_text()
        items = json.loads(text.replace("run_01hv6k3m2p4q5r6s7t8v9w0xyz", run_id))
        assert not {"status", "revision", "versions", "digests", "transformId"} & items[0].keys()
        assert not {"status", "jobId", "retryCount", "maxRetries"} & items[1].keys()
        for item in items:
            server.dynamodb.put_item(TableName=server.durable_table, Item=item)
        return run_id

    def test_a_legacy_run_is_completed(self, server: AwsServer, legacy: str) -> None:
        found = adapters(server).runs.lineage(legacy)
        assert found is not None
        assert found.run.status is TransformStatus.COMPLETED
        (transform,) = found.transforms
        assert (transform.status, transform.job_id, transform.retry_count) == (TransformStatus.COMPLETED, None, 0)
        assert found.latest_transform == transform
        ideas = found.latest("ideas")
        assert ideas is not None
        assert ideas.content["ideas"][0]["title"] == "The Tenth Key"
        assert [each.ref for each in found.artefacts] == ["ideas.v1", "parameters.v1"]

    def test_a_legacy_run_is_listed_as_completed(self, server: AwsServer, legacy: str) -> None:
        runs = adapters(server).runs
        page = runs.list_owned("ada", kind="ideation", status=TransformStatus.COMPLETED, limit=100, cursor=None)
        assert legacy in {run.id for run in page.runs}
        page = runs.list_owned("ada", kind="ideation", status=TransformStatus.FAILED, limit=100, cursor=None)
        assert legacy not in {run.id for run in page.runs}

    def test_a_legacy_run_can_be_changed_once_per_revision(self, server: AwsServer, legacy: str) -> None:
        ports, job = adapters(server), a_job()
        ports.jobs.put_new(job)
        run = ports.runs.get(legacy)
        assert run is not None
        for revision, made in ((1, "ideas"), (2, "ranking")):
            moved = run.model_copy(update={"revision": revision, "transform_id": "tfm_new"})
            ideas = an_artefact(moved, made, version=2)
            side_writes = ports.runs.prepare_revision(moved, a_transform(moved), (ideas,))
            with_it = {"stage": made}
            ports.jobs.update(job.id, with_it, when=PENDING, side_writes=side_writes)
            with pytest.raises(SideWriteConflict):
                ports.jobs.update(
                    job.id,
                    with_it,
                    when=PENDING,
                    side_writes=ports.runs.prepare_revision(moved, a_transform(moved), ()),
                )
        found = lineage(ports, run)
        assert (found.run.revision, len(found.transforms)) == (2, 2)
        assert [each.ref for each in found.artefacts] == ["ideas.v1", "ideas.v2", "parameters.v1", "ranking.v2"]

    def test_a_legacy_run_can_be_deleted(self, server: AwsServer, legacy: str) -> None:
        runs = adapters(server).runs
        runs.hide(legacy)
        assert runs.job_ids(legacy) == []
        page = runs.list_owned("ada", kind="ideation", status=None, limit=100, cursor=None)
        assert legacy not in {run.id for run in page.runs}
        runs.remove(legacy)
        assert runs.lineage(legacy) is None


class TestFaults:
    def move(self, ports: Ports, job: Job, run: Run) -> Job:
        side_writes = cancelling(ports, run, an_artefact(run, "ideas"))
        return ports.jobs.update(job.id, CANCELLED, when=PENDING, side_writes=side_writes)

    @pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
    def test_a_transaction_that_always_conflicts_is_throttled_and_changes_nothing(
        self, moto: AwsServer, monkeypatch: pytest.MonkeyPatch, reason: str
    ) -> None:
        ports = adapters(moto)
        job, run = opened(ports)
        monkeypatch.setattr(transactions, "PAUSE_SECONDS", 0)
        with monkeypatch.context() as busy:
            busy.setattr(moto.dynamodb, "transact_write_items", refusing(reason))
            with pytest.raises(StorageThrottled):
                self.move(ports, job, run)
            with pytest.raises(StorageThrottled):
                opened(ports)
        assert (ports.jobs.get(job.id), ports.runs.get(run.id)) == (job, run)
        self.move(ports, job, run)

    def test_a_throttled_transaction_is_a_transient_fault(self, moto: AwsServer) -> None:
        ports = adapters(moto)
        job, run = opened(ports)
        moto.fail_next("TransactWriteItems", count=3)
        with pytest.raises(StorageThrottled):
            self.move(ports, job, run)
        assert ports.jobs.get(job.id) == job

    @pytest.mark.parametrize("again", ["by botocore", "by us"])
    def test_a_repeated_transaction_succeeds_after_a_lost_response(
        self, server: AwsServer, monkeypatch: pytest.MonkeyPatch, again: str
    ) -> None:
        ports = adapters(server)
        whole: Any = server.dynamodb.transact_write_items
        lost: list[int] = []

        def answer_lost(**request: Any) -> Any:
            if again == "by botocore":
                token = uuid.uuid4().hex
                whole(**request, ClientRequestToken=token)
                return whole(**request, ClientRequestToken=token)
            answer = whole(**request)
            lost.append(1)
            if len(lost) % 2:
                raise client_error("TransactionInProgressException")
            return answer

        monkeypatch.setattr(transactions, "PAUSE_SECONDS", 0)
        monkeypatch.setattr(server.dynamodb, "transact_write_items", answer_lost)
        job, run = opened(ports)
        assert ports.jobs.get(job.id) == job
        lost.clear()
        moved = self.move(ports, job, run)
        assert moved == job.model_copy(update=CANCELLED) == ports.jobs.get(job.id)
        found = lineage(ports, run)
        assert (found.run.revision, len(found.artefacts)) == (2, 2)

    def test_a_write_that_conflicts_with_a_transaction_is_a_transient_fault(
        self, moto: AwsServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ports = adapters(moto)
        job, run = opened(ports)

        def conflict(**_: Any) -> None:
            raise client_error("TransactionConflictException")

        monkeypatch.setattr(moto.dynamodb, "update_item", conflict)
        with pytest.raises(StorageThrottled):
            ports.jobs.update(job.id, {"stage": "s"}, when=PENDING)
        with pytest.raises(StorageThrottled):
            ports.runs.hide(run.id)


def refusing(reason: str) -> Any:
    def refuse(*, TransactItems: list[Any]) -> None:  # noqa: N803 - boto3's name
        error = client_error("TransactionCanceledException")
        reasons: Any = [{"Code": reason}, *({"Code": "None"} for _ in TransactItems[1:])]
        error.response["CancellationReasons"] = reasons
        raise error

    return refuse


def client_error(code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(answer, "TransactWriteItems")


def items_of(server: AwsServer, run: Run) -> list[dict[str, Any]]:
    found: Any = server.dynamodb.query(
        TableName=server.durable_table,
        KeyConditionExpression="PK = :run",
        ExpressionAttributeValues={":run": {"S": f"RUN#{run.id}"}},
    )
    return list(found["Items"])


def objects_of(server: AwsServer, run: Run) -> list[str]:
    found = server.s3.list_objects_v2(Bucket=server.bucket, Prefix=f"runs/{run.id}/")
    return [each["Key"] for each in found.get("Contents", ())]
