"""The stage runner: each stage finishes once, whatever its number of attempts."""

from __future__ import annotations

import asyncio
import io
import traceback
from typing import Any

import pytest

from shared.errors import (
    AttemptSuperseded,
    ErrorCode,
    InternalFault,
    JobEnded,
    ModelRateLimited,
    ModelRefused,
    StageUnfinished,
    StorageUnavailable,
)
from shared.jobs.invocation import StageDone, StageInvocation
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import JobGuard
from shared.log import writer as writing
from shared.log.event_log import LogBounds
from shared.log.events import Delta, Progress, Reset, StageStarted
from shared.log.usage import TokenUsage
from shared.observability import log as logging
from shared.stages import runner as running
from shared.stages.stage import StageContext
from tests.fakes.core import ANTHOLOGY, POEM, FakeCore, PoemInput, ScriptedStage, Verse, fails, says
from tests.patience import PATIENCE

GONE = "job_00000000000000000000000000"


def draft(*scripts: Any) -> ScriptedStage:
    return ScriptedStage("draft", *scripts)


def polish(*scripts: Any) -> ScriptedStage:
    return ScriptedStage("polish", *scripts)


def resets(core: FakeCore, job: Job) -> list[Reset]:
    return [event for event in core.events(job) if isinstance(event, Reset)]


class TestExpiry:
    def test_an_attempt_whose_job_expires_while_text_flows_cancels_the_model_response(self) -> None:
        core = FakeCore()
        job = core.new_job(pipeline=ANTHOLOGY.name)
        cancelled: list[bool] = []

        async def cancel() -> None:
            cancelled.append(True)

        async def flows(context: StageContext) -> dict[str, Any]:
            context.cancel_response = cancel
            for _ in range(200):
                core.clock.advance(60)
                await context.append_event(Verse(line="one more"))
            return {}

        with pytest.raises(JobEnded):
            core.run(ScriptedStage("choose_poems", flows), job)
        assert cancelled == [True]
        assert core.jobs.get(job.id) is None


