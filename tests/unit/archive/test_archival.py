"""Archiving jobs when they end, whatever happens at the same time."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any
from unittest.mock import Mock, call

import pytest

from shared.archive import reading
from shared.archive.retention import ArchiveDays
from shared.channel.job_topics import JobTopics
from shared.errors import CheckpointUnfit, Conflict, Forbidden, InvalidInput, ModelUnavailable, NotFound
from shared.jobs.job import Job, JobLinks, JobStatus, LinkKind
from shared.jobs.queries import JobView
from shared.jobs.store import JobFilter, JobGuard, JobPage, PreparedWrites
from shared.jobs.transitions import JobTransition
from shared.jobs.watcher import archived_frames
from shared.log.event_log import LogBounds, LogEntry, LogTail
from shared.log.events import Complete, Failed, Reset, Snapshot
from shared.log.reader import LogReader
from tests.fakes.core import FakeCore, ScriptedStage, a_job, a_request, fails, says

MONTH = "2026-03"


def completed(core: FakeCore, text: str = "a draft", **fields: Any) -> Job:
    job = core.job_creation.create("ada", a_request(**fields))
    core.run(ScriptedStage("draft", says(text)), job)
    core.run(ScriptedStage("polish", says(", polished", lines=["one", "two"])), job)
    core.complete(job)
    return core.job(job.id)


def failed(core: FakeCore) -> Job:
    job = core.job_creation.create("ada", a_request())
    core.run(ScriptedStage("draft", says("a draft")), job)
    with pytest.raises(ModelUnavailable):
        core.run(ScriptedStage("polish", fails(ModelUnavailable("down"), after=" and half a")), job)
    core.record_failure(job)
    return core.job(job.id)


def end_of(job: Job, record_id: str = "1") -> JobTransition:
    return JobTransition(job, JobStatus.IN_PROGRESS, job.updated_at, record_id)


def archive(core: FakeCore, job: Job) -> None:
    assert core.job_archival.archive(end_of(job)) is not None


def expire(core: FakeCore) -> None:
    """Let every job expire, and DynamoDB delete all that was stored for jobs."""
    core.clock.advance(4 * 3600)
    core.checkpoints.delete_expired(core.clock())
    core.log.delete_expired(core.clock())


def archived(core: FakeCore, job: Job) -> JobView:
    view = core.job_queries.view("ada", job.id)
    assert view.archived is not None
    return view


class TestReadingAfterTheExpiry:
    def test_a_completed_job_is_read_as_the_api_showed_it(self) -> None:
        core = FakeCore()
        job = completed(core)
        before = core.job_queries.view("ada", job.id)
        archive(core, job)
        expire(core)
        after = archived(core, job)
        assert after.job == job.model_copy(update={"expires_at": after.job.expires_at})
        assert (after.transcript.text, after.result) == (before.transcript.text, {"lines": ["one", "two"]})
        assert (after.transcript.seq, after.transcript.stage) == (before.transcript.seq, before.transcript.stage)
        assert after.archived is not None
        assert [each.type for each in after.archived.history] == ["stage", "text", "stage", "text", "complete"]
        assert after.archived.history_is_whole

    def test_a_failed_job_keeps_its_failure_and_the_history_of_its_attempts(self) -> None:
        core = FakeCore()
        job = failed(core)
        archive(core, job)
        expire(core)
        after = archived(core, job)
        assert after.job.failure == job.failure
        assert after.archived is not None
        last = after.archived.history[-1]
        assert (last.type, last.reason, last.stage) == ("error", "MODEL_UNAVAILABLE", "polish")

    def test_a_job_whose_log_was_compacted_is_whole(self) -> None:
        core = FakeCore(bounds=LogBounds(max_events=2, max_bytes=10))
        job = completed(core, "a draft " * 1000)
        archive(core, job)
        expire(core)
        after = archived(core, job)
        assert after.transcript.text == "a draft " * 1000 + ", polished"
        assert after.archived is not None
        assert [each.type for each in after.archived.history] == ["stage", "text", "stage", "text", "complete"]
        assert after.archived.history_is_whole

    def test_the_log_of_a_job_is_read_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = completed(core)
        calls: list[str] = []
        read, tail = core.log.read, core.log.tail

        def counted_read(job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
            calls.append("read")
            return read(job_id, after=after, consistent=consistent)

        def counted_tail(job_id: str) -> LogTail:
            calls.append("tail")
            return tail(job_id)

        monkeypatch.setattr(core.log, "read", counted_read)
        monkeypatch.setattr(core.log, "tail", counted_tail)
        archive(core, job)
        assert calls == ["read"]

    @pytest.mark.parametrize("missing", [slice(-1, None), slice(None, -1), slice(1, 2), slice(None)])
    def test_a_read_that_misses_new_events_is_repeated(self, monkeypatch: pytest.MonkeyPatch, missing: slice) -> None:
        core = FakeCore()
        job = completed(core)
        read = core.log.read

        def late_read(job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
            found = list(read(job_id, after=after, consistent=consistent))
            if not consistent:
                del found[missing]
            return found

        monkeypatch.setattr(core.log, "read", late_read)
        archive(core, job)
        expire(core)
        after = archived(core, job)
        assert after.transcript.text == "a draft, polished"
        assert after.archived is not None
        assert [each.type for each in after.archived.history] == ["stage", "text", "stage", "text", "complete"]

    def test_a_text_of_megabytes_is_archived(self) -> None:
        core = FakeCore()
        text = "é" * 3_000_000
        job = core.job_creation.create("ada", a_request())
        core.run(ScriptedStage("draft", says("")), job)
        core.run(ScriptedStage("polish", says("", lines=[text])), job)
        core.complete(job)
        archive(core, core.job(job.id))
        expire(core)
        assert archived(core, job).result == {"lines": [text]}

    def test_a_record_is_one_json_object_for_every_reader_of_gzip(self) -> None:
        core = FakeCore()
        job = completed(core)
        archive(core, job)
        values = json.loads(gzip.decompress(core.archive.files["ada", job.id]))
        assert (values["version"], values["job"]["id"], values["input"]) == (1, job.id, {"topic": "rivers"})

    def test_another_user_learns_nothing(self) -> None:
        core = FakeCore()
        job = completed(core)
        archive(core, job)
        with pytest.raises(Forbidden):
            core.job_queries.view("eve", job.id)
        expire(core)
        for act in (core.job_queries.view, core.job_queries.owned, core.job_resumption.resume):
            with pytest.raises(NotFound):
                act("eve", job.id)

    def test_it_is_gone_at_the_midnight_after_its_days(self) -> None:
        core = FakeCore(archive_days=ArchiveDays(standard=2))
        job = completed(core)
        archive(core, job)
        core.clock.advance(2 * 86_400 + 12 * 3600 - 1)
        assert archived(core, job).job.expires_at == int(core.clock().timestamp()) + 1
        core.clock.advance(1)
        with pytest.raises(NotFound):
            core.job_queries.view("ada", job.id)

    def test_nothing_is_written_if_the_retention_is_off(self) -> None:
        core = FakeCore(archive_days=ArchiveDays(standard=0))
        job = completed(core)
        archive(core, job)
        assert not core.archive.files

    @pytest.mark.parametrize(
        "file",
        [b"", b"no gzip", gzip.compress(b"{}", mtime=0), gzip.compress(b'{"version":2}', mtime=0)[:-3]],
        ids=["empty", "no gzip", "no record", "cut off"],
    )
    def test_a_file_that_is_not_ours_does_not_exist(self, file: bytes) -> None:
        core = FakeCore()
        job = a_job()
        core.archive.files["ada", job.id] = file
        with pytest.raises(NotFound):
            core.job_queries.view("ada", job.id)
        assert core.job_queries.list_archived("ada", month=MONTH, where=JobFilter(), limit=5, cursor=None).jobs == []


class TestRecordsOfTheStream:
    def test_a_record_that_comes_twice_changes_nothing(self) -> None:
        core = FakeCore()
        job = completed(core)
        archive(core, job)
        files = dict(core.archive.files)
        core.clock.advance(5)
        archive(core, job)
        assert core.archive.files.keys() == files.keys()

    def test_a_later_end_replaces_the_earlier_one_in_any_order(self) -> None:
        core = FakeCore()
        first = failed(core)
        archive(core, first)
        resumed = core.job_resumption.resume("ada", first.id)
        core.run(ScriptedStage("polish", says(", polished", lines=[])), resumed, generation=2)
        core.complete(resumed, generation=2)
        archive(core, core.job(first.id))
        archive(core, first)
        expire(core)
        archive(core, first)
        after = archived(core, first)
        assert (after.job.status, after.job.generation) == (JobStatus.COMPLETED, 2)
        assert after.archived is not None
        kinds = [each.type for each in after.archived.history]
        assert kinds == ["stage", "text", "stage", "text", "error", "reset", "stage", "text", "complete"]
        assert after.archived.history_is_whole

    def test_an_end_that_is_not_the_last_archives_nothing(self) -> None:
        core = FakeCore()
        job = failed(core)
        core.job_resumption.resume("ada", job.id)
        archive(core, job)
        assert not core.archive.files

    def test_a_completion_is_archived_although_a_read_shows_the_job_before(self) -> None:
        core = FakeCore()
        job = core.new_job()
        ended = core.jobs.update(job.id, {"status": JobStatus.COMPLETED, "ended_at": core.clock()}, when=JobGuard())
        older = core.jobs.get(job.id, consistent=False)
        assert older is not None
        assert older.status is not JobStatus.COMPLETED
        archive(core, ended)
        # Its process died before it appended the end, which is done for the job as it is stored only.
        assert [event.type for event in core.events(job)] == ["progress", "complete"]

    def test_what_is_no_end_is_skipped(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request())
        assert core.job_archival.archive(JobTransition(job, None, job.updated_at, "1")) is None

    def test_the_end_of_the_log_is_appended_if_a_dead_process_has_not(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.FAILED, ended_at=core.clock())
        archive(core, job)
        assert [event.type for event in core.events(job)] == ["error"]

    def test_the_end_of_a_resumed_job_is_appended_although_the_log_has_an_earlier_end(self) -> None:
        core = FakeCore()
        first = failed(core)
        ended = {"status": JobStatus.CANCELLED, "generation": 2, "failure": None}
        core.jobs.update(first.id, ended, when=JobGuard())
        archive(core, core.job(first.id))
        assert [event.type for event in core.events(first)][-2:] == ["error", "cancelled"]
        last = len(core.events(first))
        expire(core)
        assert archived(core, first).transcript.seq == last

    def test_a_record_that_comes_after_the_expiry_still_archives_what_is_stored(self) -> None:
        core = FakeCore()
        job = completed(core)
        core.clock.advance(1000)
        archive(core, job)
        assert archived(core, job).result == {"lines": ["one", "two"]}


class TestErasure:
    def test_an_erased_job_leaves_no_record(self) -> None:
        core = FakeCore()
        job = completed(core)
        archive(core, job)
        core.job_erasure.erase("ada", job.id)
        archive(core, job)
        assert not core.archive.files

    @pytest.mark.parametrize("moment", ["before_put", "after_put"])
    def test_a_job_that_is_erased_while_it_is_archived_does_not_come_back(self, moment: str) -> None:
        core = FakeCore()
        job = completed(core)
        setattr(core.archive, moment, lambda: core.job_erasure.erase("ada", job.id))
        core.job_archival.archive(end_of(job))
        assert not core.archive.files
        with pytest.raises(NotFound):
            core.job_queries.view("ada", job.id)

    def test_a_stored_job_is_asked_for_its_erasure_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = completed(core)
        is_erased = Mock(return_value=False)
        monkeypatch.setattr(core.jobs, "is_erased", is_erased)
        archive(core, job)
        assert is_erased.call_args_list == [call(job.id)]

    def test_another_users_job_is_not_erased(self) -> None:
        core = FakeCore()
        job = completed(core)
        archive(core, job)
        with pytest.raises(Forbidden):
            core.job_erasure.erase("eve", job.id)
        assert not core.jobs.is_erased(job.id)
        expire(core)
        core.job_erasure.erase("eve", job.id)
        assert core.archive.files


class Projects:
    """The projects of an application, by the ids that exist."""

    def __init__(self, *ids: str) -> None:
        self.ids = set(ids)

    def condition(self, _job: Job, entity_id: str) -> PreparedWrites | None:
        return PreparedWrites(()) if entity_id in self.ids else None


@pytest.fixture
def projects() -> Projects:
    return Projects("prj_1", "prj_2")


@pytest.fixture
def linking(projects: Projects) -> FakeCore:
    return FakeCore(linked_entities={LinkKind.PROJECT: [projects]}, archive_days=ArchiveDays(standard=0, linked=10))


class TestLinkedJobs:
    def test_a_linked_job_is_kept_apart_and_found_by_its_link(self, linking: FakeCore) -> None:
        job = completed(linking, links=JobLinks(project_id="prj_1"))
        completed(linking, links=JobLinks(project_id="prj_2"))
        archive(linking, job)
        expire(linking)
        where = JobFilter(project_id="prj_1")
        page = linking.job_queries.list_archived("ada", month=None, where=where, limit=5, cursor=None)
        assert [each.id for each in page.jobs] == [job.id]
        assert archived(linking, job).result == {"lines": ["one", "two"]}

    def test_a_link_that_nothing_owns_keeps_nothing(self) -> None:
        core = FakeCore(archive_days=ArchiveDays(standard=0))
        job = completed(core, links=JobLinks(project_id="anything"))
        archive(core, job)
        assert not core.archive.files

    @pytest.mark.parametrize("expired", [False, True])
    def test_deleting_what_it_is_linked_to_erases_it(self, linking: FakeCore, *, expired: bool) -> None:
        job = completed(linking, links=JobLinks(project_id="prj_1"))
        other = completed(linking, links=JobLinks(project_id="prj_2"))
        for each in (job, other):
            archive(linking, each)
        if expired:
            expire(linking)
        linking.job_erasure.erase_linked("ada", LinkKind.PROJECT, "prj_1")
        assert {job_id for _, job_id in linking.archive.files} == {other.id}
        assert {place[3] for place in linking.archive.places} == {other.id}

    @pytest.mark.parametrize("moment", ["before_put", "after_put"])
    def test_what_is_deleted_while_a_job_is_archived_takes_the_job_with_it(
        self, linking: FakeCore, projects: Projects, moment: str
    ) -> None:
        job = completed(linking, links=JobLinks(project_id="prj_1"))
        linking.clock.advance(1000)  # so that the deletion does not find the job itself

        def delete() -> None:
            projects.ids.discard("prj_1")
            linking.job_erasure.erase_linked("ada", LinkKind.PROJECT, "prj_1")

        setattr(linking.archive, moment, delete)
        archive(linking, job)
        assert not linking.archive.files
        assert not linking.archive.places

    def test_deleting_a_run_erases_the_jobs_that_are_linked_to_it(self) -> None:
        core = FakeCore()
        song = core.new_song()
        run_id = str(song.links.run_id)
        job = completed(core, links=JobLinks(run_id=run_id))
        archive(core, job)
        expire(core)
        core.songs.delete("ada", run_id)
        assert not core.archive.files


def list_month(core: FakeCore, cursor: str | None = None, *, limit: int = 2, **where: Any) -> JobPage:
    filters = JobFilter(**where)
    return core.job_queries.list_archived("ada", month=MONTH, where=filters, limit=limit, cursor=cursor)


class TestLists:
    def test_pages_have_every_job_of_the_month_once_in_the_order_of_creation(self) -> None:
        core = FakeCore()
        jobs = []
        for _ in range(5):
            jobs.append(completed(core))
            archive(core, jobs[-1])
            core.clock.advance(1)
        expire(core)
        pages = [list_month(core)]
        while pages[-1].cursor is not None:
            pages.append(list_month(core, pages[-1].cursor))
        assert [[job.id for job in page.jobs] for page in pages] == [
            [job.id for job in jobs[:2]],
            [job.id for job in jobs[2:4]],
            [jobs[4].id],
        ]
        assert pages[0].jobs[0].input == {}

    def test_a_page_looks_at_a_bounded_number_of_records(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "MOST_READ", 3)
        core = FakeCore()
        for _ in range(5):
            archive(core, completed(core))
            core.clock.advance(1)
        first = list_month(core, status=JobStatus.FAILED, limit=5)
        assert (first.jobs, first.cursor is not None) == ([], True)
        assert list_month(core, first.cursor, status=JobStatus.FAILED, limit=5) == JobPage([], None)

    def test_a_cursor_of_another_list_is_refused(self) -> None:
        with pytest.raises(InvalidInput):
            list_month(FakeCore(), "am9iXw==")


class TestResuming:
    def test_an_expired_job_resumes_behind_its_finished_stages_with_the_next_event_number(self) -> None:
        core = FakeCore()
        job = failed(core)
        last = core.job_queries.view("ada", job.id).transcript.seq
        archive(core, job)
        expire(core)
        core.jobs.erase(job.id)
        resumed = core.job_resumption.resume("ada", job.id)
        assert (resumed.status, resumed.generation, resumed.input) == (JobStatus.PENDING, 2, {"topic": "rivers"})
        finished = ScriptedStage("draft")
        core.run(finished, resumed, generation=2)
        core.run(ScriptedStage("polish", says(", polished", lines=[])), resumed, generation=2)
        core.complete(resumed, generation=2)
        assert finished.runs == 0
        assert core.job_queries.view("ada", job.id).transcript.text == "a draft, polished"
        late = LogReader(core.log, job.id, after=last).poll()
        assert [frame.id for frame in late] == list(range(last + 1, last + 1 + len(late)))
        assert isinstance(late[0].event, Reset)
        assert late[0].event.text == "a draft"
        assert isinstance(LogReader(core.log, job.id).poll()[0].event, Snapshot)

    def test_a_job_that_was_cancelled_before_it_began_resumes(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request())
        archive(core, core.job_cancellation.cancel("ada", job.id))
        expire(core)
        assert core.job_resumption.resume("ada", job.id).generation == 2

    def test_a_completed_job_is_not_resumed_and_not_restored(self) -> None:
        core = FakeCore()
        job = completed(core)
        archive(core, job)
        expire(core)
        with pytest.raises(Conflict):
            core.job_resumption.resume("ada", job.id)
        assert core.jobs.get(job.id) is None

    def test_a_job_that_no_longer_fits_stays_restored_for_a_while(self) -> None:
        core = FakeCore()
        job = failed(core)
        core.jobs.update(job.id, {"model": "gone"}, when=JobGuard())
        archive(core, core.job(job.id))
        expire(core)
        with pytest.raises(CheckpointUnfit):
            core.job_resumption.resume("ada", job.id)
        assert core.job(job.id).status is JobStatus.FAILED

    def test_a_job_that_is_erased_at_this_moment_is_not_restored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = failed(core)
        archive(core, job)
        expire(core)
        put = core.checkpoints.put

        def erase_meanwhile(*arguments: Any) -> None:
            core.job_erasure.erase("ada", job.id)
            put(*arguments)

        monkeypatch.setattr(core.checkpoints, "put", erase_meanwhile)
        with pytest.raises(NotFound):
            core.job_resumption.resume("ada", job.id)
        assert core.jobs.get(job.id) is None


class TestWatching:
    def test_a_watcher_gets_a_snapshot_and_the_end_and_then_nothing(self) -> None:
        core = FakeCore()
        job = completed(core)
        archive(core, job)
        expire(core)
        view = archived(core, job)
        last = view.transcript.seq
        snapshot, end = archived_frames(view, after=0)
        assert (snapshot.id, end.id, end.terminal) == (last - 1, last, True)
        assert isinstance(snapshot.event, Snapshot)
        assert snapshot.event.text == "a draft, polished"
        assert isinstance(end.event, Complete)
        assert end.event.result == {"lines": ["one", "two"]}
        assert [frame.id for frame in archived_frames(view, after=last - 1)] == [last]
        assert archived_frames(view, after=last) == ()
        with pytest.raises(InvalidInput):
            archived_frames(view, after=last + 1)

    def test_the_topic_of_the_channel_has_the_same_events(self) -> None:
        core = FakeCore()
        job = failed(core)
        archive(core, job)
        expire(core)
        topics = JobTopics(queries=core.job_queries, watcher=core.job_watcher, event_log=core.log)
        assert topics.state("ada", job.id) == "failed"
        last = topics.tail(job.id)
        assert topics.mark_watched(job.id, expires_at=int(core.clock().timestamp()) + 60)
        reader = topics.reader(job.id, after=0)
        frames = reader.poll()
        assert [type(frame.event) for frame in frames] == [Snapshot, Failed]
        assert (reader.position, reader.poll()) == (last, ())
        with pytest.raises(NotFound):
            topics.state("eve", job.id)
