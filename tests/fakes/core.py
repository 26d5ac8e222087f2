"""The core put together over fakes, with a pipeline of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from shared.agents.service import AgentService
from shared.jobs.cancellation import JobCancellation
from shared.jobs.checkpoints import StageOutput
from shared.jobs.completion import JobCompletion
from shared.jobs.creation import JobCreation, NewJob
from shared.jobs.ending import JobEnder, Retention
from shared.jobs.ids import new_job_id
from shared.jobs.invocation import CaughtError, FailureInvocation, StageDone, StageInvocation
from shared.jobs.job import Job, JobLinks
from shared.jobs.pipeline import JobInput, Pipeline, Pipelines, RunRecording
from shared.jobs.queries import JobQueries
from shared.jobs.resumption import JobResumption
from shared.jobs.start import JobStarter
from shared.jobs.sweep import StuckJobSweep
from shared.jobs.watcher import JobWatcher
from shared.limits.creations import CreationLimit
from shared.log.event_log import LogBounds
from shared.log.events import Item, StoredEvent
from shared.log.transcript import Transcript
from shared.runs.deletion import RunDeletion
from shared.runs.recorder import RunRecorder
from shared.schema import Schema
from shared.stages.runner import StageRunner
from shared.stages.stage import Stage, StageContext
from tests.fakes.agents import FakeAgentStore
from tests.fakes.checkpoints import FakeCheckpointStore
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.event_log import FakeEventLog
from tests.fakes.executions import FakeExecutions
from tests.fakes.jobs import FakeJobStore
from tests.fakes.records import FakeIdempotencyKeys, FakeRecordStore
from tests.fakes.runs import FakeRunStore


class PoemInput(JobInput):
    topic: str = "rivers"


class Poem(Schema):
    lines: tuple[str, ...]


def topic_has_moved(job_input: JobInput, outputs: Mapping[str, StageOutput]) -> str | None:
    moved = isinstance(job_input, PoemInput) and job_input.topic == "moved" and "draft" in outputs
    return "the topic has moved" if moved else None


POEM = Pipeline(
    name="poem",
    input_model=PoemInput,
    result_model=Poem,
    stages=("draft", "polish"),
    refuse_resume=topic_has_moved,
)
BRIEF = Pipeline(
    name="brief",
    input_model=PoemInput,
    result_model=Poem,
    stages=("outline",),
    retention_seconds=5,
    failed_retention_seconds=7,
)


def song_of(_: Job, result: Mapping[str, Any] | None, items: Sequence[Item]) -> Mapping[str, Mapping[str, Any]]:
    """The song, as many lines as there are; nothing of one that was never begun."""
    lines = result["lines"] if result is not None else [item.data["line"] for item in items]
    return {"song": {"lines": lines}} if lines else {}


SONG = Pipeline(
    name="song",
    input_model=PoemInput,
    result_model=Poem,
    stages=("compose", "arrange"),
    max_retries=2,
    recording=RunRecording(
        title=lambda job: f"A song of {job.input['topic']}", parameters=lambda job: job.input, outputs=song_of
    ),
)
PIPELINES = Pipelines(POEM, BRIEF, SONG)
MODELS = ("scripted-1", "scripted-2")
RETENTION = Retention(completed=600, failed=3600)


def a_job(job_id: str | None = None, **fields: Any) -> Job:
    """A pending poem of ada's, made at noon."""
    values: dict[str, Any] = {
        "id": job_id or new_job_id(int(NOON.timestamp() * 1000)),
        "owner": "ada",
        "pipeline": "poem",
        "input": {"topic": "rivers"},
        "model": "scripted-1",
        "created_at": NOON,
        "updated_at": NOON,
        "expires_at": int(NOON.timestamp()) + 7200,
    }
    return Job(**{**values, **fields})


def a_request(topic: str = "rivers", **fields: Any) -> NewJob:
    return NewJob(**{"pipeline": "poem", "input": PoemInput(topic=topic), "links": JobLinks(), **fields})


class ScriptedStage:
    """A stage that does what the next of its scripts does, and counts its runs."""

    def __init__(self, name: str, *scripts: Callable[[StageContext], Awaitable[dict[str, Any]]]) -> None:
        self.name = name
        self._scripts = list(scripts)
        self.runs = 0

    async def run(self, context: StageContext) -> dict[str, Any]:
        self.runs += 1
        return await self._scripts.pop(0)(context)


def says(text: str, **output: Any) -> Callable[[StageContext], Awaitable[dict[str, Any]]]:
    async def script(context: StageContext) -> dict[str, Any]:
        context.output.write(text)
        return output

    return script


def fails(error: BaseException, *, after: str = "") -> Callable[[StageContext], Awaitable[dict[str, Any]]]:
    async def script(context: StageContext) -> dict[str, Any]:
        context.output.write(after)
        raise error

    return script


