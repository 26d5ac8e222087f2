"""Parts disturbed at every call of a port: a race, a kill, a lost response, a compaction, a cancellation."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.errors import InternalFault, MillraceError, ModelUnavailable, StorageUnavailable
from shared.jobs.invocation import FanOutDone
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import JobGuard, PreparedWrites
from shared.log.compaction import compact
from shared.log.event_log import Batch, LogBounds, LogTail
from shared.log.events import TERMINAL, Item, Progress, StoredEvent, StoredReset, Subtask
from shared.log.fence import PARTS, Fence
from shared.log.reader import read_transcript
from shared.log.transcript import Transcript
from shared.log.usage import TokenUsage
from shared.stages.part import PartContext
from shared.stages.stage import StageContext
from tests.fakes.clock import EXPIRES_AT, SettableClock
from tests.fakes.core import FakeCore, ScriptedPart, ScriptedStage, a_request, says
from tests.fakes.event_log import FakeEventLog
from tests.fakes.jobs import FakeJobStore

pytestmark = pytest.mark.no_cover  # as every property test; see tests/conftest.py

KEYS = ("a", "b", "c")
PLANNER, BINDER = "choose_poems", "bind_poems"
CALLS = st.sampled_from([None, *range(1, 12), *range(1, 12)])
"""At which call of a port something happens; None for an attempt that nothing disturbs."""
HAPPENINGS = (
    "the process is killed before the call",
    "the process is killed after the call",
    "the request is lost",
    "the response is lost",
    "the same part runs",
    "all parts run",
    "many events are appended and compacted",
    "the owner cancels",
    "the owner cancels and resumes",
    "the owner cancels and resumes, and all parts run",
    "the next stage runs",
)
"""What happens at one call of a port."""
CALLS_OF_AN_ATTEMPT = 12
"""An attempt at a part makes fewer calls of ports than this."""


class Killed(BaseException):
    """Lambda has killed the process."""


class Disturbance:
    """Does something once, at the call of a port with the number `at`."""

    def __init__(self) -> None:
        self.at: int | None = None
        self.happening = ""
        self.meanwhile: Callable[[str], object] = lambda _: None

    @contextlib.contextmanager
    def around(self) -> Iterator[None]:
        """Count one call of a port, and disturb it if it is the one."""
        happening = self._now()
        match happening:
            case "the process is killed before the call":
                raise Killed
            case "the request is lost":
                raise StorageUnavailable("the request was lost")
            case "" | "the process is killed after the call" | "the response is lost":
                pass
            case _:
                # In another thread, because this one runs the event loop of the disturbed attempt.
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(self.meanwhile, happening).result()
        yield
        match happening:
            case "the process is killed after the call":
                raise Killed
            case "the response is lost":
                raise StorageUnavailable("the response was lost")

    def _now(self) -> str:
        if self.at is None:
            return ""
        self.at -= 1
        if self.at:
            return ""
        self.at = None
        return self.happening


class DisturbedLog(FakeEventLog):
    """The event log, with the whole history and a check of each append."""

    def __init__(self, disturbance: Disturbance) -> None:
        super().__init__()
        self._disturbance = disturbance
        self.history: list[StoredEvent] = []
        self.fences: list[Fence] = []

    def append(self, job_id: str, batch: Batch) -> int:
        with self._disturbance.around():
            stored = len(self.appends)
            watched = super().append(job_id, batch)
            if len(self.appends) > stored:
                self._check(batch)
                self.history += self.appends[-1].events
                self.fences += [batch.fence] * len(batch.events)
        return watched

    def tail(self, job_id: str) -> LogTail:
        with self._disturbance.around():
            return super().tail(job_id)

    def _check(self, batch: Batch) -> None:
        assert batch.first == len(self.history) + 1, "appended elsewhere than at the end"
        assert not self.fences or self.fences[-1] <= batch.fence, "a superseded attempt has appended"
        for event, fence in zip(self.history, self.fences, strict=True):
            if event.type in TERMINAL:
                assert fence.generation < batch.fence.generation, "appended after the end"


class DisturbedJobs(FakeJobStore):
    """The job store, which counts the accepted additions of tokens."""

    def __init__(self, disturbance: Disturbance, clock: SettableClock) -> None:
        super().__init__(clock=clock)
        self._disturbance = disturbance
        self.paid = 0

    def get(self, job_id: str, *, consistent: bool = True) -> Job | None:
        with self._disturbance.around():
            return super().get(job_id, consistent=consistent)

    def update(
        self, job_id: str, changes: Mapping[str, Any], *, when: JobGuard, side_writes: PreparedWrites | None = None
    ) -> Job:
        with self._disturbance.around():
            before = super().get(job_id)
            updated = super().update(job_id, changes, when=when, side_writes=side_writes)
            if changes.keys() == {"usage", "updated_at"}:  # a part's; a stage stores more with its tokens
                assert before is not None
                self.paid += updated.usage.input_tokens - before.usage.input_tokens
            return updated


class SeededSecrets:
    """Replaces the module `secrets`: hypothesis seeds `random`, so that it can repeat an example."""

    randbits = staticmethod(random.getrandbits)

    @staticmethod
    def token_hex(size: int) -> str:
        return random.randbytes(size).hex()


class Story:
    """One job with three parts, their attempts, its owner and the stages around them; checks what always holds."""

    def __init__(self, parts: Any = KEYS, max_events: int = 1000) -> None:
        self.disturbance = Disturbance()
        self.disturbance.meanwhile = self.happen
        clock = SettableClock()
        self.log, self.jobs = DisturbedLog(self.disturbance), DisturbedJobs(self.disturbance, clock)
        bounds = LogBounds(max_events=max_events, max_bytes=10**6)
        self.core = FakeCore(event_log=self.log, jobs=self.jobs, clock=clock, bounds=bounds)
        self.job = self.core.job_creation.create("ada", a_request(pipeline="anthology"))
        self.parts = parts
        self.runs = 0
        self.first_results: dict[str, Any] = {}
        self.plan()

    # ---- what the state machine, the owner and the world do --------------------------------------------------------

    def plan(self) -> None:
        """Run the stage before: it names the parts that have no result."""
        stage = ScriptedStage(PLANNER, says("chosen;", parts=self.parts))
        with self.may_go_wrong():
            done = self.core.run(stage, self.job, generation=self.generation())
            assert isinstance(done, FanOutDone)
            assert list(done.parts) == [key for key in KEYS if key not in self.items()]

    def disturbed(self, at: int | None, happening: str, act: Callable[[], object]) -> bool:
        """Act, with a disturbance at the call `at`; return whether there was such a call."""
        self.disturbance.at, self.disturbance.happening = at, happening
        act()
        happened = self.disturbance.at is None
        self.disturbance.at = None
        return happened

    def run_part(self, key: str, *, retry: int = 0, behind: int = 0, breaks: bool = False) -> None:
        """Run an attempt of this generation or of the one before; it may fail after the model call."""
        self.runs += 1
        number = self.runs

        async def script(context: PartContext) -> dict[str, Any]:
            context.add_usage(TokenUsage(input_tokens=1))
            if breaks:
                raise ModelUnavailable("down")
            return {"by": number}

        generation = max(1, self.generation() - behind)
        with self.may_go_wrong():
            self.core.run_part(ScriptedPart(**{key: [script]}), self.job, key, retry=retry, generation=generation)
            assert key in self.items(), "a part returned without its result in the log"

    def run_missing(self, *, retry: int = 0) -> None:
        for key in KEYS:
            if key not in self.items():
                self.run_part(key, retry=retry)

    def bind(self, *, retry: int = 0, breaks: bool = False) -> None:
        """Run the stage after, as the state machine does when every part has its result."""
        if not set(KEYS) <= self.items().keys():
            return
        expected = {key: self.items()[key].data for key in KEYS}

        async def script(context: StageContext) -> dict[str, Any]:
            assert (context.parts, list(context.parts)) == (expected, list(KEYS))
            assert context.output.text == "chosen;"
            context.output.write(" bound")
            if breaks:
                raise ModelUnavailable("down")
            return {"lines": list(context.parts)}

        with self.may_go_wrong():
            self.core.run(ScriptedStage(BINDER, script), self.job, retry=retry, generation=self.generation())

    def end(self, how: str) -> None:
        now = self.now()
        with self.may_go_wrong():
            if how == "cancel":
                self.core.job_cancellation.cancel("ada", self.job.id)
            elif how == "fail":
                self.core.record_failure(self.job, generation=now.generation)
            elif BINDER in now.checkpoints:
                self.core.complete(self.job, generation=now.generation)

    def resume(self) -> None:
        if self.now().status in {JobStatus.FAILED, JobStatus.CANCELLED}:
            self.core.clock.advance(60)  # beyond the limit of creations
            with self.may_go_wrong():
                self.core.job_resumption.resume("ada", self.job.id)
            self.plan()

    def happen(self, happening: str) -> None:
        if happening.startswith("the owner cancels"):
            self.end("cancel")
        if happening.startswith("the owner cancels and resumes"):
            self.resume()
        if happening == "the same part runs":
            self.run_part("a")
        if happening.endswith("all parts run"):
            self.run_missing()
        if happening == "many events are appended and compacted":
            for key in ("b", "c") * 3:
                self.run_part(key, breaks=True)
            compact(self.log, self.job.id, 0, expires_at=EXPIRES_AT)
        if happening == "the next stage runs":
            self.run_missing()
            self.bind()

    @contextlib.contextmanager
    def may_go_wrong(self) -> Iterator[None]:
        """Let the attempt end with a fault, or be killed. An InternalFault is a defect, or an assertion in a stage."""
        self.core.clock.advance(0.01)
        try:
            yield
        except InternalFault:
            raise
        except (MillraceError, Killed):
            return

    # ---- what always holds -----------------------------------------------------------------------------------------

    def check(self) -> None:
        self.check_results()
        self.check_the_transcript()
        self.check_stage_events()
        self.check_progress()
        assert self.now().usage.input_tokens == self.jobs.paid

    def check_results(self) -> None:
        """Every part has at most one result, and keeps it."""
        items = [event for event in self.log.history if isinstance(event, Item)]
        assert len({item.key for item in items}) == len(items)
        for item in items:
            assert self.first_results.setdefault(item.key, item.data) == item.data
        subtasks = [event for event in self.log.history if isinstance(event, Subtask)]
        assert sorted(each.key for each in subtasks if each.status == "finished") == sorted(item.key for item in items)

    def check_the_transcript(self) -> None:
        """What a reader finds is the fold of all events, also of those that were compacted."""
        expected, found = Transcript(), read_transcript(self.log, self.job.id, consistent=True)
        for seq, event in enumerate(self.log.history, 1):
            expected.apply(seq, event)
        assert self.shown(found) == self.shown(expected)

    @staticmethod
    def shown(transcript: Transcript) -> tuple[Any, ...]:
        items, subtasks = dict(transcript.items), dict(transcript.subtasks)
        return transcript.seq, transcript.text, transcript.stage, transcript.progress, items, subtasks

    def check_stage_events(self) -> None:
        """Each generation in which a part has started has one stage event of the fan-out, before all others."""
        shared = [
            (fence.generation, event.type)
            for event, fence in zip(self.log.history, self.log.fences, strict=True)
            if fence.nonce == PARTS
        ]
        generations = sorted({generation for generation, _ in shared})
        assert [generation for generation, kind in shared if kind == "stage"] == generations
        assert [next(kind for each, kind in shared if each == generation) for generation in generations] == [
            "stage" for _ in generations
        ]

    def check_progress(self) -> None:
        """Progress falls with a reset only."""
        progress = 0.0
        for event in self.log.history:
            if isinstance(event, StoredReset):
                progress = event.progress
            elif isinstance(event, Progress):
                assert event.progress >= progress
                progress = event.progress

    # ---- without disturbing ----------------------------------------------------------------------------------------

    def now(self) -> Job:
        job = FakeJobStore.get(self.jobs, self.job.id)
        assert job is not None
        return job

    def generation(self) -> int:
        return self.now().generation

    def items(self) -> dict[str, Item]:
        return {event.key: event for event in self.log.history if isinstance(event, Item)}


async def at_once(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Replaces asyncio.to_thread: on a busy machine, a change of threads takes longer than all the rest."""
    return function(*args, **kwargs)


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Let hypothesis seed every random number, let no attempt wait for another, and write no metrics and log lines."""
    with contextlib.ExitStack() as patches:
        patches.enter_context(patch("asyncio.to_thread", at_once))
        patches.enter_context(patch("shared.observability.metrics.Metrics._put"))
        patches.enter_context(patch("shared.observability.log._logger"))
        for module in ("log.fence", "log.shared_writer", "ulid"):
            patches.enter_context(patch(f"shared.{module}.secrets", SeededSecrets))
        for name in ("BACK_OFF_SECONDS", "MAX_BACK_OFF_SECONDS"):
            patches.enter_context(patch(f"shared.log.shared_writer.{name}", 0))
        yield


@pytest.mark.parametrize("is_first", [True, False], ids=["first part", "later part"])
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_the_job_completes_whatever_happens_at_any_call_of_a_part(happening: str, is_first: bool) -> None:
    disturbed = 0
    for at in range(1, CALLS_OF_AN_ATTEMPT):
        with repeatable():
            story = Story(max_events=4 if at % 2 else 1000)
            if not is_first:
                story.run_part("b")
            disturbed += story.disturbed(at, happening, lambda: story.run_part("a"))  # noqa: B023 - called at once
            story.check()
            for retry in (1, 2):
                story.resume()
                story.run_missing(retry=retry)
            story.check()
            story.bind()
            story.bind(retry=1)
            story.end("complete")
            story.check()
            assert (story.now().status, sorted(story.items())) == (JobStatus.COMPLETED, sorted(KEYS))
            assert read_transcript(story.log, story.job.id).text == "chosen; bound"
            assert all(each.status == "finished" for each in read_transcript(story.log, story.job.id).subtasks.values())
    assert 6 <= disturbed < CALLS_OF_AN_ATTEMPT - 1


class PartsMachine(RuleBasedStateMachine):
    """Random sequences of attempts, also late ones, with disturbances, ends and resumptions."""

    @initialize(
        parts=st.sampled_from([KEYS, {key: key.upper() for key in KEYS}]), max_events=st.sampled_from([4, 1000])
    )
    def begin(self, parts: Any, max_events: int) -> None:
        self.patches = contextlib.ExitStack()
        self.patches.enter_context(repeatable())
        self.story = Story(parts, max_events)

    def teardown(self) -> None:
        if hasattr(self, "patches"):
            self.patches.close()

    @rule(
        key=st.sampled_from(KEYS),
        retry=st.integers(0, 1),
        behind=st.sampled_from([0, 0, 0, 1]),
        breaks=st.sampled_from([False, False, True]),
        at=CALLS,
        happening=st.sampled_from(HAPPENINGS),
    )
    def attempt(self, key: str, retry: int, behind: int, breaks: bool, at: int | None, happening: str) -> None:
        self.story.disturbed(at, happening, lambda: self.story.run_part(key, retry=retry, behind=behind, breaks=breaks))

    @rule(retry=st.integers(0, 1), breaks=st.booleans(), at=CALLS, happening=st.sampled_from(HAPPENINGS))
    def bind(self, retry: int, breaks: bool, at: int | None, happening: str) -> None:
        self.story.disturbed(at, happening, lambda: self.story.bind(retry=retry, breaks=breaks))

    @rule(how=st.sampled_from(["cancel", "fail", "complete"]))
    def end(self, how: str) -> None:
        self.story.end(how)

    @rule()
    def resume(self) -> None:
        self.story.resume()

    @invariant()
    def check(self) -> None:
        if hasattr(self, "story"):
            self.story.check()


TestParts = PartsMachine.TestCase
TestParts.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
