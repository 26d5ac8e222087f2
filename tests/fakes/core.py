"""The core on fakes, with pipelines for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal
from unittest.mock import patch

from shared.archive.retention import ArchiveDays
from shared.assembly import Core
from shared.channel.connections import ChannelLimits
from shared.channel.topics import TopicSource
from shared.erasure.owner_data import OwnerData
from shared.errors import StageUnfinished
from shared.jobs.checkpoints import StageOutput
from shared.jobs.creation import NewJob
from shared.jobs.ending import Retention
from shared.jobs.ids import DEFAULT_CELL, new_job_id
from shared.jobs.invocation import (
    CaughtError,
    FailureInvocation,
    PartDone,
    PartInvocation,
    StageDone,
    StageInvocation,
)
from shared.jobs.job import Job, JobLinks, LinkKind
from shared.jobs.links import LinkedEntities
from shared.jobs.pipeline import JobInput, Pipeline, Pipelines, RunRecording
from shared.jobs.side_writes import SideWrites
from shared.log.event_log import LogBounds
from shared.log.events import ApplicationEvent, Item, StreamEvent
from shared.log.polls import ThreadPolls
from shared.log.transcript import Transcript
from shared.schema import Schema
from shared.stages.part import Part, PartContext
from shared.stages.part_runner import PartRunner
from shared.stages.runner import StageRunner
from shared.stages.stage import Stage, StageContext
from shared.webhooks.schedule import STANDARD
from shared.webhooks.url import UrlRule
from tests.fakes.agents import FakeAgentStore
from tests.fakes.archive import FakeArchiveStore, FakeOwnerKeys, FakeUsageLedger
from tests.fakes.channel import FakeConnectionStore, FakePosts, FakeSubscriptionStore
from tests.fakes.checkpoints import FakeCheckpointStore
from tests.fakes.clock import EXPIRES_AT, NOON, SettableClock
from tests.fakes.deliveries import FakeDeliveryQueue, FakeDeliveryStore, FakeSender
from tests.fakes.erasures import FakeErasureExecutions, FakeErasureStore, FakeOwnerItems
from tests.fakes.event_log import FakeEventLog
from tests.fakes.executions import FakeExecutions
from tests.fakes.jobs import FakeJobStore
from tests.fakes.records import FakeIdempotencyKeys, FakeRecordStore
from tests.fakes.runs import FakeRunStore
from tests.fakes.webhooks import FakeWebhookStore, fake_webhook_secrets
from tests.patience import PATIENCE


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
    """Return the song's lines so far; nothing if there are none."""
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


class Verse(ApplicationEvent):
    type: Literal["verse"] = "verse"
    line: str


ANTHOLOGY = Pipeline(
    name="anthology",
    input_model=PoemInput,
    result_model=Poem,
    stages=("choose_poems", "read_poem", "bind_poems"),
    stage_seconds=dict.fromkeys(("choose_poems", "read_poem", "bind_poems"), 40),
    parts=frozenset({"read_poem"}),
    events=(Verse,),
)
"""A pipeline with a fan-out: `choose_poems` names the parts, each is read, and `bind_poems` gets the results."""
PIPELINES = Pipelines(POEM, BRIEF, SONG, ANTHOLOGY)
MODELS = ("scripted-1", "scripted-2")
RETENTION = Retention(completed=600, failed=3600)


def a_job(job_id: str | None = None, **fields: Any) -> Job:
    """Return a pending job of the poem pipeline, which ada created at noon."""
    values: dict[str, Any] = {
        "id": job_id or new_job_id(int(NOON.timestamp() * 1000)),
        "owner": "ada",
        "pipeline": "poem",
        "input": {"topic": "rivers"},
        "model": "scripted-1",
        "created_at": NOON,
        "updated_at": NOON,
        "expires_at": EXPIRES_AT,
    }
    return Job(**{**values, **fields})


def a_request(topic: str = "rivers", **fields: Any) -> NewJob:
    return NewJob(**{"pipeline": "poem", "input": PoemInput(topic=topic), "links": JobLinks(), **fields})


