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
from shared.jobs.creation import CLAIM_SECONDS
from shared.jobs.idempotency import KeyClaim, hash_of_request
from shared.jobs.ids import new_job_id
from shared.jobs.job import Job, JobStatus
from tests.fakes.core import FakeCore, a_request


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
