"""Repeat a creation with its Idempotency-Key."""

from __future__ import annotations

import pytest

from shared.errors import (
    Conflict,
    ErrorCode,
    InvalidInput,
    RateLimitExceeded,
    StorageUnavailable,
)
from shared.jobs.idempotency import hash_of_request
from shared.jobs.job import Job, JobStatus
from tests.fakes.core import FakeCore, a_job, a_request


def crash(_job: Job) -> Job:
    raise KeyboardInterrupt


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

    def test_a_key_is_valid_for_its_day_although_its_job_has_expired(self) -> None:
        core = FakeCore()
        first = core.job_creation.create("ada", a_request(), idempotency_key="k")
        core.clock.advance(24 * 3600 - 1)
        assert core.jobs.get(first.id) is None
        with pytest.raises(Conflict, match=f"created job {first.id}, which has expired; send a new key"):
            core.job_creation.create("ada", a_request(), idempotency_key="k")
        assert core.executions.started == {first.id}

    def test_a_key_opens_one_run_although_its_job_has_expired(self) -> None:
        core = FakeCore()
        request = a_request(pipeline="song")
        core.job_creation.create("ada", request, idempotency_key="k")
        core.clock.advance(24 * 3600 - 1)
        with pytest.raises(Conflict, match="has expired"):
            core.job_creation.create("ada", request, idempotency_key="k")
        runs = core.runs.list_owned("ada", kind="song", status=None, limit=5, cursor=None).runs
        assert len(runs) == 1

    def test_of_two_requests_at_once_the_later_one_returns_the_job_of_the_other(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        rival: list[Job] = []
        count = core.creation_limit.count_creation

        def overtaken(owner: str) -> float:
            if not rival:
                rival.append(a_job())
                rival[0] = core.job_creation.create("ada", a_request(), idempotency_key="k")
            return count(owner)

        monkeypatch.setattr(core.creation_limit, "count_creation", overtaken)
        job = core.job_creation.create("ada", a_request(), idempotency_key="k")
        assert job.id == rival[0].id
        assert core.executions.started == {job.id}

    def test_a_repeat_starts_the_execution_of_a_job_that_a_crashed_request_only_stored(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        with monkeypatch.context() as crashing:
            crashing.setattr(core.job_starter, "start", crash)
            with pytest.raises(KeyboardInterrupt):
                core.job_creation.create("ada", a_request(), idempotency_key="k")
        job = core.job_creation.create("ada", a_request(), idempotency_key="k")
        assert core.executions.started == {job.id}
        assert [each.id for each in core.jobs.live(cursor=None, limit=5).jobs] == [job.id]

    def test_a_request_that_creates_nothing_does_not_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = FakeCore()
        put_new = core.jobs.put_new

        def unavailable(job: Job, **_: object) -> None:
            raise StorageUnavailable("no response")

        monkeypatch.setattr(core.jobs, "put_new", unavailable)
        for _ in range(30):
            with pytest.raises(StorageUnavailable):
                core.job_creation.create("ada", a_request(), idempotency_key="k")
        monkeypatch.setattr(core.jobs, "put_new", put_new)
        for _ in range(10):
            core.job_creation.create("ada", a_request())

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