class ScriptedStage:
    """A stage that runs the next of its scripts each time, and counts its runs."""

    def __init__(self, name: str, *scripts: Callable[[StageContext], Awaitable[dict[str, Any]]]) -> None:
        self.name = name
        self._scripts = list(scripts)
        self.runs = 0

    async def run(self, context: StageContext) -> dict[str, Any]:
        self.runs += 1
        return await self._scripts.pop(0)(context)


def says(text: str, /, **output: Any) -> Callable[[StageContext], Awaitable[dict[str, Any]]]:
    async def script(context: StageContext) -> dict[str, Any]:
        context.output.write(text)
        return output

    return script


def fails(error: BaseException, *, after: str = "") -> Callable[[StageContext], Awaitable[dict[str, Any]]]:
    async def script(context: StageContext) -> dict[str, Any]:
        context.output.write(after)
        raise error

    return script


class ScriptedPart:
    """A part that runs the next script of its key each time; without one it returns its key. `runs` are the keys."""

    name = "read_poem"

    def __init__(self, **scripts: Sequence[Callable[[PartContext], Awaitable[dict[str, Any]]]]) -> None:
        self._scripts = {key: list(each) for key, each in scripts.items()}
        self.runs: list[str] = []

    async def run(self, context: PartContext) -> dict[str, Any]:
        self.runs.append(context.part)
        scripts = self._scripts.get(context.part)
        return await scripts.pop(0)(context) if scripts else {"read": context.part}


class FakePorts:
    """The core's ports as fakes, with one settable clock."""

    retention = RETENTION
    cell = DEFAULT_CELL
    default_model = MODELS[0]
    allowed_models = MODELS
    job_creations_per_minute = 10
    writes_per_minute = 30
    streams_per_user = 5
    stream_lease_seconds = 30.0
    channel_limits = ChannelLimits()
    erasure_settle_seconds = 3600.0
    application_topics = ()
    webhook_urls = UrlRule()
    webhook_schedule = STANDARD
    api_url = "https://api.example"

    def __init__(
        self,
        *,
        event_log: FakeEventLog | None = None,
        jobs: FakeJobStore | None = None,
        bounds: LogBounds | None = None,
        clock: SettableClock | None = None,
        runs: FakeRunStore | None = None,
        checkpoints: FakeCheckpointStore | None = None,
        pipelines: Pipelines = PIPELINES,
        side_writes: Mapping[str, Sequence[SideWrites]] | None = None,
        linked_entities: Mapping[LinkKind, Sequence[LinkedEntities]] | None = None,
        application_data: Sequence[OwnerData] = (),
        has_channel: bool = False,
        archive_days: ArchiveDays | None = None,
    ) -> None:
        self.has_channel = has_channel
        self._application_data = application_data
        self._side_writes = side_writes or {}
        self._linked_entities = linked_entities or {}
        self.pipelines = pipelines
        self.log_bounds = bounds or LogBounds()
        self.clock = clock or SettableClock()
        self.jobs = jobs or FakeJobStore(clock=self.clock)
        self.event_log = event_log or FakeEventLog()
        self.log_polls = ThreadPolls(self.event_log)
        self.checkpoints = checkpoints or FakeCheckpointStore()
        self.archive_days = archive_days or ArchiveDays()
        self.archive = FakeArchiveStore(days=self.archive_days, clock=self.clock)
        self.owner_keys = FakeOwnerKeys()
        self.usage_ledger = FakeUsageLedger()
        self.records = FakeRecordStore()
        self.idempotency_keys = FakeIdempotencyKeys(clock=self.clock)
        self.owner_items = (FakeOwnerItems(self.records, self.idempotency_keys),)
        self.erasures = FakeErasureStore(clock=self.clock)
        self.erasure_executions = FakeErasureExecutions()
        self.executions = FakeExecutions()
        self.agents = FakeAgentStore(clock=self.clock)
        self.webhooks = FakeWebhookStore()
        self.webhook_secrets = fake_webhook_secrets(self.clock)
        self.deliveries = FakeDeliveryStore(clock=self.clock)
        self.delivery_queue = FakeDeliveryQueue(clock=self.clock)
        self.webhook_sender = FakeSender()
        self.runs = runs or FakeRunStore()
        self.connections = FakeConnectionStore()
        self.subscriptions = FakeSubscriptionStore()
        self.channel_posts = FakePosts()

    def topic_source(self, kind: str) -> TopicSource:
        raise LookupError(kind)

    def side_writes_of(self, pipeline: str) -> Sequence[SideWrites]:
        return self._side_writes.get(pipeline, ())

    def linked_entities(self, kind: LinkKind, _: str) -> Sequence[LinkedEntities]:
        return self._linked_entities.get(kind, ())

    def application_data(self) -> Sequence[OwnerData]:
        return self._application_data


