"""The tokens of every call are on the job, and calls whose tokens are not known are shown as unknown."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import AttemptSuperseded, JobEnded, ModelRefused, ModelUnavailable, StorageThrottled
from shared.jobs.accounts import attempt_is_open
from shared.jobs.job import Job
from shared.jobs.store import JobGuard
from shared.llm.model import Finished, Message, ModelRequest, Piece, Started, TextDelta
from shared.log.event_log import LogTail
from shared.log.events import Cancelled, Failed
from shared.log.usage import UNREPORTED, ComputeUsage, TokenUsage
from shared.observability.metering import Meter, metered
from shared.stages.model_answers import call_model
from shared.stages.part import PartContext
from shared.stages.stage import StageContext
from tests.fakes.core import FakeCore, ScriptedPart, ScriptedStage, a_request, says
from tests.unit.stages.test_kills import Killed, MortalLog

USED = TokenUsage(input_tokens=7, output_tokens=3)
ONE_CALL = Message("user", "A poem")


class Model:
    """A model that responds with these pieces; an exception among them is raised."""

    def __init__(self, *pieces: Piece | BaseException) -> None:
        self._pieces = pieces
        self.cancelled: list[str] = []

    async def stream(self, _: ModelRequest) -> AsyncGenerator[Piece, None]:
        for piece in self._pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    async def cancel(self, cursor: str) -> None:
        self.cancelled.append(cursor)


def asks(model: Model, *, then: BaseException | None = None) -> Callable[[StageContext], Any]:
    """Return a script that calls the model once, writes its text with its cursors, and raises `then` at the end.

    It reads on the response that an earlier attempt has left running.
    """

    async def script(context: StageContext) -> dict[str, Any]:
        request = ModelRequest("fake-1", (ONE_CALL,), resume_from=context.response_cursor)
        async with aclosing(call_model(model, context, request)) as pieces:
            async for piece in pieces:
                match piece:
                    case Started(cursor=cursor):
                        await context.output.store_cursor(cursor)
                    case TextDelta(text=text, cursor=at):
                        context.output.write(text, cursor=at)
                        await context.output.flush()
                        if then is not None:
                            raise then
                    case _:
                        pass
        return {}

    return script


CHAT = (TextDelta("a river"), Finished(USED))
RESPONSE = (Started("0"), TextDelta("a river", "1"), Finished(USED))
BREAKS = ModelUnavailable("down")


def a_new_job(core: FakeCore) -> Job:
    return core.job_creation.create("ada", a_request())


def draft(core: FakeCore, job: Job, script: Callable[[StageContext], Any], *, retry: int = 0) -> None:
    core.run(ScriptedStage("draft", script), job, retry=retry)


def killed(core: FakeCore, job: Job, *pieces: Piece, retry: int = 0) -> None:
    """Run an attempt whose function is killed when it has written its first text."""
    with pytest.raises(Killed):
        draft(core, job, asks(Model(*pieces), then=Killed()), retry=retry)


def invocation(*, transitions: int = 0) -> AbstractContextManager[Meter]:
    """Count what the block uses, as the handler of an invocation does."""
    return metered(Meter(megabytes=512, transitions=transitions))


def compute_of(core: FakeCore, job: Job) -> ComputeUsage:
    compute = core.job(job.id).compute
    assert compute is not None
    return compute


def terminal_usage(core: FakeCore, job: Job) -> TokenUsage | None:
    event = core.events(job)[-1]
    assert isinstance(event, Failed | Cancelled)
    return None if event.usage is None else event.usage.tokens


class TestLostInvocations:
    """What AWS was used is counted up to the last write of each attempt, also of those that were killed."""

    def test_killed_attempts_are_counted_as_lost_and_their_transitions_are_known(self) -> None:
        core = FakeCore()
        with invocation():
            job = a_new_job(core)
        for retry in range(2):
            with invocation(transitions=1):
                killed(core, job, *CHAT, retry=retry)
        with invocation(transitions=1):
            draft(core, job, asks(Model(*CHAT)), retry=2)
        used = compute_of(core, job)
        assert (used.lost_invocations, used.transitions, used.invocations) == (2, 3, 4)

    def test_attempts_that_were_killed_before_they_claimed_the_job_are_lost_too(self) -> None:
        core = FakeCore()
        with invocation():
            job = a_new_job(core)
        with invocation(transitions=1):
            draft(core, job, says(""), retry=2)
        used = compute_of(core, job)
        assert (used.lost_invocations, used.transitions, used.invocations) == (2, 3, 2)

    def test_an_attempt_that_fails_has_lost_nothing(self) -> None:
        core = FakeCore()
        with invocation():
            job = a_new_job(core)
        with invocation(transitions=1), pytest.raises(ModelUnavailable):
            draft(core, job, asks(Model(BREAKS)))
        with invocation(transitions=1):
            draft(core, job, asks(Model(*CHAT)), retry=1)
        used = compute_of(core, job)
        assert (used.lost_invocations, used.transitions, used.invocations) == (0, 2, 3)

    def test_the_end_of_a_job_counts_its_last_attempt_that_was_killed(self) -> None:
        core = FakeCore()
        with invocation():
            job = a_new_job(core)
        with invocation(transitions=1):
            killed(core, job, *CHAT)
        with invocation(transitions=1):
            core.record_failure(job, "Lambda.Unknown")
        used = compute_of(core, job)
        assert (used.lost_invocations, used.transitions, used.invocations) == (1, 3, 3)  # the last is the state Fail
        event = core.events(job)[-1]
        assert isinstance(event, Failed)
        assert event.usage is not None
        assert event.usage.compute == used


class TestKilledAttempts:
    def test_a_killed_attempt_counts_as_one_call_without_a_report(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        killed(core, job, *CHAT)
        draft(core, job, asks(Model(*CHAT)), retry=1)
        assert core.job(job.id).usage == USED + UNREPORTED

    def test_each_killed_attempt_counts(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        for retry in range(3):
            killed(core, job, *CHAT, retry=retry)
        draft(core, job, says(""), retry=3)
        assert core.job(job.id).usage == TokenUsage(unreported_calls=3)

    def test_a_response_that_the_next_attempt_reads_on_is_counted_there_only(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        killed(core, job, *RESPONSE)
        draft(core, job, asks(Model(TextDelta(" bends", "2"), Finished(USED))), retry=1)
        assert core.job(job.id).usage == USED

    def test_an_attempt_that_was_killed_before_its_first_event_has_made_no_call(self) -> None:
        log = MortalLog()
        core = FakeCore(event_log=log)
        job = a_new_job(core)
        log.kill_at(1)
        with pytest.raises(Killed):
            draft(core, job, asks(Model(*CHAT)))
        log.kill_at(None)
        assert attempt_is_open(core.job(job.id))
        draft(core, job, asks(Model(*CHAT)), retry=1)
        assert core.job(job.id).usage == USED

    def test_nor_has_one_that_was_killed_there_after_an_attempt_that_has_counted_its_calls(self) -> None:
        log = MortalLog()
        core = FakeCore(event_log=log)
        job = a_new_job(core)
        with pytest.raises(ModelUnavailable):
            draft(core, job, asks(Model(BREAKS)))
        log.kill_at(1)
        with pytest.raises(Killed):
            draft(core, job, asks(Model(*CHAT)), retry=1)
        log.kill_at(None)
        draft(core, job, asks(Model(*CHAT)), retry=2)
        assert core.job(job.id).usage == USED

    def test_an_attempt_that_never_ran_has_made_no_call(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        draft(core, job, asks(Model(*CHAT)), retry=2)
        assert core.job(job.id).usage == USED

    def test_an_attempt_that_failed_by_itself_has_counted_its_calls(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        with pytest.raises(ModelUnavailable):
            draft(core, job, asks(Model(BREAKS)))
        draft(core, job, asks(Model(*CHAT)), retry=1)
        assert core.job(job.id).usage == USED

    @pytest.mark.parametrize("error", ["Lambda.Unknown", "Sandbox.Timedout", "States.Timeout"])
    def test_the_last_attempt_counts_when_the_failure_is_recorded(self, error: str) -> None:
        core = FakeCore()
        job = a_new_job(core)
        killed(core, job, *CHAT)
        for _ in range(2):
            core.record_failure(job, error)
        assert core.job(job.id).usage == UNREPORTED
        assert terminal_usage(core, job) == UNREPORTED

    def test_the_last_attempt_counts_when_a_lost_job_is_ended(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        killed(core, job, *CHAT)
        core.lost_jobs.execution_ended(job.id)
        assert core.job(job.id).usage == UNREPORTED

    def test_a_pending_job_has_made_no_call(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        killed(core, job, *CHAT)
        core.job_cancellation.cancel("ada", job.id)
        core.job_resumption.resume("ada", job.id)
        core.record_failure(job, "States.Timeout", generation=2)
        assert core.job(job.id).usage == TokenUsage()

    def test_tokens_that_are_added_while_the_job_ends_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = a_new_job(core)
        killed(core, job, *CHAT)
        monkeypatch.setattr(core.log, "tail", adding(core, job, core.log.tail))
        core.record_failure(job, "Lambda.Unknown")
        assert core.job(job.id).usage == USED + UNREPORTED

    def test_tokens_that_are_added_while_a_retry_begins_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = a_new_job(core)
        killed(core, job, *CHAT)
        monkeypatch.setattr(core.log, "tail", adding(core, job, core.log.tail))
        draft(core, job, says(""), retry=1)
        assert core.job(job.id).usage == USED + UNREPORTED


def adding(core: FakeCore, job: Job, tail: Callable[[str], LogTail]) -> Callable[[str], LogTail]:
    """Return a function like `tail` at whose first call another attempt adds USED to the job."""
    waiting = [USED]

    def add(job_id: str) -> LogTail:
        if waiting:
            add_to(core, job, waiting.pop())
        return tail(job_id)

    return add


def add_to(core: FakeCore, job: Job, usage: TokenUsage) -> None:
    now = core.job(job.id)
    at = now.updated_at + timedelta(microseconds=1)
    core.jobs.update(job.id, {"usage": now.usage + usage, "updated_at": at}, when=JobGuard())


class TestResponsesThatAreLeftRunning:
    def test_a_response_that_breaks_in_every_attempt_counts_once(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        for retry in range(4):
            with pytest.raises(ModelUnavailable):
                draft(core, job, asks(Model(*([] if retry else [RESPONSE[0]]), BREAKS)), retry=retry)
            assert core.job(job.id).usage == TokenUsage()
        core.record_failure(job)
        assert core.job(job.id).usage == UNREPORTED
        assert terminal_usage(core, job) == UNREPORTED

    def test_a_response_that_a_fault_of_the_store_interrupts_is_counted_by_the_next_attempt(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        with pytest.raises(StorageThrottled):
            draft(core, job, asks(Model(*RESPONSE), then=StorageThrottled("slow down")))
        assert core.job(job.id).usage == TokenUsage()
        draft(core, job, asks(Model(Finished(USED))), retry=1)
        assert core.job(job.id).usage == USED

    def test_a_response_that_is_cancelled_for_a_fault_counts_once(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        model = Model(*RESPONSE)
        with pytest.raises(ModelRefused):
            draft(core, job, asks(model, then=ModelRefused("no")))
        assert model.cancelled == ["0"]
        core.record_failure(job, "ModelRefused")
        assert core.job(job.id).usage == UNREPORTED

    def test_a_response_that_the_stage_does_not_need_to_its_end_counts(self) -> None:
        core = FakeCore()
        job = a_new_job(core)

        async def script(context: StageContext) -> dict[str, Any]:
            async with aclosing(call_model(Model(*RESPONSE), context, ModelRequest("fake-1", (ONE_CALL,)))) as pieces:
                await anext(pieces)
            return {}

        draft(core, job, script)
        assert core.job(job.id).usage == UNREPORTED

    def test_cancelling_between_two_attempts_counts_the_response_that_none_reads(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        with pytest.raises(ModelUnavailable):
            draft(core, job, asks(Model(RESPONSE[0], BREAKS)))
        core.job_cancellation.cancel("ada", job.id)
        assert core.job(job.id).usage == UNREPORTED
        assert terminal_usage(core, job) == UNREPORTED


class TestCancelledJobs:
    @pytest.mark.parametrize("pieces", [CHAT, RESPONSE], ids=["chat", "a response that runs on"])
    def test_a_running_attempt_is_unknown_in_the_event_and_counts_itself(self, pieces: tuple[Piece, ...]) -> None:
        core = FakeCore()
        job = a_new_job(core)

        async def script(context: StageContext) -> dict[str, Any]:
            context.add_usage(USED)
            async with aclosing(call_model(Model(*pieces), context, ModelRequest("fake-1", (ONE_CALL,)))) as read:
                async for _ in read:
                    core.job_cancellation.cancel("ada", job.id)
                    context.output.write("late")
                    await context.output.flush()
            return {}

        with pytest.raises(JobEnded):
            draft(core, job, script)
        assert terminal_usage(core, job) == UNREPORTED
        assert core.job(job.id).usage == USED + UNREPORTED

    def test_between_two_stages_the_event_has_the_jobs_tokens(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        draft(core, job, asks(Model(*CHAT)))
        core.job_cancellation.cancel("ada", job.id)
        assert terminal_usage(core, job) == USED

    def test_a_resumed_job_that_has_not_begun_again_has_no_running_attempt(self) -> None:
        core = FakeCore()
        job = a_new_job(core)
        killed(core, job, *CHAT)
        core.record_failure(job, "Lambda.Unknown")
        core.job_resumption.resume("ada", job.id)
        core.job_cancellation.cancel("ada", job.id)
        assert terminal_usage(core, job) == UNREPORTED


class TestSupersededAttempts:
    def test_the_tokens_that_they_add_late_are_kept(self) -> None:
        core = FakeCore()
        job = a_new_job(core)

        async def script(context: StageContext) -> dict[str, Any]:
            add_to(core, job, USED)
            context.add_usage(USED)
            return {}

        draft(core, job, script)
        now = core.job(job.id)
        assert (now.usage, set(now.checkpoints)) == (USED + USED, {"draft"})

    def test_an_attempt_that_is_superseded_at_its_end_writes_no_checkpoint(self) -> None:
        core = FakeCore()
        job = a_new_job(core)

        async def script(_: StageContext) -> dict[str, Any]:
            higher = {"fence": "00001.000.001.aaaaaaaa", "attempt": 2}
            core.jobs.update(job.id, {**higher, "updated_at": core.clock() + timedelta(seconds=1)}, when=JobGuard())
            return {}

        with pytest.raises(AttemptSuperseded):
            draft(core, job, script)
        assert core.job(job.id).checkpoints == {}


class TestParts:
    @staticmethod
    def planned(core: FakeCore) -> Job:
        job = core.job_creation.create("ada", a_request(pipeline="anthology"))
        core.run(ScriptedStage("choose_poems", says("", parts=["a", "b"])), job)
        return job

    @staticmethod
    def run(core: FakeCore, job: Job, error: BaseException | None, *, retry: int = 0) -> None:
        async def script(context: PartContext) -> dict[str, Any]:
            context.add_usage(USED)
            if error is not None:
                raise error
            return {}

        core.run_part(ScriptedPart(a=[script]), job, "a", retry=retry)

    def test_a_killed_attempt_counts_as_one_call_without_a_report(self) -> None:
        core = FakeCore()
        job = self.planned(core)
        with pytest.raises(ModelUnavailable):
            self.run(core, job, BREAKS)
        assert core.job(job.id).usage == USED
        self.killed(core, job, retry=1)
        self.run(core, job, None, retry=2)
        assert core.job(job.id).usage == USED + USED + UNREPORTED

    def test_an_attempt_that_failed_by_itself_has_counted_its_calls(self) -> None:
        core = FakeCore()
        job = self.planned(core)
        with pytest.raises(ModelUnavailable):
            self.run(core, job, BREAKS)
        self.run(core, job, None, retry=1)
        assert core.job(job.id).usage == USED + USED

    @pytest.mark.parametrize(("error", "counted"), [("Lambda.Unknown", UNREPORTED), ("ModelUnavailable", TokenUsage())])
    def test_the_last_attempt_counts_if_it_was_killed(self, error: str, counted: TokenUsage) -> None:
        core = FakeCore()
        job = self.planned(core)
        with pytest.raises(ModelUnavailable):
            self.run(core, job, BREAKS)
        core.record_failure(job, error)
        assert core.job(job.id).usage == USED + counted

    def killed(self, core: FakeCore, job: Job, *, retry: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("shared.stages.part_runner.store_usage", dies)
            with pytest.raises(Killed):
                self.run(core, job, Killed(), retry=retry)


async def dies(*_: object) -> None:
    """Stand for a process that is killed before it stores its tokens."""
    raise Killed
