"""The JobStore, in memory and on DynamoDB, stores, updates and lists jobs until they expire."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import ErrorCode
from shared.jobs.ids import new_job_id, ulid_of
from shared.jobs.job import LIVE, CheckpointRef, Fault, Job, JobLinks, JobStatus, LinkKind
from shared.jobs.store import JobFilter, JobGuard, StaleWrite
from shared.log.fence import Fence
from shared.log.usage import TokenUsage
from shared.observability import metering
from shared.observability.metering import Count, Meter, metered
from shared.storage import job_list, jobs, matching, owner_index
from shared.storage.aws import dynamodb
from shared.storage.jobs import DynamoJobStore
from shared.ulid import new_ulid
from tests.fakes.clock import SettableClock
from tests.fakes.core import a_job
from tests.storage.at_once import CALLERS, at_once
from tests.storage.ports import AwsServer, Ports, adapters

PENDING = JobGuard(status_in=frozenset({JobStatus.PENDING}))


def counted(client: Any, requests: list[str]) -> Any:
    """Return the client, which notes the names of its requests."""

    class Counted:
        def __getattr__(self, name: str) -> Any:
            requests.append(name)
            return getattr(client, name)

    return Counted()


class TestOneJob:
    def test_the_store_returns_a_job_unchanged(self, ports: Ports) -> None:
        fault = Fault(code=ErrorCode.MODEL_TIMEOUT, message="too slow – ⏳", stage="draft", retryable=True)
        job = a_job(
            input={"topic": "rivers", "nested": {"list": [1, 2.5, None, True, "ü"], "empty": {}}},
            links=JobLinks(run_id="run"),
            last_fault=fault,
            usage=TokenUsage(input_tokens=7, cost_usd=0.1 + 0.2),
            progress=33.3,
            checkpoints={"draft": CheckpointRef(seq=3, log_bytes=9, fence="00001.000.000.aaaaaaaa")},
            trace_id="trace",
        )
        ports.jobs.put_new(job)
        assert ports.jobs.get(job.id) == job
        assert ports.jobs.get(job.id, consistent=False) == job

    def test_the_store_returns_none_for_an_unknown_job(self, ports: Ports) -> None:
        assert ports.jobs.get(new_job_id(0)) is None
        assert ports.jobs.get(new_job_id(0), consistent=False) is None

    def test_an_older_read_finds_no_expired_job_and_one_that_was_restored(self, ports: Ports) -> None:
        job = a_job()
        ports.jobs.put_new(job)
        ports.jobs.update(job.id, {"progress": 5}, when=JobGuard())
        ports.clock.advance(job.expires_at + 1 - ports.clock().timestamp())
        assert ports.jobs.get(job.id, consistent=False) is None
        renewed = job.model_copy(update={"expires_at": job.expires_at + 600})
        ports.jobs.restore(renewed)
        assert ports.jobs.get(job.id, consistent=False) == renewed

    def test_a_repeated_creation_stores_the_job_once(self, ports: Ports) -> None:
        job = a_job(progress=12.5)
        ports.jobs.put_new(job)
        ports.jobs.put_new(job)
        assert ports.jobs.get(job.id) == job

    def test_another_job_with_the_same_id_is_refused(self, ports: Ports) -> None:
        job = a_job()
        ports.jobs.put_new(job)
        with pytest.raises(ValueError, match=job.id):
            ports.jobs.put_new(job.model_copy(update={"owner": "bob"}))
        assert ports.jobs.get(job.id) == job

    def test_an_update_sets_the_named_fields_and_returns_the_whole_job(self, ports: Ports) -> None:
        job = a_job()
        ports.jobs.put_new(job)
        changes: dict[str, Any] = {
            "status": JobStatus.FAILED,
            "failure": Fault(code=ErrorCode.MODEL_REFUSED, message="no"),
            "ended_at": ports.clock(),
            "stage": None,
            "usage": TokenUsage(output_tokens=3),
            "checkpoints": {"draft": CheckpointRef(seq=1, fence="f")},
        }
        updated = ports.jobs.update(job.id, changes, when=PENDING)
        assert updated == job.model_copy(update=changes) == ports.jobs.get(job.id)

    def test_each_write_adds_what_the_invocation_has_used(self, ports: Ports) -> None:
        job = a_job()
        with metered(Meter(megabytes=1024)):
            metering.count(Count.TOOL_CALLS, 2)
            ports.jobs.put_new(job)
        with metered(Meter(megabytes=512, transitions=1)):
            ports.jobs.update(job.id, {"progress": 50}, when=PENDING)
            metering.count(Count.LOST_INVOCATIONS)
            updated = ports.jobs.update(job.id, {"progress": 60}, when=PENDING)
        found = ports.jobs.get(job.id)
        assert found == updated
        assert found.compute is not None
        used = found.compute
        assert (used.invocations, used.transitions, used.tool_calls, used.lost_invocations) == (2, 1, 2, 1)
        assert used.write_units >= 3
        assert used.lambda_ms >= 2  # each of the two invocations is rounded up

    def test_a_write_that_fails_adds_nothing_and_the_next_one_adds_its_amounts(self, ports: Ports) -> None:
        job = a_job()
        with metered(Meter(megabytes=1024)):
            ports.jobs.put_new(job)
        with metered(Meter(megabytes=1024)):
            metering.count(Count.TOOL_CALLS)
            with pytest.raises(StaleWrite) as stale:
                ports.jobs.update(job.id, {"progress": 50}, when=JobGuard(generation=2))
            refused = stale.value.current
            assert refused is not None
            assert refused.compute is not None
            assert refused.compute.tool_calls == 0
            ports.jobs.add_compute(job.id)
        found = ports.jobs.get(job.id)
        assert found is not None
        assert found.compute is not None
        assert (found.compute.tool_calls, found.compute.invocations) == (1, 2)

    def test_what_a_job_of_an_earlier_version_has_used_stays_unknown(self, ports: Ports) -> None:
        job = a_job()
        ports.jobs.put_new(job)
        with metered(Meter(megabytes=1024)):
            assert ports.jobs.update(job.id, {"progress": 50}, when=PENDING).compute is None
            ports.jobs.add_compute(job.id)
            ports.jobs.erase(job.id)
            ports.jobs.add_compute(job.id)
        assert ports.jobs.get(job.id) is None

    @pytest.mark.parametrize(
        "guard",
        [
            JobGuard(status_in=frozenset({JobStatus.COMPLETED, JobStatus.FAILED})),
            JobGuard(generation=2),
            JobGuard(fence_up_to="00001.000.000.aaaaaaaa"),
            JobGuard(fence_is="00001.000.000.aaaaaaaa"),
            JobGuard(status_in=LIVE, generation=1, fence_is="00001.001.000.bbbbbbb0"),
        ],
    )
    def test_an_update_whose_guard_is_false_changes_nothing_and_raises_stale_write(
        self, ports: Ports, guard: JobGuard
    ) -> None:
        job = a_job(fence="00001.001.000.bbbbbbbb")
        ports.jobs.put_new(job)
        assert not guard.holds(job)
        with pytest.raises(StaleWrite) as stale:
            ports.jobs.update(job.id, {"stage": "polish"}, when=guard)
        assert stale.value.current == job == ports.jobs.get(job.id)

    @pytest.mark.parametrize(
        "guard",
        [
            JobGuard(),
            JobGuard(status_in=LIVE, generation=1),
            JobGuard(fence_up_to="00001.001.000.bbbbbbbb", fence_is="00001.001.000.bbbbbbbb"),
            JobGuard(fence_up_to="00001.001.001.00000000"),
        ],
    )
    def test_an_update_whose_guard_is_true_is_written(self, ports: Ports, guard: JobGuard) -> None:
        job = a_job(fence="00001.001.000.bbbbbbbb")
        ports.jobs.put_new(job)
        assert guard.holds(job)
        assert ports.jobs.update(job.id, {"stage": "polish"}, when=guard).stage == "polish"

    def test_an_unknown_job_cannot_be_updated(self, ports: Ports) -> None:
        with pytest.raises(StaleWrite) as stale:
            ports.jobs.update(new_job_id(0), {"stage": "polish"}, when=JobGuard())
        assert stale.value.current is None

    def test_one_of_twenty_concurrent_transitions_succeeds(self, ports: Ports) -> None:
        job = a_job()
        ports.jobs.put_new(job)

        def move(number: int) -> Job | StaleWrite:
            changes = {"status": JobStatus.IN_PROGRESS, "stage": f"by {number}"}
            try:
                return ports.jobs.update(job.id, changes, when=PENDING)
            except StaleWrite as stale:
                return stale

        answers = at_once(move)
        (moved,) = [answer for answer in answers if isinstance(answer, Job)]
        assert moved.stage == f"by {answers.index(moved)}"
        assert [answer.current for answer in answers if isinstance(answer, StaleWrite)] == [moved] * (CALLERS - 1)
        assert ports.jobs.get(job.id) == moved

    def test_the_highest_fence_has_the_job_after_twenty_claims_in_any_order(self, ports: Ports) -> None:
        job = a_job()
        ports.jobs.put_new(job)
        fences = [str(Fence(1, 0, number, "aaaaaaaa")) for number in range(CALLERS)]

        def claim(number: int) -> bool:
            guard = JobGuard(status_in=LIVE, fence_up_to=fences[number])
            try:
                ports.jobs.update(job.id, {"fence": fences[number]}, when=guard)
            except StaleWrite:
                return False
            return True

        assert at_once(claim)[-1]
        found = ports.jobs.get(job.id)
        assert found is not None
        assert found.fence == fences[-1]


class TestExpiry:
    def test_no_read_returns_a_job_after_its_expiry(self, ports: Ports, owner: str) -> None:
        job = a_job(owner=owner)
        ports.jobs.put_new(job)
        ports.clock.advance(7199.999)
        assert ports.jobs.get(job.id) == job
        assert len(ports.jobs.list_owned(owner, where=JobFilter(), limit=5, cursor=None).jobs) == 1
        ports.clock.advance(0.001)
        assert ports.jobs.get(job.id) is None
        assert ports.jobs.list_owned(owner, where=JobFilter(), limit=5, cursor=None).jobs == []
        with pytest.raises(StaleWrite) as stale:
            ports.jobs.update(job.id, {"expires_at": 2**33}, when=JobGuard())
        assert stale.value.current is None

    def test_no_read_returns_an_expired_job_that_dynamodb_has_not_deleted(self, server: AwsServer) -> None:
        clock = SettableClock()
        store = DynamoJobStore(server.table, clock=clock)
        job = a_job()
        store.put_new(job)
        clock.advance(7200)
        assert store.get(job.id) is None
        key = {"PK": {"S": f"JOB#{job.id}"}, "SK": {"S": "JOB"}}
        stored = server.dynamodb.get_item(TableName=server.table, Key=key)["Item"]
        assert stored["expiresAt"] == {"N": str(job.expires_at)}


class TestItemsMadeByHand:
    def test_a_job_without_fence_and_generation_has_the_first_ones(self, server: AwsServer) -> None:
        ports, job = adapters(server), a_job()
        ports.jobs.put_new(job)
        server.dynamodb.update_item(
            TableName=server.table,
            Key={"PK": {"S": f"JOB#{job.id}"}, "SK": {"S": "JOB"}},
            UpdateExpression="REMOVE fence, generation",
        )
        guard = JobGuard(generation=1, fence_up_to="00001.000.000.aaaaaaaa")
        claimed = ports.jobs.update(job.id, {"fence": "00001.000.000.aaaaaaaa"}, when=guard)
        assert (claimed.fence, claimed.generation) == ("00001.000.000.aaaaaaaa", 1)


class TestLive:
    """Other tests store live jobs in the same table."""

    def live(self, ports: Ports, limit: int) -> list[str]:
        found: list[str] = []
        page = ports.jobs.live(cursor=None, limit=limit)
        while page.cursor is not None:
            assert len(page.jobs) <= limit
            found.extend(job.id for job in page.jobs)
            page = ports.jobs.live(cursor=page.cursor, limit=limit)
        return [*found, *(job.id for job in page.jobs)]

    @pytest.mark.parametrize("limit", [1, 3, 100])
    def test_the_pages_contain_every_live_job_once(self, ports: Ports, owner: str, limit: int) -> None:
        jobs = [a_job(owner=owner) for _ in range(20)]
        for job in jobs:
            ports.jobs.put_new(job)
        for job in jobs[::2]:
            ports.jobs.update(job.id, {"status": JobStatus.FAILED}, when=JobGuard())

        found = self.live(ports, limit)

        assert len(found) == len(set(found))
        assert set(found) & {job.id for job in jobs} == {job.id for job in jobs[1::2]}

    def test_a_page_can_begin_after_any_job_also_one_that_has_ended(self, ports: Ports, owner: str) -> None:
        for _ in range(5):
            ports.jobs.put_new(a_job(owner=owner))
        order = self.live(ports, 100)
        middle = order[len(order) // 2]
        ports.jobs.update(middle, {"status": JobStatus.FAILED}, when=JobGuard())

        page = ports.jobs.live(cursor=middle, limit=1)
        while not page.jobs:  # an empty shard
            assert page.cursor is not None
            page = ports.jobs.live(cursor=page.cursor, limit=1)

        assert page.jobs[0].id == order[len(order) // 2 + 1]

    def test_a_job_that_cannot_be_read_does_not_hide_the_others(self, server: AwsServer) -> None:
        ports = adapters(server)
        broken, job = a_job(), a_job()
        for each in (broken, job):
            ports.jobs.put_new(each)
        server.client("dynamodb").update_item(
            TableName=server.table,
            Key={"PK": {"S": f"JOB#{broken.id}"}, "SK": {"S": "JOB"}},
            UpdateExpression="SET #status = :odd",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":odd": {"S": "odd"}},
        )

        found = self.live(ports, 100)

        assert job.id in found
        assert broken.id not in found


class TestListing:
    def pages(self, ports: Ports, owner: str, limit: int, where: JobFilter | None = None) -> list[list[str]]:
        pages: list[list[str]] = []
        cursor: str | None = None
        while True:
            page = ports.jobs.list_owned(owner, where=where or JobFilter(), limit=limit, cursor=cursor)
            pages.append([job.id for job in page.jobs])
            assert len(page.jobs) <= limit
            cursor = page.cursor
            if cursor is None:
                return pages

    def store(self, ports: Ports, owner: str, count: int, **fields: Any) -> list[str]:
        """Store that number of jobs, and return their ids, newest first."""
        made = [a_job(new_job_id(1000 + number), owner=owner, **fields) for number in range(count)]
        for job in made:
            ports.jobs.put_new(job)
        return [job.id for job in reversed(made)]

    @pytest.mark.parametrize("limit", [1, 3, 7, 8])
    def test_the_pages_contain_every_job_once_newest_first(self, ports: Ports, owner: str, limit: int) -> None:
        made = self.store(ports, owner, 7)
        self.store(ports, f"another than {owner}", 2)
        pages = self.pages(ports, owner, limit)
        assert [job_id for page in pages for job_id in page] == made
        assert len(pages) == -(-7 // limit)

    def test_a_page_is_full_although_a_filter_leaves_jobs_out(self, ports: Ports, owner: str) -> None:
        self.store(ports, owner, 30, status=JobStatus.COMPLETED)
        wanted = self.store(ports, owner, 3, links=JobLinks(run_id="run"))
        pages = self.pages(ports, owner, 2, JobFilter(run_id="run"))
        assert [job_id for page in pages for job_id in page] == wanted

    @pytest.mark.parametrize(
        ("where", "count"),
        [
            (JobFilter(status=JobStatus.PENDING), 1),
            (JobFilter(pipeline="brief"), 1),
            (JobFilter(session_id="s"), 1),
            (JobFilter(project_id="p"), 1),
            (JobFilter(run_id="nobody's"), 0),
            (JobFilter(status=JobStatus.FAILED, pipeline="poem"), 2),
        ],
    )
    def test_each_filter_narrows_the_list(self, ports: Ports, owner: str, where: JobFilter, count: int) -> None:
        self.store(ports, owner, 1, status=JobStatus.FAILED, links=JobLinks(session_id="s"))
        self.store(ports, owner, 1, status=JobStatus.FAILED, links=JobLinks(project_id="p"))
        self.store(ports, owner, 1, pipeline="brief")
        assert sum(map(len, self.pages(ports, owner, 5, where))) == count

    def test_a_page_looks_at_a_bounded_number_of_jobs(
        self, server: AwsServer, owner: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_list, "SIZES", (20,))
        monkeypatch.setattr(job_list, "MOST_ENTRIES", 30)
        ports = adapters(server)
        wanted = self.store(ports, owner, 1, pipeline="brief")
        self.store(ports, owner, 70)
        pages = self.pages(ports, owner, 5, JobFilter(pipeline="brief"))
        assert pages == [[], [], wanted]

    def test_a_page_reads_a_bounded_number_of_jobs_whose_entries_are_out_of_date(
        self, server: AwsServer, owner: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_list, "MOST_JOBS", 30)
        ports = adapters(server)
        made = self.store(ports, owner, 70)
        monkeypatch.setattr(JobFilter, "matches", lambda _, job: job.id == made[-1])
        assert self.pages(ports, owner, 5, JobFilter(pipeline="poem")) == [[], [], [made[-1]]]

    @pytest.mark.parametrize("where", [JobFilter(status=JobStatus.FAILED), JobFilter(search="NEEDLE")])
    def test_a_filter_that_one_of_many_jobs_matches_needs_few_requests(
        self, server: AwsServer, owner: str, where: JobFilter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_list, "SIZES", (10, 100, 1000))
        ports = adapters(server)
        wanted = self.store(ports, owner, 1, status=JobStatus.FAILED, title="A needle")
        self.store(ports, owner, 150, status=JobStatus.COMPLETED, title="Hay")
        requests: list[str] = []
        monkeypatch.setattr(job_list, "dynamodb", lambda: counted(dynamodb(), requests))
        monkeypatch.setattr(owner_index, "dynamodb", lambda: counted(dynamodb(), requests))
        assert self.pages(ports, owner, 5, where) == [wanted]
        assert requests == ["query", "query", "query", "batch_get_item"]

    def test_a_search_finds_titles_whatever_the_case_and_the_beginnings_of_ids(self, ports: Ports, owner: str) -> None:
        (old,) = self.store(ports, owner, 1)
        made = [a_job(new_job_id(2000 + n), owner=owner, title=text) for n, text in enumerate(("Größe: Kasse", "App"))]
        for job in made:
            ports.jobs.put_new(job)
        cash, app = (job.id for job in made)
        searches = {"GRÖSSE:  kasse": [cash], "as": [cash], "p": [app], "nothing": [], app[:-1]: [app]}
        searches |= {old.upper(): [old], old[-26:]: [old], "job_": [app, cash, old]}
        for search, found in searches.items():
            assert self.pages(ports, owner, 5, JobFilter(search=search)) == [found], search

    def test_expired_jobs_that_are_still_stored_are_passed_over_unread(
        self, server: AwsServer, owner: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ports = adapters(server)
        kept = self.store(ports, owner, 1)
        self.store(ports, owner, 30, expires_at=1)
        requests: list[str] = []
        monkeypatch.setattr(owner_index, "dynamodb", lambda: counted(dynamodb(), requests))
        assert self.pages(ports, owner, 1) == [kept]
        assert requests == ["batch_get_item"]

    def test_one_page_can_contain_more_than_a_hundred_jobs(self, ports: Ports, owner: str) -> None:
        made = self.store(ports, owner, 110)
        assert self.pages(ports, owner, 105) == [made[:105], made[105:]]

    @pytest.mark.parametrize("limit", [1, 2, 5])
    def test_jobs_with_and_without_cells_are_listed_by_time(self, ports: Ports, owner: str, limit: int) -> None:
        """Ids of before there were cells, ids of another cell, and new ids: the cell says nothing about time."""
        made = [f"job_{cell}{new_ulid(number)}" for number, cell in enumerate(["z", "", "a", "", "b"], start=1000)]
        for job_id in made:
            ports.jobs.put_new(a_job(job_id, owner=owner))
        pages = self.pages(ports, owner, limit)
        assert [job_id for page in pages for job_id in page] == made[::-1]

    @pytest.mark.parametrize("limit", [1, 2, 5])
    def test_the_jobs_of_a_session_are_listed_by_time_in_pages(self, ports: Ports, owner: str, limit: int) -> None:
        made = [f"job_{cell}{new_ulid(number)}" for number, cell in enumerate(["z", "", "a", "", "b"], start=1000)]
        for job_id in made:
            ports.jobs.put_new(a_job(job_id, owner=owner, links=JobLinks(session_id="s", project_id="p")))
        self.store(ports, owner, 3, links=JobLinks(session_id="another"))
        self.store(ports, owner, 3)
        pages = self.pages(ports, owner, limit, JobFilter(session_id="s"))
        assert [job_id for page in pages for job_id in page] == made[::-1]
        assert len(pages) == -(-5 // limit)

    def test_one_session_id_of_two_owners_lists_each_owners_jobs(self, ports: Ports, owner: str) -> None:
        mine = self.store(ports, owner, 2, links=JobLinks(session_id="s"))
        self.store(ports, f"another than {owner}", 2, links=JobLinks(session_id="s"))
        # As one key: the owner `x`'s session `y#s`, and the owner `x#y`'s session `s`.
        self.store(ports, f"{owner}#s", 1, links=JobLinks(session_id="t"))
        assert self.pages(ports, owner, 5, JobFilter(session_id="s")) == [mine]
        assert self.pages(ports, owner, 5, JobFilter(session_id="s#t")) == [[]]

    def test_a_job_is_found_by_each_of_its_links_and_by_several(self, ports: Ports, owner: str) -> None:
        (job_id,) = self.store(ports, owner, 1, links=JobLinks(session_id="s", run_id="r", project_id="p"))
        self.store(ports, owner, 1, links=JobLinks(session_id="s", project_id="q"))
        self.store(ports, owner, 1, links=JobLinks(session_id="t", project_id="p"))
        for where in (JobFilter(run_id="r"), JobFilter(session_id="s", project_id="p")):
            assert self.pages(ports, owner, 5, where) == [[job_id]]
        for kind, entity_id, count in (("sessionId", "s", 2), ("runId", "r", 1), ("projectId", "p", 2)):
            found = self.pages(ports, owner, 5, JobFilter.of_link(LinkKind(kind), entity_id))
            assert sum(map(len, found)) == count

    def test_a_job_that_was_not_stored_is_listed_under_no_link(self, ports: Ports, owner: str) -> None:
        (job_id,) = self.store(ports, owner, 1)
        with pytest.raises(ValueError, match=job_id):
            ports.jobs.put_new(a_job(job_id, owner=owner, links=JobLinks(session_id="s")))
        assert self.pages(ports, owner, 5, JobFilter(session_id="s")) == [[]]

    def test_a_repeated_creation_with_a_link_stores_the_job_once(self, ports: Ports, owner: str) -> None:
        job = a_job(owner=owner, links=JobLinks(session_id="s"))
        ports.jobs.put_new(job)
        ports.jobs.put_new(job)
        assert self.pages(ports, owner, 5, JobFilter(session_id="s")) == [[job.id]]

    def test_an_expired_job_is_listed_under_no_link(self, ports: Ports, owner: str) -> None:
        self.store(ports, owner, 1, links=JobLinks(session_id="s"))
        ports.clock.advance(7201)
        assert self.pages(ports, owner, 5, JobFilter(session_id="s")) == [[]]

    def test_a_cursor_does_not_show_another_owners_jobs(self, ports: Ports, owner: str) -> None:
        self.store(ports, owner, 3)
        cursor = ports.jobs.list_owned(owner, where=JobFilter(), limit=1, cursor=None).cursor
        assert ports.jobs.list_owned("a stranger", where=JobFilter(), limit=5, cursor=cursor).jobs == []


class TestLinksOnDynamoDB:
    def item(self, server: AwsServer, job: Job) -> dict[str, Any]:
        key = {"PK": {"S": f"LINK#sessionId#{job.owner}#s"}, "SK": {"S": f"JOB#{ulid_of(job.id)}"}}
        return server.dynamodb.get_item(TableName=server.table, Key=key, ConsistentRead=True)["Item"]

    def test_an_erased_job_leaves_no_item_and_no_place_under_its_link(self, server: AwsServer) -> None:
        clock = SettableClock()
        store, job = DynamoJobStore(server.table, clock=clock), a_job(links=JobLinks(session_id="s"))
        store.put_new(job)
        clock.advance(7201)  # an expired job is erased as well
        for _ in range(2):
            store.mark_erased(job.owner, job.id)
            store.erase(job.id)
            for partition in (f"JOB#{job.id}", f"LINK#sessionId#{job.owner}#s"):
                found = server.dynamodb.query(
                    TableName=server.table,
                    KeyConditionExpression="PK = :pk",
                    ExpressionAttributeValues={":pk": {"S": partition}},
                    ConsistentRead=True,
                )
                assert all(item["SK"] == {"S": "ERASED"} for item in found["Items"])
        assert list(store.ids_of(job.owner, gone=True)).count(job.id) == 1
        assert (store.owner_of(job.id), store.get(job.id)) == (job.owner, None)
        store.purge(job.id)
        assert (store.owner_of(job.id), list(store.ids_of(job.owner, gone=True)).count(job.id)) == (None, 0)

    def test_a_link_is_stored_longer_than_any_retention_of_its_job(self, server: AwsServer) -> None:
        store = DynamoJobStore(server.table, clock=SettableClock())
        job = a_job(links=JobLinks(session_id="s"))
        store.put_new(job)
        assert self.item(server, job)["expiresAt"] == {"N": str(job.expires_at + 900)}
        resumed = job.model_copy(update={"expires_at": job.expires_at + 5000})
        store.renew_links(resumed)
        assert self.item(server, job)["expiresAt"] == {"N": str(resumed.expires_at + 900)}

    def test_a_page_reads_a_bounded_number_of_jobs_and_its_cursor_leads_on(
        self, server: AwsServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(matching, "MOST_KEYS", 50)
        store = DynamoJobStore(server.table, clock=SettableClock())
        links, owner = JobLinks(project_id="bounded"), f"bounded {server.table}"
        for number in range(60):
            pipeline = "brief" if number == 0 else "poem"
            store.put_new(a_job(new_job_id(number), owner=owner, links=links, pipeline=pipeline))
        where = JobFilter(pipeline="brief", project_id="bounded")
        first = store.list_owned(owner, where=where, limit=5, cursor=None)
        assert first.jobs == []
        assert first.cursor is not None
        second = store.list_owned(owner, where=where, limit=5, cursor=first.cursor)
        assert [job.pipeline for job in second.jobs] == ["brief"]
        assert second.cursor is None

    def test_a_job_without_links_is_one_plain_write(self, server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        def transaction(_: object) -> None:
            raise AssertionError

        monkeypatch.setattr(jobs, "write_transaction", transaction)
        store = DynamoJobStore(server.table, clock=SettableClock())
        job = a_job()
        store.put_new(job)
        assert store.get(job.id) == job
