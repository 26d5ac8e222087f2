"""What an owner does with jobs: create, view, list and cancel them, with idempotency keys."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import (
    Conflict,
    ErrorCode,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimitExceeded,
    StorageUnavailable,
)
from shared.jobs.checkpoints import StageOutput
from shared.jobs.creation import CLAIM_SECONDS
from shared.jobs.executions import ExecutionNotStarted
from shared.jobs.idempotency import KeyClaim, hash_of_request
from shared.jobs.ids import new_job_id
from shared.jobs.job import CheckpointRef, Fault, Job, JobLinks, JobStatus
from shared.jobs.start import NotStarted
from shared.jobs.store import JobFilter, JobGuard
from shared.log.claim import claim
from shared.log.compaction import compact
from shared.log.events import Cancelled, Delta, Failed
from shared.log.fence import Fence
from tests.fakes.core import PIPELINES, FakeCore, PoemInput, a_request
from tests.fakes.executions import FakeExecutions

ANY = JobFilter()


class TestCreation:
    def test_creation_stores_the_job_and_starts_its_execution(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request(links=JobLinks(run_id="run"), trace_id="t", request_id="r"))
        assert core.job(job.id) == job
        assert core.executions.started == {job.id}
        assert (job.owner, job.status, job.input, job.model) == ("ada", "pending", {"topic": "rivers"}, "scripted-1")
        assert (job.links.run_id, job.trace_id, job.request_id) == ("run", "t", "r")
        assert job.execution_arn == core.executions.arn_of(job)

    def test_a_live_job_expires_after_its_longest_execution_and_the_retention_of_failed_jobs(self) -> None:
        core = FakeCore()
        job = core.job_creation.create("ada", a_request())
        assert job.expires_at == int(core.clock().timestamp()) + PIPELINES["poem"].run_seconds + 3600

    def test_an_allowed_model_is_used_and_another_is_refused_with_its_field(self) -> None:
        core = FakeCore()
        chosen = a_request(input=PoemInput(custom_model="scripted-2"))
        assert core.job_creation.create("ada", chosen).model == "scripted-2"
        with pytest.raises(InvalidInput) as refusal:
            core.job_creation.create("ada", a_request(input=PoemInput(custom_model="gpt-imaginary")))
        assert [issue.field for issue in refusal.value.issues] == ["customModel"]
        assert "scripted-2" in refusal.value.message

    def test_an_unknown_agent_is_refused_with_its_field(self) -> None:
        with pytest.raises(InvalidInput) as refusal:
            FakeCore().job_creation.create("ada", a_request(input=PoemInput(agent_id="agent-7")))
        assert [issue.field for issue in refusal.value.issues] == ["agentId"]

    def test_the_eleventh_job_within_a_minute_is_refused_and_not_stored(self) -> None:
        core = FakeCore()
        for _ in range(10):
            core.job_creation.create("ada", a_request())
        with pytest.raises(RateLimitExceeded):
            core.job_creation.create("ada", a_request())
        assert len(core.executions.started) == 10
        assert len(core.job_queries.list_jobs("ada", where=ANY, limit=50, cursor=None).jobs) == 10


class LosesTheResponse(FakeExecutions):
    """Starts the execution, which brings the job to `reached`, but the response is lost."""

    def __init__(self, core: FakeCore, reached: JobStatus) -> None:
        super().__init__()
        self._core = core
        self._reached = reached

    def start(self, job: Job) -> None:
        fault = Fault(code=ErrorCode.WORKER_LOST, message="lost") if self._reached is JobStatus.FAILED else None
        self._core.jobs.update(job.id, {"status": self._reached, "failure": fault}, when=JobGuard())
        raise ExecutionNotStarted("no response")


class TestExecutionsThatDoNotStart:
    def test_the_job_its_log_and_the_refusal_have_the_reason(self) -> None:
        core = FakeCore()
        core.executions.refusal = "StateMachineDoesNotExist"
        with pytest.raises(NotStarted) as refusal:
            core.job_creation.create("ada", a_request(trace_id="t"))
        job = core.job(refusal.value.job.id)
        assert job.status is JobStatus.FAILED
        assert job.failure == Fault(
            code=ErrorCode.EXECUTION_NOT_STARTED,
            message="the job's execution could not be started",
            retryable=True,
            trace_id="t",
        )
        (event,) = core.events(job)
        assert isinstance(event, Failed)
        assert (event.code, event.retryable) == (ErrorCode.EXECUTION_NOT_STARTED, True)
        assert job.expires_at == int(core.clock().timestamp()) + 3600
        assert "StateMachineDoesNotExist" not in job.model_dump_json() + refusal.value.message

    def test_a_job_whose_execution_started_is_in_progress_although_the_response_was_lost(self) -> None:
        core = FakeCore()
        core.job_starter._executions = LosesTheResponse(core, JobStatus.IN_PROGRESS)
        job = core.job_creation.create("ada", a_request())
        assert job.status is JobStatus.IN_PROGRESS
        assert core.events(job) == []

    def test_a_job_that_failed_meanwhile_stays_failed(self) -> None:
        core = FakeCore()
        core.job_starter._executions = LosesTheResponse(core, JobStatus.FAILED)
        with pytest.raises(NotStarted):
            core.job_creation.create("ada", a_request())


class TestIdempotencyKeys:
    def test_a_repeat_returns_the_first_job_and_does_not_count_against_the_limit(self) -> None:
        core = FakeCore()
        first = core.job_creation.create("ada", a_request(), idempotency_key="k")
        for _ in range(20):
            assert core.job_creation.create("ada", a_request(), idempotency_key="k").id == first.id
        assert core.executions.started == {first.id}

    def test_a_repeat_returns_the_current_state_of_the_job(self) -> None:
        core = FakeCore()
        first = core.job_creation.create("ada", a_request(), idempotency_key="k")
        core.job_cancellation.cancel("ada", first.id)
        assert core.job_creation.create("ada", a_request(), idempotency_key="k").status is JobStatus.CANCELLED

    def test_two_owners_can_use_the_same_key(self) -> None:
        core = FakeCore()
        first = core.job_creation.create("ada", a_request(), idempotency_key="k")
        assert core.job_creation.create("bob", a_request(), idempotency_key="k").id != first.id

    def test_a_key_used_for_another_request_is_refused(self) -> None:
        core = FakeCore()
        core.job_creation.create("ada", a_request("rivers"), idempotency_key="k")
        with pytest.raises(InvalidInput) as refusal:
            core.job_creation.create("ada", a_request("hills"), idempotency_key="k")
        assert refusal.value.code is ErrorCode.IDEMPOTENCY_KEY_REUSED
        assert [issue.field for issue in refusal.value.issues] == ["Idempotency-Key"]

    def test_a_key_expires_after_a_day(self) -> None:
        core = FakeCore()
        first = core.job_creation.create("ada", a_request(), idempotency_key="k")
        core.clock.advance(24 * 3600 + 1)
        assert core.job_creation.create("ada", a_request("hills"), idempotency_key="k").id != first.id

    def claim_key(self, core: FakeCore) -> KeyClaim:
        """Claim the key for a request that has not stored its job yet."""
        request = a_request()
        meaning = {
            "pipeline": request.pipeline,
            "input": request.input.model_dump(mode="json"),
            "links": request.links.model_dump(mode="json"),
        }
        now = core.clock().timestamp()
        claimed = KeyClaim(job_id=new_job_id(0), request_hash=hash_of_request(meaning), claimed_at=now)
        core.keys.claim("ada", "k", claimed, expires_at=int(now) + 86_400)
        return claimed

    def test_a_repeat_is_refused_while_the_first_request_is_in_progress(self) -> None:
        core = FakeCore()
        self.claim_key(core)
        core.clock.advance(CLAIM_SECONDS - 0.1)
        with pytest.raises(Conflict, match="still in progress"):
            core.job_creation.create("ada", a_request(), idempotency_key="k")
        assert core.executions.started == set()

    def test_a_repeat_of_a_request_that_crashed_creates_the_job(self) -> None:
        core = FakeCore()
        crashed = self.claim_key(core)
        core.clock.advance(CLAIM_SECONDS)
        job = core.job_creation.create("ada", a_request(), idempotency_key="k")
        assert job.id != crashed.job_id
        assert core.job_creation.create("ada", a_request(), idempotency_key="k").id == job.id

    def test_one_of_two_repeats_of_a_request_that_crashed_creates_the_job(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        crashed = self.claim_key(core)
        core.clock.advance(CLAIM_SECONDS)
        rival = crashed.model_copy(update={"job_id": new_job_id(1)})
        take = core.keys.claim

        def lose_to_rival(owner: str, key: str, claim: KeyClaim, **given: object) -> None:
            if given.get("replaces") == crashed:
                take(owner, key, rival, expires_at=2**40, replaces=crashed)
            take(owner, key, claim, **given)  # type: ignore[arg-type]

        monkeypatch.setattr(core.keys, "claim", lose_to_rival)
        with pytest.raises(Conflict, match="still in progress"):
            core.job_creation.create("ada", a_request(), idempotency_key="k")

    def test_a_repeat_starts_the_execution_of_a_job_that_a_crashed_request_only_stored(self) -> None:
        core = FakeCore()
        crashed = self.claim_key(core)
        core.new_job(job_id=crashed.job_id)
        assert core.job_creation.create("ada", a_request(), idempotency_key="k").id == crashed.job_id
        assert core.executions.started == {crashed.job_id}

    def test_a_refused_request_releases_its_key(self) -> None:
        core = FakeCore()
        for _ in range(10):
            core.job_creation.create("ada", a_request())
        with pytest.raises(RateLimitExceeded):
            core.job_creation.create("ada", a_request(), idempotency_key="k")
        core.clock.advance(60)
        assert core.job_creation.create("ada", a_request(), idempotency_key="k").status is JobStatus.PENDING

    def test_a_request_whose_job_could_not_be_stored_releases_its_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()

        def unavailable(job: Job, **_: object) -> None:
            raise StorageUnavailable("no response")

        with monkeypatch.context() as broken:
            broken.setattr(core.jobs, "put_new", unavailable)
            with pytest.raises(StorageUnavailable):
                core.job_creation.create("ada", a_request(), idempotency_key="k")
        assert core.job_creation.create("ada", a_request(), idempotency_key="k").status is JobStatus.PENDING

    def test_the_hash_of_a_request_does_not_depend_on_the_order_of_its_fields(self) -> None:
        assert hash_of_request({"a": 1, "b": [1, 2]}) == hash_of_request({"b": [1, 2], "a": 1})
        assert hash_of_request({"a": 1, "b": [1, 2]}) != hash_of_request({"a": 1, "b": [2, 1]})


class TestViewing:
    @pytest.mark.parametrize(
        "job_id", ["job_" + "0" * 26, "job_", "", "../jobs", "JOB#1", "job_" + "u" * 26, "x" * 9000]
    )
    def test_an_unknown_job_is_not_found_with_any_form_of_id(self, job_id: str) -> None:
        with pytest.raises(NotFound):
            FakeCore().job_queries.view("ada", job_id)

    def test_another_owners_job_cannot_be_viewed_or_cancelled(self) -> None:
        core = FakeCore()
        job = core.new_job()
        for act in (core.job_queries.view, core.job_queries.owned, core.job_cancellation.cancel):
            with pytest.raises(Forbidden):
                act("bob", job.id)
        assert core.job(job.id).status is JobStatus.PENDING

    def test_an_expired_job_is_not_found(self) -> None:
        core = FakeCore()
        job = core.new_job()
        core.clock.advance(7199)
        assert core.job_queries.owned("ada", job.id) == job
        core.clock.advance(1)
        with pytest.raises(NotFound):
            core.job_queries.view("ada", job.id)

    def test_the_view_has_the_whole_text_of_a_compacted_log(self) -> None:
        core = FakeCore()
        job = core.new_job()
        for number in range(20):
            claim(core.log, job.id, Fence(1, 0, 0, "aaaaaaaa"), (Delta(text=f"{number} "),), at=core.clock)
        compact(core.log, job.id, 0)
        view = core.job_queries.view("ada", job.id)
        assert view.transcript.text == "".join(f"{number} " for number in range(20))
        assert (view.transcript.seq, view.result) == (20, None)

    @pytest.mark.parametrize("method", ["read", "snapshot"])
    def test_the_view_has_the_whole_text_of_a_log_that_is_compacted_during_the_read(
        self, method: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        job = core.new_job()
        for number in range(20):
            claim(core.log, job.id, Fence(1, 0, 0, "aaaaaaaa"), (Delta(text=f"{number} "),), at=core.clock)
        original = getattr(core.log, method)

        def compacted_right_after(*args: Any, **given: Any) -> Any:
            found = original(*args, **given)
            monkeypatch.undo()
            compact(core.log, job.id, 0)
            return found

        monkeypatch.setattr(core.log, method, compacted_right_after)
        text = core.job_queries.view("ada", job.id).transcript.text
        assert text == "".join(f"{number} " for number in range(20))

    def test_only_a_completed_job_has_a_result_which_is_its_last_stages_output(self) -> None:
        core = FakeCore()
        job = core.new_job()
        outputs = {"draft": (1, {"lines": ["rough"]}), "polish": (2, {"lines": ["fine"]})}
        refs = {}
        for stage, (seq, output) in outputs.items():
            fence = str(Fence(1, seq, 0, "aaaaaaaa"))
            core.checkpoints.put(job, stage, fence, StageOutput(output=output, text=""))
            refs[stage] = CheckpointRef(seq=seq, fence=fence)
        live = core.jobs.update(job.id, {"checkpoints": refs}, when=JobGuard())
        assert core.job_queries.result(live) is None
        done = core.jobs.update(job.id, {"status": JobStatus.COMPLETED}, when=JobGuard())
        assert core.job_queries.result(done) == {"lines": ["fine"]}
        assert core.job_queries.view("ada", job.id).result == {"lines": ["fine"]}


class TestListing:
    def test_an_owners_jobs_are_listed_newest_first_in_pages(self) -> None:
        core = FakeCore()
        made = [core.new_job(job_id=new_job_id(number)).id for number in range(5)]
        core.new_job(job_id=new_job_id(9), owner="bob")
        first = core.job_queries.list_jobs("ada", where=ANY, limit=3, cursor=None)
        second = core.job_queries.list_jobs("ada", where=ANY, limit=3, cursor=first.cursor)
        assert [job.id for job in (*first.jobs, *second.jobs)] == made[::-1]
        assert second.cursor is None

    def test_an_invalid_cursor_is_refused_with_its_field(self) -> None:
        with pytest.raises(InvalidInput) as refusal:
            FakeCore().job_queries.list_jobs("ada", where=ANY, limit=3, cursor="nonsense")
        assert [issue.field for issue in refusal.value.issues] == ["cursor"]


class TestCancellation:
    def test_cancelling_a_live_job_ends_its_log_and_stops_its_execution(self) -> None:
        core = FakeCore()
        job = core.new_job(status=JobStatus.IN_PROGRESS, stage="draft")
        cancelled = core.job_cancellation.cancel("ada", job.id)
        assert core.job(job.id) == cancelled
        assert (cancelled.status, cancelled.ended_at) == (JobStatus.CANCELLED, core.clock())
        assert cancelled.expires_at == int(core.clock().timestamp()) + 3600
        assert core.events(job) == [Cancelled(stage="draft")]
        assert core.executions.stopped == [job.id]

    def test_cancelling_again_changes_nothing(self) -> None:
        core = FakeCore()
        job = core.new_job()
        first = core.job_cancellation.cancel("ada", job.id)
        core.clock.advance(10)
        assert core.job_cancellation.cancel("ada", job.id) == first
        assert core.events(job) == [Cancelled()]

    @pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED])
    def test_a_completed_or_failed_job_cannot_be_cancelled(self, status: JobStatus) -> None:
        core = FakeCore()
        job = core.new_job(status=status)
        with pytest.raises(Conflict, match=status):
            core.job_cancellation.cancel("ada", job.id)
        assert core.job(job.id) == job

    def test_a_cancelled_job_expires_after_its_pipelines_retention(self) -> None:
        core = FakeCore()
        job = core.new_job(pipeline="brief")
        assert core.job_cancellation.cancel("ada", job.id).expires_at == int(core.clock().timestamp()) + 7

    def test_a_job_that_expires_during_its_cancellation_is_not_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = core.new_job()
        get = core.jobs.get

        def expire_after(job_id: str) -> Job | None:
            found = get(job_id)
            core.clock.advance(7200)
            return found

        monkeypatch.setattr(core.jobs, "get", expire_after)
        with pytest.raises(NotFound):
            core.job_cancellation.cancel("ada", job.id)

    def test_cancelling_adds_no_event_to_a_job_that_is_resumed_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        job = core.new_job()
        tail = core.log.tail

        def resumed_before(job_id: str) -> object:
            monkeypatch.setattr(core.log, "tail", tail)
            claim(core.log, job_id, Fence(2, 0, 0, "aaaaaaaa"), (Delta(text="again"),), at=core.clock)
            return tail(job_id)

        monkeypatch.setattr(core.log, "tail", resumed_before)
        core.job_cancellation.cancel("ada", job.id)
        assert core.events(job) == [Delta(text="again")]
