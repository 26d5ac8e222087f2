"""Completing a job and recording its failure, which are a state machine's last steps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import AttemptSuperseded, ErrorCode, JobEnded
from shared.jobs.completion import STACK_TRACE_CHARS, fault_of
from shared.jobs.costs import usage_with_price
from shared.jobs.ending import ensure_terminal_event, terminal_events
from shared.jobs.invocation import CaughtError, FailureInvocation, StageInvocation
from shared.jobs.job import Fault, Job, JobStatus
from shared.jobs.store import JobGuard
from shared.log.events import Cancelled, Complete, Failed, Progress
from shared.log.usage import TokenUsage
from tests.fakes.core import FakeCore, a_job

GONE = "job_00000000000000000000000000"


def caught(error: str, **cause: object) -> CaughtError:
    return CaughtError(error=error, cause=json.dumps(cause) if cause else "")


def record(core: FakeCore, job: Job, error: CaughtError, generation: int = 1) -> Job:
    core.job_completion.record_failure(FailureInvocation(job_id=job.id, generation=generation, failure=error))
    return core.job(job.id)


class TestCompletion:
    def test_an_end_that_comes_late_lets_the_job_expire_no_later_than_what_is_stored_for_it(self) -> None:
        core = FakeCore()
        job = core.new_job()
        core.clock.advance(7000)
        assert core.job_cancellation.cancel("ada", job.id).expires_at == job.expires_at

    def test_a_job_in_progress_becomes_completed_and_its_log_gets_the_terminal_event(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS, usage=TokenUsage(input_tokens=3), progress=95)
        assert core.complete(job).stage == "complete_job"
        done = core.job(job.id)
        assert (done.status, done.progress, done.ended_at) == (JobStatus.COMPLETED, 100, core.clock())
        assert done.expires_at == int(core.clock().timestamp()) + 600
        assert core.events(job) == [
            Progress(progress=100),
            Complete(usage=usage_with_price(TokenUsage(input_tokens=3), None)),
        ]

    def test_completing_a_job_again_changes_nothing(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS)
        core.complete(job)
        done, events = core.job(job.id), core.events(job)
        core.clock.advance(5)
        core.complete(job)
        assert (core.job(job.id), core.events(job)) == (done, events)

    def test_completing_a_job_again_adds_a_missing_terminal_event(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.COMPLETED)
        core.complete(job)
        assert core.events(job)[-1] == Complete(usage=usage_with_price(TokenUsage(), None))

    def test_the_job_expires_after_its_pipelines_retention(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS, pipeline="brief")
        core.complete(job)
        assert core.job(job.id).expires_at == int(core.clock().timestamp()) + 5

    @pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.CANCELLED, JobStatus.FAILED])
    def test_only_a_job_in_progress_can_be_completed(self, status: JobStatus) -> None:
        core = FakeCore()
        job = core.new_job(status=status)
        with pytest.raises(JobEnded, match=status):
            core.complete(job)
        assert (core.job(job.id), core.events(job)) == (job, [])

    def test_an_earlier_execution_cannot_complete_the_job(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS, generation=2)
        with pytest.raises(AttemptSuperseded):
            core.complete(job)
        assert core.job(job.id) == job

    def test_an_unknown_job_cannot_be_completed(self) -> None:
        with pytest.raises(JobEnded):
            FakeCore().job_completion.complete(StageInvocation(job_id=GONE, generation=1, retry=0))


class TestFailure:
    def test_the_error_event_has_code_stage_attempt_and_retryable(self) -> None:
        core = FakeCore()
        job = core.new_job(
            status=JobStatus.IN_PROGRESS,
            stage="draft",
            attempt=4,
            retry_count=3,
            trace_id="t",
            request_id="r",
            usage=TokenUsage(input_tokens=3),
        )
        failed = record(core, job, caught("ModelRateLimited"))
        assert failed.status is JobStatus.FAILED
        assert failed.expires_at == int(core.clock().timestamp()) + 3600
        assert failed.failure is not None
        assert core.events(job) == [
            Failed(
                code=ErrorCode.MODEL_RATE_LIMITED,
                message=failed.failure.message,
                stage="draft",
                attempt=4,
                retry_count=3,
                retryable=True,
                request_id="r",
                trace_id="t",
                usage=usage_with_price(TokenUsage(input_tokens=3), None),
            )
        ]

    def test_recording_a_failure_again_changes_nothing(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS)
        failed = record(core, job, caught("ModelRefused"))
        assert record(core, job, caught("ModelTimeout")) == failed
        assert len(core.events(job)) == 1

    def test_a_cancelled_job_stays_cancelled(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.CANCELLED)
        with pytest.raises(JobEnded, match="cancelled"):
            record(core, job, caught("ModelRefused"))
        assert core.job(job.id) == job

    def test_recording_reports_a_job_that_expires_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS)
        get = core.jobs.get

        def expire_after(job_id: str) -> Job | None:
            found = get(job_id)
            core.clock.advance(7200)
            return found

        monkeypatch.setattr(core.jobs, "get", expire_after)
        with pytest.raises(JobEnded, match="has expired"):
            record(core, job, caught("ModelRefused"))

    def test_an_earlier_execution_cannot_fail_the_job(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS, generation=2)
        with pytest.raises(AttemptSuperseded):
            record(core, job, caught("ModelRefused"))

    def test_the_job_expires_after_its_pipelines_retention(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS, pipeline="brief")
        assert record(core, job, caught("ModelRefused")).expires_at == int(core.clock().timestamp()) + 7

    def test_a_failure_invocation_has_the_error_names_of_step_functions(self) -> None:
        state = {"jobId": "job_1", "generation": 1, "failure": {"Error": "States.Timeout"}}
        assert FailureInvocation.model_validate(state).failure == CaughtError(error="States.Timeout", cause="")


class TestFaults:
    @pytest.mark.parametrize(
        ("error", "code", "retryable"),
        [
            ("ModelRateLimited", ErrorCode.MODEL_RATE_LIMITED, True),
            ("ModelNotReady", ErrorCode.MODEL_NOT_READY, True),
            ("ModelTimeout", ErrorCode.MODEL_TIMEOUT, True),
            ("ModelUnavailable", ErrorCode.MODEL_UNAVAILABLE, True),
            ("ModelDisconnected", ErrorCode.MODEL_DISCONNECTED, True),
            ("StorageThrottled", ErrorCode.STORAGE_THROTTLED, True),
            ("StorageUnavailable", ErrorCode.STORAGE_UNAVAILABLE, True),
            ("ModelRefused", ErrorCode.MODEL_REFUSED, False),
            ("ModelRejectedRequest", ErrorCode.MODEL_REJECTED_REQUEST, False),
            ("ModelMisconfigured", ErrorCode.MODEL_MISCONFIGURED, False),
            ("ModelOutputTooLong", ErrorCode.MODEL_OUTPUT_TOO_LONG, False),
            ("InvalidModelOutput", ErrorCode.INVALID_MODEL_OUTPUT, False),
            ("InternalFault", ErrorCode.INTERNAL_ERROR, False),
            ("States.Timeout", ErrorCode.STAGE_TIMEOUT, True),
            ("Lambda.Unknown", ErrorCode.WORKER_LOST, True),
            ("Lambda.TooManyRequestsException", ErrorCode.WORKER_LOST, True),
            ("Runtime.ExitError", ErrorCode.WORKER_LOST, True),
            ("Sandbox.Timedout", ErrorCode.STAGE_TIMEOUT, True),
            ("StageTimedOut", ErrorCode.STAGE_TIMEOUT, True),
            ("StageUnfinished", ErrorCode.STAGE_TIMEOUT, True),
            ("States.Runtime", ErrorCode.INTERNAL_ERROR, False),
            ("KeyError", ErrorCode.INTERNAL_ERROR, False),
            ("dataclass", ErrorCode.INTERNAL_ERROR, False),  # an imported name in the error module
            ("", ErrorCode.INTERNAL_ERROR, False),
        ],
    )
    def test_every_kind_of_error_has_its_code(self, error: str, code: ErrorCode, retryable: bool) -> None:
        fault = fault_of(a_job(stage="draft"), caught(error))
        assert (fault.code, fault.retryable) == (code, retryable)
        assert fault.message

    def test_the_message_is_that_of_the_failing_attempts_fault(self) -> None:
        noted = Fault(code=ErrorCode.MODEL_REFUSED, message="refused: violence", stage="draft", attempt=2)
        job = a_job(stage="draft", attempt=2, last_fault=noted)
        assert fault_of(job, caught("ModelRefused")).message == "refused: violence"

    def test_the_message_of_the_caught_error_is_preferred_to_the_fault_of_another_part(self) -> None:
        noted = Fault(code=ErrorCode.MODEL_REFUSED, message="part b: no", stage="draft", attempt=2)
        job = a_job(stage="draft", attempt=2, last_fault=noted)
        fault = fault_of(job, caught("ModelRefused", errorType="ModelRefused", errorMessage="part a: not this"))
        assert fault.message == "part a: not this"

    @pytest.mark.parametrize("change", [{"attempt": 3}, {"stage": "polish"}])
    def test_a_fault_of_another_attempt_is_not_the_reason(self, change: dict[str, Any]) -> None:
        noted = Fault(code=ErrorCode.MODEL_REFUSED, message="refused: violence", stage="draft", attempt=2)
        job = a_job(**{"stage": "draft", "attempt": 2, "last_fault": noted, **change})
        assert fault_of(job, caught("ModelRefused")).message == "the model declined the request"

    def test_the_message_does_not_contain_the_stack_trace(self) -> None:
        cause = caught("KeyError", errorType="KeyError", errorMessage="secret", stackTrace=["frame 1\n", "frame 2\n"])
        fault = fault_of(a_job(), cause)
        assert fault.stack_trace == "frame 1\nframe 2\n"
        assert "frame" not in fault.message
        assert "secret" not in fault.message

    @pytest.mark.parametrize("folder", ["/var/task/", "/opt/python/", "/home/ada/work/"])
    def test_a_stack_trace_does_not_show_the_file_system(self, folder: str) -> None:
        frame = f'  File "{folder}shared/log/writer.py", line 7, in write\n    write("/tmp/x")\n'
        other = f'  File "{folder}python3.13/asyncio/runners.py", line 9, in run\n'
        fault = fault_of(a_job(), caught("KeyError", stackTrace=[other, frame]))
        assert fault.stack_trace is not None
        assert folder not in fault.stack_trace
        assert 'File "shared/log/writer.py", line 7' in fault.stack_trace

    def test_a_long_stack_trace_keeps_its_end(self) -> None:
        fault = fault_of(a_job(), caught("KeyError", stackTrace=["x" * 5000, "the fault\n"]))
        assert fault.stack_trace is not None
        assert len(fault.stack_trace) == STACK_TRACE_CHARS
        assert fault.stack_trace.endswith("the fault\n")

    @pytest.mark.parametrize(
        "cause", ["", "not JSON", "[]", '{"stackTrace": null}', '{"stackTrace": []}', '{"stackTrace": 1}', "7"]
    )
    def test_a_cause_can_have_no_stack_trace(self, cause: str) -> None:
        assert fault_of(a_job(), CaughtError(error="KeyError", cause=cause)).stack_trace is None

    def test_the_event_does_not_contain_the_stack_trace(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS)
        failed = record(core, job, caught("KeyError", stackTrace=["frame 1\n"]))
        assert failed.failure is not None
        assert failed.failure.stack_trace == "frame 1\n"
        assert "frame" not in core.events(job)[0].model_dump_json()


class TestTerminalEvents:
    def test_adding_the_terminal_event_again_changes_nothing(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.CANCELLED, stage="draft")
        for _ in range(3):
            ensure_terminal_event(core.log, job, clock=core.clock)
        assert core.events(job) == [Cancelled(stage="draft", usage=usage_with_price(TokenUsage(), None))]

    def test_a_failed_job_without_a_stored_failure_still_has_a_terminal_event(self) -> None:
        (event,) = terminal_events(a_job(status=JobStatus.FAILED))
        assert isinstance(event, Failed)
        assert event.code is ErrorCode.INTERNAL_ERROR

    @pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.IN_PROGRESS])
    def test_a_live_job_has_no_terminal_events(self, status: JobStatus) -> None:
        with pytest.raises(ValueError, match=status):
            terminal_events(a_job(status=status))

    def test_each_generation_has_its_own_terminal_event(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.CANCELLED)
        ensure_terminal_event(core.log, job, clock=core.clock)
        again = core.jobs.update(job.id, {"generation": 2}, when=JobGuard())
        ensure_terminal_event(core.log, again, clock=core.clock)
        assert core.events(job) == [Cancelled(usage=usage_with_price(TokenUsage(), None))] * 2
