"""Jobs and their runs, tested with random sequences of transitions and concurrent writes."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.errors import MillraceError, ModelUnavailable
from shared.jobs.executions import ExecutionState, execution_name
from shared.jobs.job import Job, JobStatus
from shared.jobs.pipeline import STAGE_SECONDS
from shared.jobs.store import JobFilter, JobGuard, SideWriteConflict
from shared.log.event_log import Batch, LogTail
from shared.log.events import Item
from shared.log.fence import Fence
from shared.log.reader import read_transcript
from shared.runs.recorder import STATUS
from shared.runs.run import Lineage, Run
from tests.fakes.core import SONG, FakeCore, ScriptedStage
from tests.fakes.event_log import FakeEventLog
from tests.fakes.runs import FakeRunStore
from tests.fakes.transactions import write_all
from tests.unit.runs.song_pipeline import sings

pytestmark = pytest.mark.no_cover  # as every property test; see tests/conftest.py

WHICH = st.integers(0, 2)
BETWEEN = st.sampled_from(
    [
        None,
        None,
        "another writer changes the run",
        "another writer changes the run",
        "an attempt is retried",
        "the owner cancels",
        "the owner deletes the run",
    ]
)
"""What another writer does right after the next read of a run."""

LATE_LINE = st.sampled_from([False, False, True])
"""Whether an attempt adds one more line right after the next read of the log's tail."""