class Core:
    """Every part of the core below HTTP, over one set of fakes and one clock."""

    def __init__(
        self,
        *,
        event_log: FakeEventLog | None = None,
        jobs: FakeJobStore | None = None,
        bounds: LogBounds | None = None,
        clock: SettableClock | None = None,
        runs: FakeRunStore | None = None,
        pipelines: Pipelines = PIPELINES,
    ) -> None:
        self.pipelines = pipelines
        self.bounds = bounds or LogBounds()
        self.clock = clock or SettableClock()
        self.jobs = jobs or FakeJobStore(clock=self.clock)
        self.log = event_log or FakeEventLog()
        self.checkpoints = FakeCheckpointStore()
        self.records = FakeRecordStore()
        self.keys = FakeIdempotencyKeys(clock=self.clock)
        self.executions = FakeExecutions()
        self.agent_store = FakeAgentStore(clock=self.clock)
        self.agents = AgentService(agents=self.agent_store, allowed_models=MODELS, clock=self.clock)
        self.runs = runs or FakeRunStore()
        self.side_writes = RunRecorder(
            runs=self.runs, checkpoints=self.checkpoints, event_log=self.log, pipelines=pipelines
        )
        creations = CreationLimit(self.records, limit=10, clock=self.clock)
        self.ender = JobEnder(
            jobs=self.jobs,
            event_log=self.log,
            pipelines=pipelines,
            retention=RETENTION,
            side_writes=self.side_writes,
            clock=self.clock,
        )
        self.starter = JobStarter(executions=self.executions, ender=self.ender, retention=RETENTION)
        self.resumption = JobResumption(
            jobs=self.jobs,
            event_log=self.log,
            checkpoints=self.checkpoints,
            executions=self.executions,
            starter=self.starter,
            creations=creations,
            side_writes=self.side_writes,
            pipelines=pipelines,
            agents=self.agent_store,
            allowed_models=MODELS,
            clock=self.clock,
        )
        self.creation = JobCreation(
            jobs=self.jobs,
            executions=self.executions,
            starter=self.starter,
            keys=self.keys,
            creations=creations,
            side_writes=self.side_writes,
            pipelines=pipelines,
            agents=self.agents,
            default_model="scripted-1",
            allowed_models=MODELS,
            clock=self.clock,
        )
        self.cancellation = JobCancellation(
            jobs=self.jobs, executions=self.executions, ender=self.ender, clock=self.clock
        )
        self.reading = JobQueries(jobs=self.jobs, event_log=self.log, checkpoints=self.checkpoints)
        self.songs = RunDeletion(kind="song", runs=self.runs, jobs=self.reading, cancellation=self.cancellation)
        self.completion = JobCompletion(jobs=self.jobs, ender=self.ender)
        self.sweep = StuckJobSweep(jobs=self.jobs, executions=self.executions, ender=self.ender, clock=self.clock)
        self.watcher = JobWatcher(jobs=self.jobs, event_log=self.log, result_of=self.reading.result, clock=self.clock)

    def new_song(self, **fields: Any) -> Job:
        return self.creation.create("ada", a_request(pipeline="song", **fields))

    def new_job(self, **fields: Any) -> Job:
        job = a_job(**fields)
        self.jobs.put_new(job)
        return job

    def job(self, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        assert job is not None
        return job

    @property
    def runner(self) -> StageRunner:
        """Another one every time: each attempt at a stage may be made by a process of its own."""
        return StageRunner(
            jobs=self.jobs,
            event_log=self.log,
            checkpoints=self.checkpoints,
            pipelines=self.pipelines,
            agents=self.agent_store,
            clock=self.clock,
            bounds=self.bounds,
        )

    def run(self, stage: Stage, job: Job, *, retry: int = 0, generation: int = 1) -> StageDone:
        invocation = StageInvocation(job_id=job.id, generation=generation, retry=retry)
        return asyncio.run(self.runner.run(stage, invocation))

    def complete(self, job: Job, *, generation: int = 1) -> StageDone:
        return self.completion.complete(StageInvocation(job_id=job.id, generation=generation, retry=0))

    def record_failure(self, job: Job, error: str = "ModelUnavailable", *, generation: int = 1) -> StageDone:
        failure = CaughtError.model_validate({"Error": error})
        return self.completion.record_failure(FailureInvocation(job_id=job.id, generation=generation, failure=failure))

    def events(self, job: Job) -> list[StoredEvent]:
        return [entry.event for entry in self.log.read(job.id, after=0)]

    def transcript(self, job: Job) -> Transcript:
        """What a watcher from the beginning would see."""
        return self.reading.view(job.owner, job.id).transcript


async def until(condition: Callable[[], object], *, within: float = 10.0) -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - what other threads write sets no asyncio.Event
            await asyncio.sleep(0.001)
