"""Follow a job to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.errors import InvalidInput
from shared.jobs import watcher as watching
from shared.jobs.checkpoints import StageOutput
from shared.jobs.costs import usage_with_price
from shared.jobs.job import CheckpointRef, Job, JobStatus
from shared.jobs.store import JobGuard
from shared.log.claim import claim
from shared.log.event_log import LogTail
from shared.log.events import Cancelled, Complete, Delta, Progress, StoredEvent
from shared.log.fence import Fence
from shared.log.reader import Frame
from shared.log.usage import TokenUsage
from tests.fakes.clock import EXPIRES_AT, SettableClock
from tests.fakes.core import FakeCore
from tests.fakes.event_log import FakeEventLog
from tests.patience import PATIENCE

JOB = "job_1"


FENCE = Fence(1, 0, 0, "aaaaaaaa")


def append(log: FakeEventLog, *events: StoredEvent, fence: Fence = FENCE, job_id: str = JOB) -> LogTail:
    return claim(log, job_id, fence, events, at=SettableClock(), expires_at=EXPIRES_AT)


def deltas(frames: Sequence[Frame]) -> list[tuple[int, str]]:
    return [(frame.id, frame.event.text) for frame in frames if isinstance(frame.event, Delta)]


async def collect(core: FakeCore, job_id: str, after: int = 0) -> list[Frame]:
    async with asyncio.timeout(PATIENCE):
        return [frame async for frame in core.job_watcher.follow(job_id, after=after) if frame is not None]


class TestFollowing:
    @pytest.fixture(autouse=True)
    def _check_the_job_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(watching, "JOB_CHECK_SECONDS", 0.02)

    def test_following_ends_with_the_terminal_event(self) -> None:
        core = FakeCore()
        job = core.new_job()
        append(core.log, Delta(text="x"), job_id=job.id)
        append(core.log, Progress(progress=50), Cancelled(), job_id=job.id)
        core.jobs.update(job.id, {"status": JobStatus.CANCELLED}, when=JobGuard())
        frames = asyncio.run(collect(core, job.id))
        assert [frame.id for frame in frames] == [1, 2, 3]
        assert core.job_watcher.has_seen_terminal_event(job.id, after=3)
        assert not core.job_watcher.has_seen_terminal_event(job.id, after=2)

    def test_a_last_event_id_after_the_end_of_the_log_is_refused(self) -> None:
        core = FakeCore()
        job = core.new_job()
        append(core.log, Delta(text="x"), job_id=job.id)
        assert not core.job_watcher.has_seen_terminal_event(job.id, after=1)
        with pytest.raises(InvalidInput, match="Last-Event-ID: must be at most 1"):
            core.job_watcher.has_seen_terminal_event(job.id, after=2)

    def test_following_continues_after_a_terminal_event_of_an_earlier_generation(self) -> None:
        core = FakeCore()
        job = core.new_job()
        append(core.log, Cancelled(), job_id=job.id)
        append(core.log, Delta(text="again"), fence=Fence(2, 0, 0, "bbbbbbbb"), job_id=job.id)
        append(core.log, Cancelled(), fence=Fence(2, 1, 0, "bbbbbbbb"), job_id=job.id)
        core.jobs.update(job.id, {"status": JobStatus.CANCELLED, "generation": 2}, when=JobGuard())
        assert [frame.id for frame in asyncio.run(collect(core, job.id))] == [1, 2, 3]

    @pytest.mark.parametrize(("generation", "ends"), [(1, [2]), (2, [2, 4])])
    def test_only_the_log_of_a_resumed_job_is_read_behind_a_terminal_event(
        self, generation: int, ends: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A read that is eventually consistent may end with a terminal event behind which a resumption is stored."""
        core = FakeCore()
        job = core.new_job()
        append(core.log, Delta(text="x"), Cancelled(), job_id=job.id)
        core.jobs.update(job.id, {"status": JobStatus.CANCELLED, "generation": generation}, when=JobGuard())
        stale = [core.log.read(job.id, after=0)]
        if generation == 2:
            append(core.log, Delta(text="y"), Cancelled(), fence=Fence(2, 0, 0, "bbbbbbbb"), job_id=job.id)
        read, tail = core.log.read, core.log.tail
        tails: list[LogTail] = []

        def tail_of(job_id: str) -> LogTail:
            tails.append(tail(job_id))
            return tails[-1]

        monkeypatch.setattr(core.log, "read", lambda *what, **how: stale.pop() if stale else read(*what, **how))
        monkeypatch.setattr(core.log, "tail", tail_of)

        frames = core.job_watcher.follower(job.id, after=0).poll()

        assert frames[-1].id == ends[-1]
        assert len(tails) == len(ends) - 1

    def test_the_end_before_a_resumption_is_never_the_jobs_end(self) -> None:
        """The resumption is stored in the job before the log: its process may die in between."""
        core = FakeCore()
        job = core.new_job()
        append(core.log, Delta(text="x"), Cancelled(), job_id=job.id)
        core.jobs.update(job.id, {"generation": 2}, when=JobGuard())
        assert not core.job_watcher.has_seen_terminal_event(job.id, after=2)

        async def main() -> list[Frame]:
            frames: list[Frame] = []
            async with asyncio.timeout(PATIENCE):
                async for frame in core.job_watcher.follow(job.id, after=0):
                    if frame is not None:
                        frames.append(frame)
                    elif core.log.tail(job.id).terminal:
                        append(core.log, Delta(text="y"), fence=Fence(2, 0, 0, "bbbbbbbb"), job_id=job.id)
                    else:
                        core.job_cancellation.cancel("ada", job.id)
            return frames

        frames = asyncio.run(main())
        assert [(frame.id, frame.event.type) for frame in frames] == [
            (1, "delta"),
            (2, "snapshot"),
            (3, "delta"),
            (4, "cancelled"),
        ]

    @pytest.mark.parametrize("after", [0, 1, 2])
    def test_an_end_that_is_not_yet_in_the_log_is_not_that_of_the_generation_before(self, after: int) -> None:
        """What ends a job, such as the sweep, stores the job before the log: its process may die in between."""
        core = FakeCore()
        job = core.new_job()
        append(core.log, Delta(text="x"), Cancelled(), job_id=job.id)
        core.jobs.update(job.id, {"status": JobStatus.CANCELLED, "generation": 2}, when=JobGuard())

        assert core.job_watcher.follower(job.id, after=1).poll() == []
        assert not core.job_watcher.has_seen_terminal_event(job.id, after=2)
        frames = asyncio.run(collect(core, job.id, after))

        assert [(frame.id, frame.event.type) for frame in frames][-2:] in (
            [(2, "snapshot"), (3, "cancelled")],
            [(3, "cancelled")],
        )
        assert core.job_watcher.has_seen_terminal_event(job.id, after=3)

    def test_following_yields_new_events_and_none_during_silence(self) -> None:
        core = FakeCore()
        job = core.new_job()

        async def main() -> list[Frame | None]:
            seen: list[Frame | None] = []
            async with asyncio.timeout(PATIENCE):
                async for frame in core.job_watcher.follow(job.id, after=0):
                    seen.append(frame)
                    if frame is None and len(seen) == 1:
                        append(core.log, Delta(text="x"), job_id=job.id)
                    elif frame is not None and not frame.terminal:
                        core.job_cancellation.cancel("ada", job.id)
            return seen

        seen = asyncio.run(main())
        assert seen[0] is None
        assert [frame.id for frame in seen if frame] == [1, 2]

    @pytest.mark.parametrize(
        ("status", "current", "reads"),
        [
            (JobStatus.COMPLETED, True, [False]),
            (JobStatus.COMPLETED, False, [False, True]),
            (JobStatus.CANCELLED, True, [False, True]),
        ],
    )
    def test_an_older_read_is_enough_if_it_shows_that_the_job_is_completed(
        self, status: JobStatus, *, current: bool, reads: list[bool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        core = FakeCore()
        job = core.new_job()
        end = Complete(usage=usage_with_price(TokenUsage(), None)) if status is JobStatus.COMPLETED else Cancelled()
        core.jobs.update(job.id, {"status": status}, when=JobGuard())
        append(core.log, end, job_id=job.id)
        get, seen = core.jobs.get, list[bool]()

        def get_job(job_id: str, *, consistent: bool = True) -> Job | None:
            seen.append(consistent)
            return get(job_id, consistent=consistent or current)

        monkeypatch.setattr(core.jobs, "get", get_job)
        assert [frame.id for frame in core.job_watcher.follower(job.id, after=0).poll()] == [1]
        assert seen == reads

    def test_the_complete_event_has_the_result(self) -> None:
        core = FakeCore()
        job = core.new_job()
        core.checkpoints.put(job, "polish", str(FENCE), StageOutput(output={"lines": ["a"]}, text="a"))
        ref = CheckpointRef(seq=1, fence=str(FENCE))
        ended = {"status": JobStatus.COMPLETED, "checkpoints": {"polish": ref}}
        core.jobs.update(job.id, ended, when=JobGuard())
        append(core.log, Complete(usage=usage_with_price(TokenUsage(), None)), job_id=job.id)
        (frame,) = asyncio.run(collect(core, job.id))
        assert isinstance(frame.event, Complete)
        assert frame.event.result == {"lines": ["a"]}

    def test_the_complete_event_of_an_expired_job_has_no_result(self) -> None:
        core = FakeCore()
        append(core.log, Complete(usage=usage_with_price(TokenUsage(), None)))
        (frame,) = asyncio.run(collect(core, JOB))
        assert isinstance(frame.event, Complete)
        assert frame.event.result is None

    def test_following_adds_the_missing_terminal_event_of_an_ended_job(self) -> None:
        core = FakeCore()
        job = core.new_job(stage="draft")
        append(core.log, Delta(text="x"), job_id=job.id)
        core.jobs.update(job.id, {"status": JobStatus.CANCELLED}, when=JobGuard())
        frames = asyncio.run(collect(core, job.id))
        assert [frame.event for frame in frames] == [
            Delta(text="x"),
            Cancelled(stage="draft", usage=usage_with_price(TokenUsage(), None)),
        ]

    def test_following_a_job_that_expires_ends_without_a_terminal_event(self) -> None:
        core = FakeCore()
        job = core.new_job()
        append(core.log, Delta(text="x"), job_id=job.id)
        core.clock.advance(7200)
        assert deltas(asyncio.run(collect(core, job.id))) == [(1, "x")]

    def test_following_a_silent_live_job_continues(self) -> None:
        core = FakeCore()
        job = core.new_job()

        async def main() -> list[Frame]:
            rounds = 0
            frames: list[Frame] = []
            async with asyncio.timeout(PATIENCE):
                async for frame in core.job_watcher.follow(job.id, after=0):
                    rounds += 1
                    if rounds == 4:
                        core.job_cancellation.cancel("ada", job.id)
                    if frame is not None:
                        frames.append(frame)
            return frames

        assert [frame.event for frame in asyncio.run(main())] == [Cancelled(usage=usage_with_price(TokenUsage(), None))]