class InterruptedRuns(FakeRunStore):
    """A run store that calls `meanwhile` right after the next read of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[str], object] = lambda _: None

    def get(self, run_id: str) -> Run | None:
        found = super().get(run_id)
        meanwhile, self.meanwhile = self.meanwhile, lambda _: None
        meanwhile(run_id)
        return found


class LogWithLateLines(FakeEventLog):
    """An event log in which the last attempt adds one more item, if the log has no terminal event yet."""

    def __init__(self) -> None:
        super().__init__()
        self.late = False

    def tail(self, job_id: str) -> LogTail:
        end = super().tail(job_id)
        late, self.late = self.late, False
        if not late or end.fence is None or end.terminal or end.fence.stage >= len(SONG.stages):
            return end
        key = f"line-{len(read_transcript(self, job_id).items) + 1}"
        item = Item(stage=SONG.stages[end.fence.stage], key=key, data={"line": "late"}, text_length=0)
        last = self.appends[-1]
        super().append(job_id, Batch(end.seq + 1, (item,), end.fence, last.at, expires_at=last.expires_at))
        return super().tail(job_id)


class SeededSecrets:
    """Replaces the module `secrets`: hypothesis seeds `random`, so that it can repeat an example."""

    randbits = staticmethod(random.getrandbits)

    @staticmethod
    def token_hex(size: int) -> str:
        return random.randbytes(size).hex()


class RunMachine(RuleBasedStateMachine):
    """A few songs at a time, with their owners, attempts, sweeps and deletions."""

    @initialize()
    def begin(self) -> None:
        self.patches = [patch("shared.log.fence.secrets", SeededSecrets), patch("shared.ulid.secrets", SeededSecrets)]
        for each in self.patches:
            each.start()
        self.runs, self.log = InterruptedRuns(), LogWithLateLines()
        self.core = FakeCore(runs=self.runs, event_log=self.log)
        self.jobs: list[Job] = []
        self.deleted: set[str] = set()
        self.contents: dict[tuple[str, str], dict[str, Any]] = {}
        self.revisions: dict[tuple[str, int], Run] = {}

    def teardown(self) -> None:
        for each in self.patches:
            each.stop()

    # ---- transitions -------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.jobs) < 3)
    @rule(starts=st.sampled_from([True, True, False]))
    def create(self, starts: bool) -> None:
        self.core.clock.advance(0.01)  # ids sort by time
        self.core.executions.refusal = None if starts else "no capacity"
        with contextlib.suppress(MillraceError):
            self.core.new_song()
        self.core.executions.refusal = None
        self.jobs = sorted(
            self.core.jobs.list_owned("ada", where=JobFilter(), limit=100, cursor=None).jobs, key=lambda job: job.id
        )

    @precondition(lambda self: self.jobs)
    @rule(
        which=WHICH,
        behind=st.sampled_from([0, 0, 0, 1]),
        step=st.sampled_from([1, 1, 1, 0]),
        lines=st.integers(0, 2),
        breaks=st.booleans(),
    )
    def attempt(self, which: int, behind: int, step: int, lines: int, breaks: bool) -> None:
        """Run the next stage; the attempt may belong to an earlier generation, and may fail after its lines."""
        job = self.now(which)
        if job is None:
            return
        index = min(len(job.checkpoints), 1)
        stage, retry = SONG.stages[index], 0
        held = Fence.parse(job.fence) if job.fence else None
        if held is not None and (held.generation, held.stage) == (job.generation, index):
            retry = held.retry + step
        fault = ModelUnavailable("down") if breaks else None
        script = sings(*(f"{stage} {number}" for number in range(lines)), broken_by=fault)
        generation = max(1, job.generation - behind)
        self.act(lambda: self.core.run(ScriptedStage(stage, script), job, retry=retry, generation=generation))

    @precondition(lambda self: self.jobs)
    @rule(which=WHICH, behind=st.sampled_from([0, 0, 1]), between=BETWEEN, late=LATE_LINE)
    def complete(self, which: int, behind: int, between: str | None, late: bool) -> None:
        job = self.now(which)
        unfinished = job is not None and len(job.checkpoints) < len(SONG.stages)
        if job is None or (job.status is JobStatus.IN_PROGRESS and unfinished):
            return  # a state machine completes a job after its last stage only
        generation = max(1, job.generation - behind)
        self.act(lambda: self.core.complete(job, generation=generation), job, between, late)

    @precondition(lambda self: self.jobs)
    @rule(which=WHICH, behind=st.sampled_from([0, 0, 1]), between=BETWEEN, late=LATE_LINE)
    def fail(self, which: int, behind: int, between: str | None, late: bool) -> None:
        job = self.now(which)
        if job is not None:
            generation = max(1, job.generation - behind)
            self.act(lambda: self.core.record_failure(job, generation=generation), job, between, late)

    @precondition(lambda self: self.jobs)
    @rule(which=WHICH, between=BETWEEN, late=LATE_LINE)
    def cancel(self, which: int, between: str | None, late: bool) -> None:
        job = self.jobs[which % len(self.jobs)]
        self.act(lambda: self.core.job_cancellation.cancel("ada", job.id), job, between, late)

    @precondition(lambda self: self.jobs)
    @rule(which=WHICH, between=BETWEEN, starts=st.sampled_from([True, True, False]))
    def resume(self, which: int, between: str | None, starts: bool) -> None:
        job = self.jobs[which % len(self.jobs)]
        self.core.clock.advance(60)  # beyond the limit of creations
        self.core.executions.refusal = None if starts else "no capacity"
        self.act(lambda: self.core.job_resumption.resume("ada", job.id), job, between)
        self.core.executions.refusal = None

    @precondition(lambda self: self.jobs)
    @rule(which=WHICH, between=BETWEEN, late=LATE_LINE)
    def sweep(self, which: int, between: str | None, late: bool) -> None:
        job = self.now(which)
        if job is not None:
            self.core.executions.states[execution_name(job)] = ExecutionState.ENDED
            self.core.clock.advance(STAGE_SECONDS + 1)
            self.act(self.core.job_sweep.run, job, between, late)

    @precondition(lambda self: self.jobs)
    @rule(which=WHICH, seriously=st.integers(0, 5))
    def delete(self, which: int, seriously: int) -> None:
        if seriously == 5:
            job = self.jobs[which % len(self.jobs)]
            self.deleted.add(run_id_of(job))
            self.act(lambda: self.core.songs.delete("ada", run_id_of(job)))

    def act(
        self, what: Callable[[], object], job: Job | None = None, between: str | None = None, late: bool = False
    ) -> None:
        self.core.clock.advance(0.01)
        if job is not None and between is not None:
            self.runs.meanwhile = lambda run_id: self.interrupt(between, run_id, job)
        self.log.late = late
        with contextlib.suppress(MillraceError):
            what()
        self.runs.meanwhile, self.log.late = lambda _: None, False

    def interrupt(self, between: str, run_id: str, job: Job) -> None:
        self.core.clock.advance(0.01)
        match between:
            case "another writer changes the run":
                found = self.runs.lineage(run_id)
                if found is not None:
                    run = found.run.model_copy(update={"revision": found.run.revision + 1, "title": "moved"})
                    with contextlib.suppress(SideWriteConflict):
                        write_all(self.runs.prepare_revision(run, found.transforms[0], ()))
                        self.check_revision(run)
            case "an attempt is retried":
                current = self.core.jobs.get(job.id)
                if current is not None and not current.status.ended:
                    changes = {"retry_count": current.retry_count + 1, "updated_at": self.core.clock()}
                    self.core.jobs.update(job.id, changes, when=JobGuard())
            case "the owner cancels":
                with contextlib.suppress(MillraceError):
                    self.core.job_cancellation.cancel("ada", job.id)
            case "the owner deletes the run":
                self.deleted.add(run_id)
                with contextlib.suppress(MillraceError):
                    self.core.songs.delete("ada", run_id)

    def now(self, which: int) -> Job | None:
        return self.core.jobs.get(self.jobs[which % len(self.jobs)].id)

    # ---- invariants --------------------------------------------------------------------------------------------------

    @invariant()
    def every_run_has_the_status_of_its_job(self) -> None:
        for job, found in self.jobs_with_runs():
            current = self.core.jobs.get(job.id)
            (transform,) = found.transforms
            assert found.run.status is transform.status
            if current is None:
                continue
            assert found.run.status is STATUS[current.status]
            if current.status.ended:
                assert transform.retry_count == current.retry_count
                assert transform.ended_at == current.ended_at
                assert (transform.failure and transform.failure.code) == (current.failure and current.failure.code)
                self.check_artefact_of_result(current, found)

    def check_artefact_of_result(self, job: Job, found: Lineage) -> None:
        result = self.core.job_queries.result(job)
        items = read_transcript(self.log, job.id).items.values()
        lines = [item.data["line"] for item in items] if result is None else result["lines"]
        latest = found.latest("song")
        if lines:
            assert latest is not None
            assert latest.content == {"lines": lines}
            assert found.transforms[0].outputs == {"song": latest.ref}

    @invariant()
    def artefacts_never_change_and_their_versions_have_no_gaps(self) -> None:
        for job, found in self.jobs_with_runs():
            stored = {(run_id_of(job), each.ref): each.content for each in found.artefacts}
            before = {key: content for key, content in self.contents.items() if key[0] == run_id_of(job)}
            assert before.items() <= stored.items()
            self.contents |= stored
            for role, newest in found.run.versions.items():
                versions = [each.version for each in found.artefacts if each.role == role]
                assert versions == list(range(1, newest + 1))
                latest = found.latest(role)
                assert latest is not None
                assert found.run.digests[role] == latest.digest
            assert {each.role for each in found.artefacts} == found.run.versions.keys()
            self.check_revision(found.run)

    def check_revision(self, run: Run) -> None:
        """Check that no two writes make the same revision, and that no revision is lost."""
        assert self.revisions.setdefault((run.id, run.revision), run) == run
        assert run.revision == max(revision for run_id, revision in self.revisions if run_id == run.id)

    @invariant()
    def a_deleted_run_does_not_return(self) -> None:
        for job in getattr(self, "jobs", []):
            if run_id_of(job) in self.deleted:
                found = self.runs.lineage(run_id_of(job))
                assert found is None or found.run.deleting

    def jobs_with_runs(self) -> list[tuple[Job, Lineage]]:
        """Return the jobs whose runs exist and are not being deleted, each with its lineage."""
        found = [(job, self.runs.lineage(run_id_of(job))) for job in getattr(self, "jobs", [])]
        return [(job, lineage) for job, lineage in found if lineage is not None and not lineage.run.deleting]


def run_id_of(job: Job) -> str:
    return str(job.links.run_id)


TestRuns = RunMachine.TestCase
TestRuns.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
