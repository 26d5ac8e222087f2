"""Resuming failed and cancelled jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import (
    CheckpointUnfit,
    Conflict,
    Forbidden,
    ModelUnavailable,
    NotFound,
    RateLimitExceeded,
    StorageThrottled,
)
from shared.jobs.executions import NotStarted
from shared.jobs.invocation import CaughtError, FailureInvocation
from shared.jobs.job import Job, JobStatus
from shared.jobs.pipeline import Pipelines
from shared.jobs.store import JobGuard
from shared.log.events import Cancelled, Delta, Failed, Reset, Snapshot, StageStarted
from shared.log.reader import LogReader
from tests.fakes.core import POEM, FakeCore, ScriptedStage, a_request, fails, says


def failed_at_polish(core: FakeCore) -> Job:
    """Return a job whose first stage finished and whose second stage failed."""
    job = core.job_creation.create("ada", a_request())
    core.run(ScriptedStage("draft", says("a draft")), job)
    with pytest.raises(ModelUnavailable):
        core.run(ScriptedStage("polish", fails(ModelUnavailable("down"), after=" and half a")), job)
    caught = CaughtError.model_validate({"Error": "ModelUnavailable"})
    core.job_completion.record_failure(FailureInvocation(job_id=job.id, generation=1, failure=caught))
    return core.job(job.id)


def events_for_a_new_watcher(core: FakeCore, job: Job) -> list[str]:
    return [frame.event.type for frame in LogReader(core.log, job.id).poll()]


def fails_with(error: type[BaseException]) -> Callable[..., None]:
    def call(*_: object) -> None:
        raise error

    return call


class TestResuming:
    def test_a_failed_job_resumes_from_its_last_checkpoint_in_the_same_log(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        resumed = core.job_resumption.resume("ada", job.id)
        assert (resumed.status, resumed.generation, resumed.failure) == (JobStatus.PENDING, 2, None)
        assert core.executions.started == {job.id, f"{job.id}-2"}
        assert str(resumed.execution_arn).endswith(f":{job.id}-2")

        finished = ScriptedStage("draft")
        core.run(finished, resumed, generation=2)
        assert finished.runs == 0
        core.run(ScriptedStage("polish", says(", polished")), resumed, generation=2)
        core.complete(resumed, generation=2)

        assert core.job(job.id).status is JobStatus.COMPLETED
        assert core.job_queries.view("ada", job.id).transcript.text == "a draft, polished"
        resets = [event for event in core.events(job) if isinstance(event, Reset)]
        assert [(reset.reason, reset.text) for reset in resets] == [("RESUMED", "a draft")]

    def test_a_cancelled_job_without_checkpoints_starts_over(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request())
        core.job_cancellation.cancel("ada", job.id)
        resumed = core.job_resumption.resume("ada", job.id)
        core.run(ScriptedStage("draft", says("again")), resumed, generation=2)
        assert [type(event) for event in core.events(job)] == [Cancelled, Reset, StageStarted, Delta]

    def test_a_resumed_job_keeps_everything_until_it_expires(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        core.clock.advance(3599)
        core.job_resumption.resume("ada", job.id)
        with pytest.raises(ModelUnavailable):
            core.run(ScriptedStage("polish", fails(ModelUnavailable("down"), after=", polished")), job, generation=2)
        core.clock.advance(5000)  # beyond what was stored for the first generation
        core.log.delete_expired(core.clock())
        core.checkpoints.delete_expired(core.clock())
        assert core.events(job) != []
        core.record_failure(job, generation=2)
        assert core.transcript(job).text == "a draft, polished"
        resumed = core.job_resumption.resume("ada", job.id)
        assert resumed.generation == 3
        assert core.transcript(job).text == "a draft"

    def test_a_new_watcher_of_a_resumed_job_reads_past_the_earlier_terminal_event(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        assert events_for_a_new_watcher(core, job)[-1] == "error"
        core.job_resumption.resume("ada", job.id)
        frames = LogReader(core.log, job.id).poll()
        assert [type(frame.event) for frame in frames] == [Snapshot, Reset]
        ids = [entry.seq for entry in core.log.read(job.id, after=0) if isinstance(entry.event, Failed)]
        assert [frames[0].id] == ids

    def test_an_earlier_watcher_gets_the_reset_next(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        reader = LogReader(core.log, job.id)
        assert reader.poll()[-1].terminal
        core.job_resumption.resume("ada", job.id)
        assert [type(frame.event) for frame in reader.poll()] == [Reset]

    def test_an_attempt_of_an_earlier_generation_cannot_write(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        core.job_resumption.resume("ada", job.id)
        before = core.events(job)
        with pytest.raises(Exception, match="newer attempt"):
            core.run(ScriptedStage("polish", says("late")), job, retry=1)
        assert core.events(job) == before

    def test_a_resumption_that_another_request_overtakes_does_not_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        count = core.creation_limit.count_creation
        overtaking = iter((True,))

        def overtaken(owner: str) -> float:
            if next(overtaking, False):
                core.job_resumption.resume("ada", job.id)
                core.clock.advance(0.001)
            return count(owner)

        monkeypatch.setattr(core.creation_limit, "count_creation", overtaken)
        assert core.job_resumption.resume("ada", job.id).generation == 2
        for _ in range(8):  # besides the job's creation and its resumption
            core.job_creation.create("ada", a_request())
        with pytest.raises(RateLimitExceeded):
            core.job_creation.create("ada", a_request())

    def test_a_resumption_whose_response_from_the_store_was_lost_starts_the_execution_and_counts(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        update = core.jobs.update

        def repeated(*arguments: Any, **options: Any) -> Job:
            update(*arguments, **options)
            return update(*arguments, **options)

        monkeypatch.setattr(core.jobs, "update", repeated)
        resumed = core.job_resumption.resume("ada", job.id)
        monkeypatch.undo()
        assert (resumed.status, resumed.generation) == (JobStatus.PENDING, 2)
        assert core.executions.started == {job.id, f"{job.id}-2"}
        for _ in range(8):  # besides the job's creation and its resumption
            core.job_creation.create("ada", a_request())
        with pytest.raises(RateLimitExceeded):
            core.job_creation.create("ada", a_request())

    def test_a_resumption_counts_against_the_creation_limit(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        for _ in range(9):
            core.job_creation.create("ada", a_request())
        with pytest.raises(RateLimitExceeded):
            core.job_resumption.resume("ada", job.id)
        assert core.job(job.id).status is JobStatus.FAILED

    def test_a_resumed_job_that_cannot_start_fails_again(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        core.executions.refusal = "throttled"
        with pytest.raises(NotStarted):
            core.job_resumption.resume("ada", job.id)
        assert core.job(job.id).status is JobStatus.FAILED
        assert isinstance(core.events(job)[-1], Failed)

    def test_several_concurrent_resumptions_begin_one_generation(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)

        async def all_at_once() -> list[object]:
            calls = (asyncio.to_thread(core.job_resumption.resume, "ada", job.id) for _ in range(5))
            return list(await asyncio.gather(*calls, return_exceptions=True))

        outcomes = asyncio.run(all_at_once())
        assert {outcome.generation for outcome in outcomes if isinstance(outcome, Job)} == {2}
        assert all(isinstance(outcome, Job | Conflict) for outcome in outcomes)
        assert core.job(job.id).generation == 2
        assert [event.type for event in core.events(job)].count("reset") == 1

    @pytest.mark.parametrize("operation", ["read", "tail", "append", "renew"])
    def test_a_repeat_completes_a_resumption_that_the_log_has_throttled(
        self, operation: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        work = getattr(core.log, operation)

        def throttled(*arguments: Any, **options: Any) -> Any:
            if core.job(job.id).generation == 2:
                raise StorageThrottled("slow down")
            return work(*arguments, **options)

        monkeypatch.setattr(core.log, operation, throttled)
        with pytest.raises(StorageThrottled):
            core.job_resumption.resume("ada", job.id)
        assert core.executions.started == {job.id}
        monkeypatch.undo()

        resumed = core.job_resumption.resume("ada", job.id)
        assert (resumed.status, resumed.generation) == (JobStatus.PENDING, 2)
        assert core.executions.started == {job.id, f"{job.id}-2"}
        resets = [event for event in core.events(job) if isinstance(event, Reset)]
        assert [(reset.reason, reset.text) for reset in resets] == [("RESUMED", "a draft")]
        core.clock.advance(5000)  # beyond what was stored for the first generation
        core.log.delete_expired(core.clock())
        assert core.transcript(job).text == "a draft"

    def test_a_repeat_completes_a_resumption_whose_process_was_killed_before_the_start(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        with monkeypatch.context() as killed:
            killed.setattr(core.executions, "start", fails_with(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                core.job_resumption.resume("ada", job.id)
        before = core.events(job)
        core.job_resumption.resume("ada", job.id)
        assert core.executions.started == {job.id, f"{job.id}-2"}
        assert core.events(job) == before

    def test_a_job_whose_next_attempt_has_begun_cannot_be_resumed_again(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        core.job_resumption.resume("ada", job.id)
        with pytest.raises(ModelUnavailable):
            core.run(ScriptedStage("polish", fails(ModelUnavailable("down"))), job, generation=2)
        core.jobs.update(job.id, {"status": JobStatus.PENDING}, when=JobGuard())  # as a reader with an old item sees it
        with pytest.raises(Conflict, match="only a failed or cancelled job"):
            core.job_resumption.resume("ada", job.id)


class TestRefusals:
    def test_only_a_failed_or_cancelled_job_can_be_resumed(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request())
        with pytest.raises(Conflict, match="only a failed or cancelled job"):
            core.job_resumption.resume("ada", job.id)

    def test_another_owners_job_and_an_unknown_job_are_refused(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        with pytest.raises(Forbidden):
            core.job_resumption.resume("bob", job.id)
        with pytest.raises(NotFound):
            core.job_resumption.resume("ada", "job_" + "0" * 26)

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"pipeline": "gone"}, "pipeline gone no longer exists"),
            ({"pipeline": "brief"}, "stages have changed"),
            ({"input": {"theme": "rivers"}}, "input has changed"),
            ({"model": "retired"}, "model retired"),
        ],
    )
    def test_a_job_that_no_longer_fits_its_pipeline_is_refused_with_a_reason(
        self, changes: dict[str, object], reason: str
    ) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        core.jobs.update(job.id, changes, when=JobGuard())
        with pytest.raises(CheckpointUnfit, match=reason):
            core.job_resumption.resume("ada", job.id)

    def test_a_job_whose_checkpoint_is_gone_is_refused(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        core.checkpoints.erase(job.id)
        with pytest.raises(CheckpointUnfit, match="checkpoint of the job is no longer stored"):
            core.job_resumption.resume("ada", job.id)
        assert core.job(job.id).status is JobStatus.FAILED

    def test_a_job_whose_first_events_are_gone_is_refused(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        core.log.forget_first(job.id)
        with pytest.raises(CheckpointUnfit, match="no longer all stored"):
            core.job_resumption.resume("ada", job.id)
        assert core.job(job.id).status is JobStatus.FAILED

    def test_a_job_whose_whole_log_is_gone_is_refused_because_its_numbers_would_begin_again(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        while core.log.tail(job.id).seq:
            core.log.forget_first(job.id)
        with pytest.raises(CheckpointUnfit, match="no longer all stored"):
            core.job_resumption.resume("ada", job.id)
        assert core.job(job.id).status is JobStatus.FAILED

    def test_a_pipeline_can_refuse_to_resume_a_job(self) -> None:
        core = FakeCore()
        job = failed_at_polish(core)
        core.jobs.update(job.id, {"input": {"topic": "moved"}}, when=JobGuard())
        with pytest.raises(CheckpointUnfit, match="the topic has moved"):
            core.job_resumption.resume("ada", job.id)


class TestAFirstStageThatIsRepeated:
    """A stage that waits for a turn: a resumed job waits again."""

    PIPELINES = Pipelines(replace(POEM, repeats_first_stage=True))

    def test_a_resumed_job_runs_it_again_and_then_continues_where_it_was(self) -> None:
        core = FakeCore(pipelines=self.PIPELINES)
        job = failed_at_polish(core)
        resumed = core.job_resumption.resume("ada", job.id)
        waits, polish = ScriptedStage("draft", says("")), ScriptedStage("polish", says(", polished"))
        core.run(waits, resumed, generation=2)
        core.run(polish, resumed, generation=2)
        core.complete(resumed, generation=2)
        assert (waits.runs, polish.runs) == (1, 1)
        assert core.transcript(job).text == "a draft, polished"
        assert core.job(job.id).status is JobStatus.COMPLETED

    def test_it_runs_once_in_each_generation(self) -> None:
        core = FakeCore(pipelines=self.PIPELINES)
        resumed = core.job_resumption.resume("ada", failed_at_polish(core).id)
        core.run(ScriptedStage("draft", says("")), resumed, generation=2)
        again = ScriptedStage("draft", says(""))
        core.run(again, resumed, generation=2)
        core.run(again, resumed, generation=2, retry=1)
        assert again.runs == 0

    def test_the_result_stays_that_of_the_last_stage(self) -> None:
        core = FakeCore(pipelines=self.PIPELINES)
        job = core.job_creation.create("ada", a_request())
        core.run(ScriptedStage("draft", says("a draft")), job)
        core.run(ScriptedStage("polish", says("", lines=["polished"])), job)
        core.job_cancellation.cancel("ada", job.id)
        resumed = core.job_resumption.resume("ada", job.id)
        core.run(ScriptedStage("draft", says("", lines=["waited"])), resumed, generation=2)
        core.run(ScriptedStage("polish"), resumed, generation=2)
        core.complete(resumed, generation=2)
        assert core.job_queries.view("ada", job.id).result == {"lines": ["polished"]}