class TestOneAttempt:
    def test_a_stage_writes_its_text_a_checkpoint_and_the_jobs_progress(self) -> None:
        core = FakeCore()
        job = core.new_job()

        async def script(context: StageContext) -> dict[str, Any]:
            assert context.input == PoemInput(topic="rivers")
            assert context.previous is None
            context.output.report_progress(40)
            context.output.write("a river")
            context.add_usage(TokenUsage(input_tokens=3, output_tokens=4, cost_usd=0.5))
            context.add_usage(TokenUsage(input_tokens=1))
            return {"lines": 1}

        done = core.run(draft(script), job)
        assert (done.job_id, done.stage, done.status) == (job.id, "draft", "done")
        assert core.events(job) == [
            StageStarted(stage="draft", index=1, of=2),
            Delta(text="a river"),
            Progress(progress=40),
        ]
        now = core.job(job.id)
        assert (now.status, now.stage, now.progress, now.attempt) == (JobStatus.IN_PROGRESS, "draft", 40, 1)
        assert (now.started_at, now.retry_count) == (core.clock(), 0)
        assert now.usage == TokenUsage(input_tokens=4, output_tokens=4, cost_usd=0.5)
        kept = core.checkpoints.get(job.id, "draft", now.checkpoints["draft"])
        assert (kept.output, kept.text) == ({"lines": 1}, "a river")
        assert now.checkpoints["draft"].seq == core.log.tail(job.id).seq

    @pytest.mark.parametrize(("generation", "retry"), [(1, 1), (2, 0), (2, 1)])
    def test_a_job_whose_first_attempts_died_before_their_claim_starts_with_the_attempt_that_claims_it(
        self, generation: int, retry: int
    ) -> None:
        core = FakeCore()
        job = core.new_job(generation=generation)
        core.clock.advance(60)
        core.run(draft(says("a river")), job, generation=generation, retry=retry)
        assert core.job(job.id).started_at == core.clock()

    def test_a_job_that_has_started_keeps_its_start_in_every_later_attempt(self) -> None:
        core = FakeCore()
        job = core.new_job()
        began = core.clock()
        with pytest.raises(ModelRateLimited):
            core.run(draft(fails(ModelRateLimited("slow"))), job)
        core.clock.advance(60)
        with pytest.raises(ModelRateLimited):
            core.run(draft(fails(ModelRateLimited("slow"))), job, retry=1)
        core.jobs.update(job.id, {"generation": 2}, when=JobGuard())
        core.run(draft(says("a river")), job, generation=2)
        assert core.job(job.id).started_at == began

    def test_the_next_stage_gets_the_previous_output_and_appends_to_its_text(self) -> None:
        core = FakeCore()
        job = core.new_job()
        core.run(draft(says("a river", lines=1)), job)
        seen: list[StageContext] = []

        async def script(context: StageContext) -> dict[str, Any]:
            seen.append(context)
            context.output.write(" bends")
            context.add_usage(TokenUsage(output_tokens=1))
            return {}

        core.run(polish(script), job)
        assert seen[0].previous is not None
        assert seen[0].previous.output == {"lines": 1}
        assert core.transcript(job).text == "a river bends"
        assert resets(core, job) == []
        assert set(core.job(job.id).checkpoints) == {"draft", "polish"}

    def test_a_stage_that_starts_before_the_previous_one_finished_is_a_defect(self) -> None:
        core = FakeCore()
        job = core.new_job()
        with pytest.raises(InternalFault):
            core.run(polish(says("too early")), job)

    def test_the_log_stays_within_its_bound_while_a_stage_streams(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "COALESCE_SECONDS", 0.0)
        core = FakeCore(bounds=LogBounds(max_events=10))
        job = core.new_job()

        async def script(context: StageContext) -> dict[str, Any]:
            for number in range(50):
                context.output.write(f"{number} ")
                await context.output.flush()
            await context.output.append(Progress(progress=50))
            return {}

        core.run(draft(script), job)
        assert len(core.log.read(job.id, after=0)) < 20
        assert core.transcript(job).text == "".join(f"{number} " for number in range(50))


class TestAccounts:
    @pytest.mark.parametrize("fault", [ModelRateLimited("slow"), ModelRefused("no"), ValueError("a defect")])
    def test_the_tokens_of_a_failed_attempt_are_on_the_job(self, fault: Exception) -> None:
        core = FakeCore()
        job = core.new_job()

        async def script(context: StageContext) -> dict[str, Any]:
            context.add_usage(TokenUsage(input_tokens=3, unreported_calls=1))
            raise fault

        for attempts in (1, 2):
            with pytest.raises((ModelRateLimited, ModelRefused, InternalFault)):
                core.run(draft(script), job, retry=attempts - 1)
            assert core.job(job.id).usage == TokenUsage(input_tokens=3 * attempts, unreported_calls=attempts)

    def test_the_tokens_of_a_cancelled_attempt_are_on_the_job(self) -> None:
        core = FakeCore()
        job = core.new_job()

        async def script(context: StageContext) -> dict[str, Any]:
            context.add_usage(TokenUsage(input_tokens=3))
            core.job_cancellation.cancel("ada", job.id)
            context.output.write("late")
            await context.output.flush()
            return {}

        with pytest.raises(JobEnded):
            core.run(draft(script), job)
        now = core.job(job.id)
        assert (now.status, now.usage.input_tokens) == (JobStatus.CANCELLED, 3)