class FakeCore(Core):
    """The core on fakes, with short ways to create jobs and run their stages."""

    ports: FakePorts

    def __init__(self, **ports: Any) -> None:
        super().__init__(FakePorts(**ports))
        self.pipelines = self.ports.pipelines
        self.bounds = self.ports.log_bounds
        self.clock = self.ports.clock
        self.jobs = self.ports.jobs
        self.log = self.ports.event_log
        self.checkpoints = self.ports.checkpoints
        self.records = self.ports.records
        self.archive = self.ports.archive
        self.keys = self.ports.idempotency_keys
        self.executions = self.ports.executions
        self.agent_store = self.ports.agents
        self.runs = self.ports.runs
        self.songs = self.run_deletion("song")

    def new_song(self, **fields: Any) -> Job:
        return self.job_creation.create("ada", a_request(pipeline="song", **fields))

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
        """A new runner at every access, because each attempt may run in a separate process."""
        return Core(self.ports).stage_runner

    def run(self, stage: Stage, job: Job, *, retry: int = 0, generation: int = 1) -> StageDone:
        """Run one attempt from its start to its end. No other invocation of the attempt runs meanwhile.

        So an attempt that would wait for another invocation waits for none that still runs, and reaches its time limit.
        """
        invocation = StageInvocation(job_id=job.id, generation=generation, retry=retry)
        runner = self.runner
        with patch.object(runner, "_pause", side_effect=StageUnfinished("the time is over")):
            return asyncio.run(runner.run(self.pipelines[job.pipeline], stage, invocation))

    @property
    def part_runner(self) -> PartRunner:
        """A new runner at every access, as `runner`."""
        return Core(self.ports).part_runner

    def run_part(self, part: Part, job: Job, key: str, *, retry: int = 0, generation: int = 1) -> PartDone:
        invocation = PartInvocation(job_id=job.id, generation=generation, retry=retry, part=key)
        return asyncio.run(self.part_runner.run(self.pipelines[job.pipeline], part, invocation))

    def complete(self, job: Job, *, generation: int = 1) -> StageDone:
        return self.job_completion.complete(StageInvocation(job_id=job.id, generation=generation, retry=0))

    def record_failure(self, job: Job, error: str = "ModelUnavailable", *, generation: int = 1) -> StageDone:
        failure = CaughtError.model_validate({"Error": error})
        invocation = FailureInvocation(job_id=job.id, generation=generation, failure=failure)
        return self.job_completion.record_failure(invocation)

    def events(self, job: Job) -> list[StreamEvent]:
        """Return the log's events as the stream sends them."""
        transcript, events = Transcript(), []
        for entry in self.log.read(job.id, after=0):
            events.append(transcript.sent(entry.event))
            transcript.apply(entry.seq, entry.event)
        return events

    def transcript(self, job: Job) -> Transcript:
        """Return what a watcher sees from the beginning of the log."""
        return self.job_queries.view(job.owner, job.id).transcript


async def until(condition: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Return as soon as the condition is true; raise TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - writes of other threads set no asyncio.Event
            await asyncio.sleep(0.001)
