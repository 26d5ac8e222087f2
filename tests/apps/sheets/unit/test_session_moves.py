"""Sessions make only the moves that their state allows, and agree with their jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.apps.sheets import moves
from shared.apps.sheets.models import SheetChatInput, SheetLoadInput
from shared.apps.sheets.publication import Publication
from shared.apps.sheets.session import (
    KEPT_DAYS,
    MOST_ERRORS,
    UNLOADED_HOURS,
    JobChanged,
    MessageAdded,
    SessionState,
    StateChanged,
    Version,
    VersionPublished,
)
from shared.apps.sheets.session_id import new_session_id
from shared.apps.sheets.side_writes import CHAT, EXPORT, LOAD
from shared.apps.sheets.uploads import NewFile
from shared.apps.sheets.work import Origin
from shared.errors import CheckpointUnfit, Conflict, ErrorCode, Forbidden, InvalidInput, NotFound
from shared.jobs.job import JobLinks, JobStatus
from shared.jobs.pipeline import JobInput
from tests.apps.sheets.session_world import FILE, OWNER, SHEETS, SessionWorld, sweep_of
from tests.fakes.core import PoemInput, ScriptedStage, a_request, says

INITIALIZING, ACTIVE, ERROR, CLOSED = SessionState
TALK = SheetChatInput(text="What is in it?")


@pytest.fixture
def world() -> SessionWorld:
    return SessionWorld()


REQUESTS: dict[str, tuple[Callable[[SessionWorld, str], object], tuple[SessionState, ...]]] = {
    "upload": (lambda world, each: world.uploads.upload_url(OWNER, each, None), (INITIALIZING, ERROR)),
    "upload another file": (lambda world, each: world.uploads.upload_url(OWNER, each, FILE), (INITIALIZING, ERROR)),
    "load": (lambda world, each: world.work.load(OWNER, each, Origin()), (INITIALIZING, ERROR)),
    "recover": (lambda world, each: world.work.recover(OWNER, each, Origin()), (ERROR,)),
    "ask": (lambda world, each: world.work.ask(OWNER, each, TALK, Origin()), (ACTIVE,)),
    "load by POST /jobs": (lambda world, each: job_of(world, each, LOAD, SheetLoadInput()), (INITIALIZING, ERROR)),
    "ask by POST /jobs": (lambda world, each: job_of(world, each, CHAT, TALK), (ACTIVE,)),
    "export by POST /jobs": (lambda world, each: job_of(world, each, EXPORT, JobInput()), (ACTIVE,)),
    "close": (lambda world, each: world.closing.close(OWNER, each), tuple(SessionState)),
    "delete": (lambda world, each: world.closing.delete(OWNER, each), tuple(SessionState)),
}


def job_of(world: SessionWorld, session_id: str, pipeline: str, job_input: JobInput, owner: str = OWNER) -> object:
    session = world.store.get(session_id)
    if session is None:
        links = JobLinks(session_id=session_id)
        return world.core.job_creation.create(owner, a_request(pipeline=pipeline, input=job_input, links=links))
    return world.start(session, pipeline, job_input, owner=owner)


@pytest.mark.parametrize("state", SessionState)
@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_request_is_refused_unless_the_state_allows_it(
    world: SessionWorld, state: SessionState, request_name: str
) -> None:
    session = world.in_state(state)
    send, allowed = REQUESTS[request_name]
    if state in allowed:
        send(world, session.id)
        world.check(session)
        return
    with pytest.raises(Conflict) as refused:
        send(world, session.id)
    assert refused.value.state == state
    assert refused.value.allowed == allowed or state is CLOSED
    assert state in refused.value.message
    assert world.now(session) == session


@pytest.mark.parametrize("name", ["upload", "load", "recover", "ask", "close", "delete"])
def test_another_users_session_is_forbidden_and_an_unknown_one_not_found(world: SessionWorld, name: str) -> None:
    foreign = world.created("bob")
    send, _ = REQUESTS[name]
    with pytest.raises(Forbidden):
        send(world, foreign.id)
    for unknown in (new_session_id(0), "ses_1", "run_01jd8x2v5n7k3q9w4t6y8z0abc", "../x"):
        with pytest.raises(NotFound):
            send(world, unknown)
    assert world.now(foreign) == foreign


@pytest.mark.parametrize("pipeline", [LOAD, CHAT, EXPORT])
def test_a_job_needs_a_session_of_its_owner(world: SessionWorld, pipeline: str) -> None:
    job_input = {LOAD: SheetLoadInput(), CHAT: TALK, EXPORT: JobInput()}[pipeline]
    foreign = world.active("bob")
    for session_id in (foreign.id, new_session_id(0), "no id"):
        with pytest.raises(InvalidInput) as refused:
            job_of(world, session_id, pipeline, job_input)
        assert [issue.field for issue in refused.value.issues] == ["links.sessionId"]
    with pytest.raises(InvalidInput, match="a job of this pipeline works on a session"):
        world.core.job_creation.create(OWNER, a_request(pipeline=pipeline, input=job_input))
    assert world.now(foreign) == foreign


class TestCreating:
    def test_a_new_session_waits_for_its_file(self, world: SessionWorld) -> None:
        session, url = world.uploads.create(OWNER, "Sales of 2026", NewFile("a.csv", 7, "text/csv"))
        assert (session.state, session.title, session.seq, session.version) == (INITIALIZING, "Sales of 2026", 1, 0)
        assert (session.source.name, session.source.bytes) == ("a.csv", 7)
        assert session.source.key == f"sheets/{session.id}/source"
        assert (url.headers["Content-Length"], url.headers["Content-Type"]) == ("7", "text/csv")
        assert world.events(session) == [StateChanged(state=INITIALIZING)]

    def test_a_session_is_named_after_its_file_unless_it_has_a_title(self, world: SessionWorld) -> None:
        assert world.created().title == "Sales.xlsx"

    def test_a_repeat_with_the_same_key_gets_the_first_session(self, world: SessionWorld) -> None:
        first, _ = world.uploads.create(OWNER, None, FILE, idempotency_key="k")
        second, url = world.uploads.create(OWNER, None, FILE, idempotency_key="k")
        assert (second, url.url.endswith(first.source.key)) == (first, True)
        assert len(world.queries.list_sessions(OWNER, state=None, limit=5, cursor=None)[0]) == 1
        with pytest.raises(InvalidInput) as refused:
            world.uploads.create(OWNER, "another title", FILE, idempotency_key="k")
        assert refused.value.code is ErrorCode.IDEMPOTENCY_KEY_REUSED
        world.closing.delete(OWNER, first.id)
        with pytest.raises(Conflict, match="was deleted"):
            world.uploads.create(OWNER, None, FILE, idempotency_key="k")

    def test_another_file_replaces_the_one_that_was_announced(self, world: SessionWorld) -> None:
        session = world.broken()
        after, url = world.uploads.upload_url(OWNER, session.id, NewFile("b.csv", 9))
        assert (after.source.name, after.source.bytes, after.source.key) == ("b.csv", 9, session.source.key)
        assert (after.source.format, after.state, after.seq) == (None, ERROR, session.seq + 1)
        assert url.headers["Content-Length"] == "9"
        same, _ = world.uploads.upload_url(OWNER, session.id, None)
        assert same == after


class TestLoading:
    def test_a_completed_load_makes_the_session_active_with_its_first_version(self, world: SessionWorld) -> None:
        session = world.created()
        job = world.load(session)
        assert (world.now(session).state, world.now(session).active_job_id) == (INITIALIZING, job.id)
        world.finish(job)
        after = world.now(session)
        assert (after.state, after.version, after.active_job_id) == (ACTIVE, 1, None)
        assert (after.sheets, after.source.etag, after.inventory.mode) == (SHEETS, "e", "computed")
        kinds = [type(event) for event in world.events(session)]
        assert kinds == [StateChanged, JobChanged, StateChanged, VersionPublished, JobChanged]
        world.check(session)

    def test_a_failed_load_says_why_and_what_helps(self, world: SessionWorld) -> None:
        session = world.created()
        job = world.fail(world.load(session), "UnusableFile")
        [problem] = world.now(session).errors
        assert job.failure is not None
        assert (problem.code, problem.message) == (ErrorCode.UNSUPPORTED_FILE, job.failure.message)
        assert (problem.action, problem.job_id, problem.retryable) == ("upload", job.id, False)
        world.check(session)

    @pytest.mark.parametrize(("error", "action"), [("StorageUnavailable", "load"), ("DataLost", "upload")])
    def test_the_code_of_a_failed_load_decides_what_helps(self, world: SessionWorld, error: str, action: str) -> None:
        session = world.created()
        world.fail(world.load(session), error)
        assert world.now(session).errors[-1].action == action

    def test_a_cancelled_load_can_be_loaded_again_or_resumed(self, world: SessionWorld) -> None:
        session = world.created()
        job = world.cancel(world.load(session))
        assert (world.now(session).state, world.now(session).errors[-1].action) == (ERROR, "load")
        resumed = world.core.job_resumption.resume(OWNER, job.id)
        assert world.now(session).active_job_id == job.id
        world.core.job_cancellation.cancel(OWNER, resumed.id)
        world.finish(world.load(session))
        assert world.now(session).state is ACTIVE
        world.check(session)

    def test_one_load_runs_at_a_time(self, world: SessionWorld) -> None:
        session = world.created()
        job = world.load(session)
        for request in ("load", "load by POST /jobs", "upload", "upload another file"):
            with pytest.raises(Conflict) as refused:
                REQUESTS[request][0](world, session.id)
            assert (refused.value.code, refused.value.active_job_id) == (ErrorCode.SESSION_BUSY, job.id)
        world.check(session)

    def test_a_file_that_is_not_uploaded_or_has_another_size_is_not_loaded(self, world: SessionWorld) -> None:
        session, _ = world.uploads.create(OWNER, None, FILE)
        with pytest.raises(Conflict, match="the file is not uploaded"):
            world.load(session)
        world.upload(session, b"longer")
        with pytest.raises(Conflict, match="has 6 bytes, but 4 were announced"):
            world.load(session)

    def test_a_request_with_a_new_key_is_checked_as_one_without(self, world: SessionWorld) -> None:
        session, _ = world.uploads.create(OWNER, None, FILE)
        with pytest.raises(Conflict, match="the file is not uploaded"):
            world.work.load(OWNER, session.id, Origin(), idempotency_key="a")
        assert world.now(session).active_job_id is None
        world.upload(session)
        job = world.work.load(OWNER, session.id, Origin(), idempotency_key="a")
        world.finish(job)
        assert world.work.load(OWNER, session.id, Origin(), idempotency_key="a").id == job.id

    def test_only_the_newest_errors_are_kept(self, world: SessionWorld) -> None:
        session = world.created()
        for _ in range(MOST_ERRORS + 1):
            world.fail(world.load(session))
        assert len(world.now(session).errors) == MOST_ERRORS

    def test_a_load_that_ends_after_the_close_leaves_the_session_closed(self, world: SessionWorld) -> None:
        session = world.created()
        job = world.load(session)
        closed = world.closing.close(OWNER, session.id)
        assert (closed.state, closed.active_job_id, closed.version) == (CLOSED, None, 0)
        assert world.core.job(job.id).status is JobStatus.CANCELLED
        with pytest.raises(Conflict):
            world.core.job_resumption.resume(OWNER, job.id)
        world.check(session)


class TestTalking:
    def test_a_question_is_stored_with_its_job_and_the_answer_with_its_end(self, world: SessionWorld) -> None:
        session = world.active()
        job = world.ask(session, "How many?")
        asked = world.queries.messages(OWNER, session.id, limit=5, cursor=None)
        assert [(each.role, each.text) for each in asked.messages] == [("user", "How many?")]
        assert asked.jobs[job.id].status == "pending"
        ended = world.finish(job, "Three.")
        page = world.queries.messages(OWNER, session.id, limit=5, cursor=None)
        assert [(each.role, each.text) for each in page.messages] == [("assistant", "Three."), ("user", "How many?")]
        assert (page.messages[0].outcome, page.jobs[job.id].status) == ("completed", "completed")
        assert page.jobs[job.id].ended_at == ended.ended_at
        after = world.now(session)
        assert (after.messages, after.active_job_id, after.state) == (2, None, ACTIVE)
        kinds = [type(event) for event in world.events(session, after=session.seq)]
        assert kinds == [MessageAdded, JobChanged, MessageAdded, JobChanged]
        world.check(session)

    @pytest.mark.parametrize("end", ["fail", "cancel"])
    def test_an_answer_that_broke_off_keeps_its_text_and_says_how_it_ended(self, world: SessionWorld, end: str) -> None:
        session = world.active()
        job = world.ask(session)
        world.break_off(job, "There are")
        world.fail(job) if end == "fail" else world.cancel(job)
        answer = world.store.messages(session.id, limit=1)[0]
        assert (answer.role, answer.text) == ("assistant", "There are")
        assert answer.outcome == {"fail": "failed", "cancel": "cancelled"}[end]
        assert world.now(session).state is ACTIVE
        world.check(session)

    def test_a_resumed_answer_replaces_the_one_that_broke_off(self, world: SessionWorld) -> None:
        session = world.active()
        job = world.fail(world.ask(session))
        resumed = world.core.job_resumption.resume(OWNER, job.id)
        assert world.now(session).active_job_id == job.id
        *before, last = world.core.pipelines[CHAT].stages
        for stage in before:
            run_again(world, stage, resumed.id, {})
        run_again(world, last, resumed.id, {"text": "Three.", "outcome": "stopped"})
        world.core.complete(resumed, generation=2)
        answer, question = world.store.messages(session.id, limit=5)
        assert (answer.text, answer.outcome, question.role) == ("Three.", "stopped", "user")
        assert world.now(session).messages == 2
        world.check(session)

    def test_an_answer_names_the_versions_that_it_made(self, world: SessionWorld) -> None:
        session = world.active()
        job = world.ask(session)
        for number, origin in ((2, f"{job.id}:turn-1-call-1"), (3, None), (4, f"{job.id}:turn-2-call-1")):
            publish(world, session.id, number, origin)
        world.finish(job)
        assert world.store.messages(session.id, limit=1)[0].versions == (2, 4)

    def test_a_second_question_waits_for_the_answer_and_an_export_does_not(self, world: SessionWorld) -> None:
        session = world.active()
        job = world.ask(session)
        for request in ("ask", "ask by POST /jobs"):
            with pytest.raises(Conflict) as refused:
                REQUESTS[request][0](world, session.id)
            assert (refused.value.code, refused.value.active_job_id) == (ErrorCode.SESSION_BUSY, job.id)
        export = world.export(session)
        assert world.now(session).active_job_id == job.id
        world.fail(export)
        assert (world.now(session).active_job_id, world.now(session).state) == (job.id, ACTIVE)
        world.check(session)

    def test_an_old_answer_is_not_resumed_while_another_runs(self, world: SessionWorld) -> None:
        session = world.active()
        old = world.cancel(world.ask(session))
        new = world.ask(session)
        with pytest.raises(Conflict) as refused:
            world.core.job_resumption.resume(OWNER, old.id)
        assert refused.value.active_job_id == new.id
        world.check(session)

    def test_a_page_of_messages_continues_at_its_cursor(self, world: SessionWorld) -> None:
        session = world.active()
        for number in range(3):
            world.clock.advance(1)
            world.finish(world.ask(session, f"question {number}"))
        page = world.queries.messages(OWNER, session.id, limit=4, cursor=None)
        assert [each.text for each in page.messages if each.role == "user"] == ["question 2", "question 1"]
        rest = world.queries.messages(OWNER, session.id, limit=4, cursor=page.cursor)
        assert ([each.text for each in rest.messages], rest.cursor) == (["Three sales.", "question 0"], None)
        for bad in ("", "x", session.id):
            with pytest.raises(InvalidInput):
                world.queries.messages(OWNER, session.id, limit=4, cursor=bad)


def run_again(world: SessionWorld, stage: str, job_id: str, output: dict[str, Any]) -> None:
    world.core.run(ScriptedStage(stage, says("", **output)), world.core.job(job_id), generation=2)


def publish(world: SessionWorld, session_id: str, number: int, origin: str | None) -> None:
    session = world.store.get(session_id)
    assert session is not None
    version = Version(
        session_id=session_id,
        number=number,
        kind="change",
        by="model",
        title="Change",
        origin=origin,
        map=str(session.map),
        snapshot=session.snapshot,
        sheets=session.sheets,
        created_at=world.clock(),
    )
    world.store.save(Publication(version, ()).change_of(session))


class TestOtherJobs:
    def test_jobs_of_other_pipelines_can_be_linked_to_an_open_session(self, world: SessionWorld) -> None:
        session = world.created()
        job = world.start(session, "poem", PoemInput())
        assert (job.links.session_id, world.now(session)) == (session.id, session)
        world.closing.close(OWNER, session.id)
        assert world.core.job(job.id).status is JobStatus.CANCELLED
        with pytest.raises(Conflict, match="CLOSED"):
            world.start(session, "poem", PoemInput())
        with pytest.raises(Conflict, match="CLOSED"):
            world.core.job_resumption.resume(OWNER, job.id)


class TestHealth:
    def test_a_session_whose_data_is_gone_says_so_and_can_be_recovered(self, world: SessionWorld) -> None:
        session = world.active()
        del world.data.objects[f"sheets/{session.id}/models/{session.snapshot}"]
        with pytest.raises(Conflict) as refused:
            world.ask(session)
        assert (refused.value.code, refused.value.state) == (ErrorCode.DATA_GONE, ERROR)
        problem = world.now(session).errors[-1]
        assert (problem.code, problem.action) == (ErrorCode.DATA_GONE, "recover")
        assert isinstance(world.events(session)[-1], StateChanged)
        world.check(session)

    def test_data_that_was_found_is_not_asked_about_again_for_a_minute(self, world: SessionWorld) -> None:
        session = world.active()
        world.finish(world.ask(session))
        del world.data.objects[f"sheets/{session.id}/maps/{session.map}"]
        world.finish(world.ask(session))
        world.clock.advance(60)
        with pytest.raises(Conflict):
            world.ask(session)

    def test_an_error_that_was_met_in_an_older_version_changes_nothing(self, world: SessionWorld) -> None:
        session = world.active()
        publish(world, session.id, 2, None)
        before = world.now(session)
        assert world.health.lost(session).code is ErrorCode.DATA_GONE
        assert world.now(session) == before

    def test_unreadable_data_has_its_own_code(self, world: SessionWorld) -> None:
        session = world.active()
        assert world.health.lost(session, unreadable=True).code is ErrorCode.DATA_UNREADABLE
        assert world.now(session).errors[-1].code == ErrorCode.DATA_UNREADABLE

    def test_a_session_without_a_whole_version_is_loaded_again_from_its_upload(self, world: SessionWorld) -> None:
        session = world.active()
        world.health.lost(session)
        after, job = world.work.recover(OWNER, session.id, Origin())
        assert job is not None
        assert after.active_job_id == job.id
        world.finish(job)
        assert (world.now(session).state, world.now(session).version) == (ACTIVE, 2)
        world.check(session)

    def test_a_repeated_recovery_returns_the_job_of_the_first(self, world: SessionWorld) -> None:
        session = world.active()
        world.health.lost(session)
        _, job = world.work.recover(OWNER, session.id, Origin(), idempotency_key="a")
        assert job is not None
        _, again = world.work.recover(OWNER, session.id, Origin(), idempotency_key="a")
        world.finish(job)
        after, last = world.work.recover(OWNER, session.id, Origin(), idempotency_key="a")
        assert [each.id for each in (again, last) if each is not None] == [job.id, job.id]
        assert after.state is ACTIVE
        with pytest.raises(InvalidInput, match="Idempotency-Key: must be a new key"):
            world.work.ask(OWNER, session.id, TALK, Origin(), idempotency_key="a")

    def test_a_session_of_which_nothing_is_left_asks_for_another_upload(self, world: SessionWorld) -> None:
        session = world.active()
        world.health.lost(session)
        world.data.delete(session.id)
        with pytest.raises(Conflict) as refused:
            world.work.recover(OWNER, session.id, Origin())
        assert (refused.value.code, "upload the file again" in refused.value.message) == (ErrorCode.DATA_GONE, True)
        assert world.now(session).errors[-1].action == "upload"
        world.uploads.upload_url(OWNER, session.id, FILE)
        world.upload(session)
        world.finish(world.load(session))
        assert world.now(session).state is ACTIVE


class TestEnding:
    def test_closing_cancels_the_running_answer_and_can_be_repeated(self, world: SessionWorld) -> None:
        session = world.active()
        job = world.ask(session)
        closed = world.closing.close(OWNER, session.id)
        assert (closed.state, closed.active_job_id, closed.closed_at) == (CLOSED, None, world.clock())
        assert world.core.job(job.id).status is JobStatus.CANCELLED
        assert world.closing.close(OWNER, session.id) == closed
        with pytest.raises(Conflict):
            world.core.job_resumption.resume(OWNER, job.id)
        world.check(session)

    def test_a_close_that_broke_off_is_completed_by_a_repeat(self, world: SessionWorld) -> None:
        session = world.active()
        job = world.ask(session)
        world.closing._cancellation = Broken()  # type: ignore[assignment]
        with pytest.raises(Killed):
            world.closing.close(OWNER, session.id)
        assert (world.now(session).state, world.core.job(job.id).status) == (CLOSED, JobStatus.PENDING)
        world.closing._cancellation = world.core.job_cancellation
        assert world.closing.close(OWNER, session.id).active_job_id is None
        world.check(session)

    def test_deleting_removes_the_session_its_data_and_its_jobs(self, world: SessionWorld) -> None:
        session = world.active()
        done, running = world.finish(world.ask(session)), world.ask(session)
        other = world.active()
        world.closing.delete(OWNER, session.id)
        assert world.store.get(session.id) is None
        assert not [key for key in world.data.objects if session.id in key]
        assert (world.core.jobs.get(done.id), world.core.jobs.get(running.id)) == (None, None)
        assert {entry.event.type for entry in world.core.log.read(running.id, after=0)} <= {"cancelled"}
        assert world.now(other) == other
        with pytest.raises(NotFound):
            world.closing.delete(OWNER, session.id)

    def test_a_job_that_ends_after_its_session_was_deleted_ends_alone(self, world: SessionWorld) -> None:
        session = world.active()
        job = world.ask(session)
        world.store.delete(session.id, purge_at=world.clock())
        assert world.fail(job).status is JobStatus.FAILED
        assert world.store.get(session.id) is None
        with pytest.raises(CheckpointUnfit):
            world.core.job_resumption.resume(OWNER, job.id)


class Killed(BaseException):
    """The process ends."""


class Broken:
    """A cancellation whose process is killed."""

    def cancel_linked(self, *_: object) -> None:
        raise Killed


class TestSweeping:
    def test_a_session_that_was_never_loaded_is_given_up_and_later_removed(self, world: SessionWorld) -> None:
        session, _ = world.uploads.create(OWNER, None, FILE)
        sweep = sweep_of(world)
        assert sweep.run().looked_at == 0
        world.clock.advance(UNLOADED_HOURS * 3600)
        assert sweep.run().given_up == 1
        after = world.now(session)
        assert (after.state, after.errors[-1].code, after.errors[-1].action) == (ERROR, "NOT_LOADED", "upload")
        world.clock.advance(KEPT_DAYS * 86_400)
        assert sweep.run().removed == 1
        assert world.store.get(session.id) is None

    def test_a_session_that_is_being_loaded_is_not_given_up(self, world: SessionWorld) -> None:
        session = world.created()
        world.load(session)
        world.clock.advance(UNLOADED_HOURS * 3600)
        report = sweep_of(world).run()
        assert (report.looked_at, report.given_up, world.now(session).state) == (1, 0, INITIALIZING)

    def test_the_jobs_of_a_closed_session_are_cancelled_and_the_session_is_removed_a_week_later(
        self, world: SessionWorld
    ) -> None:
        session = world.active()
        job = world.ask(session)
        world.closing._cancellation = Broken()  # type: ignore[assignment]
        with pytest.raises(Killed):
            world.closing.close(OWNER, session.id)
        world.closing._cancellation = world.core.job_cancellation
        assert sweep_of(world).run().looked_at == 1
        assert world.core.job(job.id).status is JobStatus.CANCELLED
        world.check(session)
        world.clock.advance(KEPT_DAYS * 86_400 - 1)
        assert sweep_of(world).run().removed == 0
        world.clock.advance(1)
        assert sweep_of(world).run().removed == 1
        assert world.store.get(session.id) is None
        assert not world.data.objects

    def test_data_of_an_active_session_that_no_version_needs_is_deleted_after_a_day(self, world: SessionWorld) -> None:
        session = world.active()
        orphan = f"sheets/{session.id}/blocks/orphan"
        world.data.objects[orphan], world.data.stored_at[orphan] = b"x", world.clock()
        world.clock.advance(86_400)
        assert sweep_of(world).run().thinned == 0
        world.store.save(changed_at(world, session))
        world.clock.advance(86_400)
        assert sweep_of(world).run().thinned == 1
        assert orphan not in world.data.objects
        world.finish(world.ask(session))
        assert sweep_of(world).run().looked_at == 0

    @pytest.mark.parametrize("kind", ["source", "blocks/late", "exports/1.xlsx"])
    def test_what_is_stored_for_a_session_after_its_deletion_is_removed_an_hour_later(
        self, world: SessionWorld, kind: str
    ) -> None:
        """An upload, a load or an export has begun before the deletion, and stores its data after it."""
        session, other = world.active(), world.active()
        world.closing.delete(OWNER, session.id)
        late = f"sheets/{session.id}/{kind}"
        world.data.objects[late], world.data.stored_at[late] = b"x", world.clock()
        world.clock.advance(3599)
        assert sweep_of(world).run().purged == 0
        world.clock.advance(1)
        assert sweep_of(world).run().purged == 1
        assert late not in world.data.objects
        assert other.source.key in world.data.objects
        assert sweep_of(world).run().purged == 0

    def test_a_deleted_session_that_cannot_be_purged_delays_no_other(
        self, world: SessionWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sessions = [world.active() for _ in range(2)]
        for session in sessions:
            world.closing.delete(OWNER, session.id)
        world.clock.advance(3600)
        purge = world.store.purge

        def refuse(session_id: str) -> None:
            if session_id == sessions[0].id:
                raise OSError("no table")
            purge(session_id)

        with monkeypatch.context() as broken:
            broken.setattr(world.store, "purge", refuse)
            with pytest.raises(OSError, match="no table"):
                sweep_of(world).run()
        assert list(world.store.deleted(world.clock())) == [sessions[0].id]
        assert sweep_of(world).run().purged == 1

    def test_a_session_that_cannot_be_swept_delays_no_other(self, world: SessionWorld) -> None:
        broken, other = (world.uploads.create(OWNER, None, FILE)[0] for _ in range(2))
        closed = world.closing.close(OWNER, broken.id)
        world.clock.advance(KEPT_DAYS * 86_400)
        delete = world.data.delete

        def refuse(session_id: str) -> None:
            if session_id == closed.id:
                raise OSError("no bucket")
            delete(session_id)

        world.data.delete = refuse  # type: ignore[method-assign]
        with pytest.raises(OSError, match="no bucket"):
            sweep_of(world).run()
        assert world.now(other).state is ERROR
        assert sweep_of(world).run().looked_at == 0
        world.data.delete = delete  # type: ignore[method-assign]
        world.clock.advance(3600)
        assert sweep_of(world).run().removed == 1

    def test_a_sweep_stops_when_its_time_is_over(self, world: SessionWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        for _ in range(3):
            world.uploads.create(OWNER, None, FILE)
        world.clock.advance(UNLOADED_HOURS * 3600)
        sweep = sweep_of(world)
        after = sweep._after

        def slow(*arguments: Any) -> Any:
            world.clock.advance(30)
            return after(*arguments)

        monkeypatch.setattr(sweep, "_after", slow)
        report = sweep.run()
        assert (report.looked_at, report.finished) == (2, False)
        report = sweep.run()
        assert (report.looked_at, report.finished) == (1, True)


def changed_at(world: SessionWorld, session: Any) -> Any:
    return moves.changed(world.now(session), world.clock(), StateChanged(state=ACTIVE))


def test_a_session_is_due_once_for_each_of_its_states() -> None:
    world = SessionWorld()
    for state in SessionState:
        session = world.in_state(state)
        assert session.sweep_at is not None
        assert session.sweep_at - world.clock() <= timedelta(days=KEPT_DAYS)