class TestRetries:
    def test_a_finished_stage_never_runs_twice(self) -> None:
        core = FakeCore()
        job = core.new_job()
        stage = draft(says("a river"))
        core.run(stage, job)
        before = core.events(job)
        assert core.run(stage, job, retry=1).status == "done"
        assert stage.runs == 1
        assert core.events(job) == before

    def test_a_retry_of_the_first_stage_begins_with_no_text(self) -> None:
        core = FakeCore()
        job = core.new_job()
        stage = draft(fails(ModelRateLimited("slow down"), after="a riv"), says("a river"))
        with pytest.raises(ModelRateLimited):
            core.run(stage, job)
        assert core.transcript(job).text == "a riv"
        core.run(stage, job, retry=1)
        assert core.transcript(job).text == "a river"
        (reset,) = resets(core, job)
        assert reset == Reset(
            text="",
            progress=0,
            reason=ErrorCode.MODEL_RATE_LIMITED,
            message="slow down",
            attempt=2,
            retry_count=1,
        )
        assert (core.job(job.id).attempt, core.job(job.id).retry_count) == (2, 1)

    def test_a_retry_of_a_later_stage_resets_to_the_text_of_the_last_checkpoint(self) -> None:
        core = FakeCore()
        job = core.new_job()
        core.run(draft(says("a river")), job)
        stage = polish(fails(ModelRateLimited("slow down"), after=" wrong"), says(" bends"))
        with pytest.raises(ModelRateLimited):
            core.run(stage, job)
        core.run(stage, job, retry=1)
        assert core.transcript(job).text == "a river bends"
        assert [reset.text for reset in resets(core, job)] == ["a river"]

    def test_a_retry_after_a_killed_attempt_has_the_reason_worker_lost(self) -> None:
        core = FakeCore()
        job = core.new_job()
        core.run(draft(says("a river")), job, retry=2)
        assert [reset.reason for reset in resets(core, job)] == [ErrorCode.WORKER_LOST]

    def test_the_fault_of_an_earlier_stage_is_not_the_reason_of_a_reset(self) -> None:
        core = FakeCore()
        job = core.new_job()
        stage = draft(fails(ModelRateLimited("slow down")), says("a river"))
        with pytest.raises(ModelRateLimited):
            core.run(stage, job)
        core.run(stage, job, retry=1)
        core.run(polish(says("!")), job, retry=1)
        assert [reset.reason for reset in resets(core, job)] == [ErrorCode.MODEL_RATE_LIMITED, ErrorCode.WORKER_LOST]
        assert core.job(job.id).retry_count == 2

    def test_a_second_attempt_of_one_retry_resets_the_text_of_the_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Lambda may run one retry twice: both attempts have the same count, so the nonce decides which fence is higher.
        nonces = iter(("00000002", "00000001", "00000003"))
        monkeypatch.setattr("shared.log.fence.secrets.token_hex", lambda _: next(nonces))
        core = FakeCore()
        job = core.new_job()
        stage = draft(fails(StorageUnavailable("no answer"), after="a riv"), says("a river"))
        with pytest.raises(StorageUnavailable):
            core.run(stage, job)
        with pytest.raises(StageUnfinished):
            core.run(stage, job)

        core.run(stage, job)

        assert core.transcript(job).text == "a river"

    def test_a_retry_of_an_unknown_job_ends(self) -> None:
        with pytest.raises(JobEnded):
            asyncio.run(FakeCore().runner.run(POEM, draft(), StageInvocation(job_id=GONE, generation=1, retry=1)))


class TestTwoInvocationsOfOneAttempt:
    @pytest.fixture(autouse=True)
    def _check_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(running, "TWIN_SECONDS", 0.001)

    @pytest.mark.parametrize("nonces", [("00000001", "00000002"), ("00000002", "00000001")])
    def test_both_return_the_stages_result_and_one_of_them_writes_it(
        self, monkeypatch: pytest.MonkeyPatch, nonces: tuple[str, str]
    ) -> None:
        left = iter(nonces)
        monkeypatch.setattr("shared.log.fence.secrets.token_hex", lambda _: next(left, "00000003"))
        core = FakeCore()
        job = core.new_job()
        invocation = StageInvocation(job_id=job.id, generation=1, retry=0)

        async def both() -> tuple[StageDone, StageDone]:
            second_claimed = asyncio.Event()

            async def first(context: StageContext) -> dict[str, Any]:
                context.output.write("a")
                second_claimed.set()
                await asyncio.sleep(0.05)
                context.output.write("b")
                return {}

            one = asyncio.ensure_future(core.runner.run(POEM, draft(first), invocation))
            await second_claimed.wait()
            two = asyncio.ensure_future(core.runner.run(POEM, draft(says("ab")), invocation))
            async with asyncio.timeout(PATIENCE):
                return await asyncio.gather(one, two)

        first, second = asyncio.run(both())
        assert first == second == StageDone(job_id=job.id, stage="draft")
        assert core.transcript(job).text == "ab"
        assert core.run(polish(says("!")), job).stage == "polish"

    def test_the_one_that_waits_ends_with_the_job(self, monkeypatch: pytest.MonkeyPatch) -> None:
        nonces = iter(("00000002", "00000001"))
        monkeypatch.setattr("shared.log.fence.secrets.token_hex", lambda _: next(nonces, "00000003"))
        core = FakeCore()
        job = core.new_job()

        async def cancelled(context: StageContext) -> dict[str, Any]:
            waiting = core.runner.run(POEM, draft(), StageInvocation(job_id=job.id, generation=1, retry=0))
            other = asyncio.ensure_future(waiting)
            await asyncio.sleep(0.01)
            assert not other.done()
            core.job_cancellation.cancel("ada", job.id)
            with pytest.raises(JobEnded):
                await other
            return {}

        with pytest.raises(JobEnded):
            core.run(draft(cancelled), job)

    def test_an_attempt_that_no_other_invocation_supersedes_does_not_wait(self) -> None:
        core = FakeCore()
        job = core.new_job()
        with pytest.raises(AttemptSuperseded):
            core.run(draft(fails(AttemptSuperseded("the log says so"))), job)


class TestStopping:
    def test_a_superseded_attempt_cannot_finish(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "STOP_CHECK_SECONDS", 3600)  # it ends at its end, not while the retry runs in it
        core = FakeCore()
        job = core.new_job()

        async def superseded(context: StageContext) -> dict[str, Any]:
            await core.runner.run(
                POEM, draft(says("the retry's")), StageInvocation(job_id=job.id, generation=1, retry=1)
            )
            return {"from": "superseded"}

        with pytest.raises(AttemptSuperseded):
            core.run(draft(superseded), job)
        now = core.job(job.id)
        assert core.checkpoints.get(job.id, "draft", now.checkpoints["draft"]).text == "the retry's"
        assert core.transcript(job).text == "the retry's"

    def test_an_attempt_that_starts_after_a_newer_one_does_nothing(self) -> None:
        core = FakeCore()
        job = core.new_job()
        core.run(draft(says("a river")), job, retry=1)
        late = draft(says("late"))
        with pytest.raises(AttemptSuperseded):
            core.run(late, job, retry=0)
        core.run(polish(says("!")), job)
        with pytest.raises(AttemptSuperseded):
            core.run(late, job, retry=3)
        assert late.runs == 0

    @pytest.mark.parametrize("status", [JobStatus.CANCELLED, JobStatus.FAILED, JobStatus.COMPLETED])
    def test_an_ended_job_runs_no_stage(self, status: JobStatus) -> None:
        core = FakeCore()
        job = core.new_job(status=status)
        stage = draft(says("late"))
        with pytest.raises(JobEnded):
            core.run(stage, job)
        assert (stage.runs, core.events(job)) == (0, [])

    def test_an_earlier_execution_runs_no_stage(self) -> None:
        core = FakeCore()
        job = core.new_job(generation=2)
        with pytest.raises(AttemptSuperseded):
            core.run(draft(says("late")), job, generation=1)

    def test_an_unknown_job_runs_no_stage(self) -> None:
        with pytest.raises(JobEnded):
            asyncio.run(FakeCore().runner.run(POEM, draft(), StageInvocation(job_id=GONE, generation=1, retry=0)))

    def test_a_silent_stage_ends_soon_after_its_job_is_cancelled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "STOP_CHECK_SECONDS", 0.01)
        core = FakeCore()
        job = core.new_job()
        ended: list[str] = []

        async def silent(context: StageContext) -> dict[str, Any]:
            try:
                await asyncio.to_thread(core.job_cancellation.cancel, "ada", job.id)  # it may end in here already
                await asyncio.Event().wait()
            finally:
                ended.append("model call")
            return {}

        with pytest.raises(JobEnded):
            core.run(draft(silent), job)
        assert ended == ["model call"]
        assert core.job(job.id).last_fault is None

    def test_a_silent_stage_ends_soon_after_it_is_superseded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "STOP_CHECK_SECONDS", 0.01)
        core = FakeCore()
        job = core.new_job()

        async def silent(context: StageContext) -> dict[str, Any]:
            core.jobs.update(job.id, {"fence": "00001.000.001.ffffffff"}, when=JobGuard())
            await asyncio.Event().wait()
            return {}

        with pytest.raises(AttemptSuperseded):
            core.run(draft(silent), job)


class TestFaults:
    def test_the_job_stores_the_fault_of_its_attempt(self) -> None:
        core = FakeCore()
        job = core.new_job(trace_id="trace")
        with pytest.raises(ModelRefused):
            core.run(draft(fails(ModelRefused("not this"))), job, retry=1)
        noted = core.job(job.id).last_fault
        assert noted is not None
        assert (noted.code, noted.message, noted.stage, noted.attempt) == (
            ErrorCode.MODEL_REFUSED,
            "not this",
            "draft",
            2,
        )
        assert (noted.retryable, noted.trace_id) == (False, "trace")
        assert core.job(job.id).status is JobStatus.IN_PROGRESS  # the state machine decides whether to retry

    def test_an_unexpected_exception_becomes_an_internal_fault_and_its_text_is_not_logged(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from aws_lambda_powertools import Logger  # noqa: PLC0415 - as in shared/observability/log.py

        written = io.StringIO()
        logger = Logger(service="test-of-stages", location=None, stream=written)
        monkeypatch.setattr(logging, "_logger", lambda: logger)
        core = FakeCore()
        job = core.new_job()
        with pytest.raises(InternalFault) as fault:
            core.run(draft(fails(ZeroDivisionError("the prompt was: my secret plan"))), job)
        logged = written.getvalue()
        assert "ZeroDivisionError" in logged
        assert "test_stages.py" in logged or "core.py" in logged  # where it came from
        assert "secret plan" not in logged + fault.value.message + core.job(job.id).model_dump_json()
        assert "ZeroDivisionError" in fault.value.message

    def test_the_frames_of_an_internal_fault_end_where_the_stage_broke(self) -> None:
        async def breaks_here(_: StageContext) -> dict[str, Any]:
            raise ZeroDivisionError

        core = FakeCore()
        with pytest.raises(InternalFault) as fault:
            core.run(draft(breaks_here), core.new_job())
        assert traceback.extract_tb(fault.value.__traceback__)[-1].name == "breaks_here"

    def test_a_fault_that_cannot_be_stored_is_still_raised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = core.new_job()

        async def cancelled_and_failed(context: StageContext) -> dict[str, Any]:
            core.jobs.update(job.id, {"status": JobStatus.CANCELLED}, when=JobGuard())
            raise ModelRateLimited("slow down")

        with pytest.raises(ModelRateLimited):
            core.run(draft(cancelled_and_failed), job)
        assert core.job(job.id).last_fault is None


@pytest.mark.parametrize("bad", [{"generation": 0}, {"retry": -1}, {"extra": 1}])
def test_an_invalid_invocation_is_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        StageInvocation.model_validate({"jobId": "job_1", "generation": 1, "retry": 0, **bad})
