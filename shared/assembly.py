"""Build the services of the core on their ports: written once, for AWS and for the fakes of the tests.

A service is built, and its module imported, when it is first used. So a Lambda function loads only what it uses.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from shared.clock import Clock

if TYPE_CHECKING:
    from shared.agents.service import AgentService
    from shared.agents.store import AgentStore
    from shared.archive.archival import JobArchival
    from shared.archive.ledger import UsageAccounts
    from shared.archive.reading import ArchivedJobs
    from shared.archive.restoration import ArchivedResumption
    from shared.archive.retention import ArchiveDays
    from shared.archive.store import ArchiveStore, OwnerKeys, UsageLedger
    from shared.channel.announcer import Announcements
    from shared.channel.catch_up import CatchUp
    from shared.channel.connections import ChannelLimits, ConnectionRegistry, ConnectionStore
    from shared.channel.pings import Pings
    from shared.channel.posts import ChannelPosts
    from shared.channel.subscriptions import SubscriptionStore
    from shared.channel.topics import TopicSource, TopicSources
    from shared.erasure.eraser import OwnerEraser
    from shared.erasure.gate import ErasureGate
    from shared.erasure.owner_data import OwnerData
    from shared.erasure.service import Erasures
    from shared.erasure.store import ErasureExecutions, ErasureStore
    from shared.jobs.cancellation import JobCancellation
    from shared.jobs.checkpoints import CheckpointStore
    from shared.jobs.completion import JobCompletion
    from shared.jobs.creation import JobCreation
    from shared.jobs.ending import JobEnder, Retention
    from shared.jobs.erasure import JobErasure
    from shared.jobs.executions import Executions
    from shared.jobs.idempotency import IdempotencyKeys
    from shared.jobs.job import LinkKind
    from shared.jobs.links import LinkedEntities
    from shared.jobs.lost_jobs import LostJobs
    from shared.jobs.pipeline import Pipeline
    from shared.jobs.queries import JobQueries
    from shared.jobs.side_writes import SideWrites
    from shared.jobs.start import JobStarter
    from shared.jobs.store import JobStore
    from shared.jobs.sweep import StuckJobSweep
    from shared.jobs.watcher import JobWatcher
    from shared.limits.creations import CreationLimit
    from shared.limits.records import RecordStore
    from shared.limits.stream_slots import StreamSlots
    from shared.log.event_log import EventLog, LogBounds
    from shared.log.polls import LogPolls
    from shared.runs.deletion import RunDeletion
    from shared.runs.queries import RunQueries
    from shared.runs.store import RunStore
    from shared.stages.part_runner import PartRunner
    from shared.stages.runner import StageRunner
    from shared.webhooks.attempts import WebhookAttempts
    from shared.webhooks.delivery_log import DeliveryLog
    from shared.webhooks.delivery_store import DeliveryQueue, DeliveryStore
    from shared.webhooks.dispatch import WebhookDispatch
    from shared.webhooks.due import DeliverySweep
    from shared.webhooks.schedule import Schedule
    from shared.webhooks.secrets import WebhookSecrets
    from shared.webhooks.sender import WebhookSender
    from shared.webhooks.service import WebhookService
    from shared.webhooks.store import WebhookStore
    from shared.webhooks.trial import WebhookTrial
    from shared.webhooks.url import UrlRule

FLUSH_SECONDS = 1.5
"""How long an invocation waits at its end for the posts to connections. Pings send later what was not sent then."""


class Ports(Protocol):
    """The dependencies of the core: stores, executions, clock, pipelines and settings."""

    @property
    def clock(self) -> Clock: ...

    @property
    def pipelines(self) -> Mapping[str, Pipeline]: ...

    @property
    def jobs(self) -> JobStore: ...

    @property
    def event_log(self) -> EventLog: ...

    @property
    def log_polls(self) -> LogPolls: ...

    @property
    def checkpoints(self) -> CheckpointStore: ...

    @property
    def executions(self) -> Executions: ...

    @property
    def idempotency_keys(self) -> IdempotencyKeys: ...

    @property
    def records(self) -> RecordStore: ...

    @property
    def agents(self) -> AgentStore: ...

    @property
    def webhooks(self) -> WebhookStore: ...

    @property
    def webhook_secrets(self) -> WebhookSecrets: ...

    @property
    def webhook_urls(self) -> UrlRule: ...

    @property
    def deliveries(self) -> DeliveryStore: ...

    @property
    def delivery_queue(self) -> DeliveryQueue: ...

    @property
    def webhook_sender(self) -> WebhookSender: ...

    @property
    def webhook_schedule(self) -> Schedule: ...

    @property
    def api_url(self) -> str: ...

    @property
    def runs(self) -> RunStore: ...

    @property
    def retention(self) -> Retention: ...

    @property
    def archive(self) -> ArchiveStore: ...

    @property
    def archive_days(self) -> ArchiveDays: ...

    @property
    def owner_keys(self) -> OwnerKeys: ...

    @property
    def usage_ledger(self) -> UsageLedger | None:
        """Return the usage ledger; None if this deployment keeps none."""

    @property
    def log_bounds(self) -> LogBounds: ...

    @property
    def cell(self) -> str: ...

    @property
    def default_model(self) -> str: ...

    @property
    def allowed_models(self) -> Sequence[str]: ...

    @property
    def job_creations_per_minute(self) -> int: ...

    @property
    def writes_per_minute(self) -> int: ...

    @property
    def streams_per_user(self) -> int: ...

    @property
    def stream_lease_seconds(self) -> float: ...

    @property
    def has_channel(self) -> bool:
        """Return whether this function may tell the channel's connections what it appends."""

    @property
    def connections(self) -> ConnectionStore: ...

    @property
    def subscriptions(self) -> SubscriptionStore: ...

    @property
    def channel_posts(self) -> ChannelPosts: ...

    @property
    def channel_limits(self) -> ChannelLimits: ...

    @property
    def application_topics(self) -> Sequence[str]:
        """Return the kinds of topics that the applications have."""

    def topic_source(self, kind: str) -> TopicSource:
        """Return the source of an application's topics of this kind."""

    def side_writes_of(self, pipeline: str) -> Sequence[SideWrites]:
        """Return what the pipeline's application contributes to the transactions of its jobs."""

    def linked_entities(self, kind: LinkKind, pipeline: str) -> Iterable[LinkedEntities]:
        """Return the entities of this kind of each application that has some, the pipeline's own application first."""

    def application_data(self) -> Sequence[OwnerData]:
        """Return what the applications store of owners."""

    @property
    def owner_items(self) -> Sequence[OwnerData]:
        """Return the small items of the core in owners' own partitions: limits and idempotency keys."""

    @property
    def erasures(self) -> ErasureStore: ...

    @property
    def erasure_executions(self) -> ErasureExecutions: ...

    @property
    def erasure_settle_seconds(self) -> float: ...


class Core:
    """The services of the core. Each is built once."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    # ---- the event log and the channel -------------------------------------------------------------------------------

    @cached_property
    def event_log(self) -> EventLog:
        """The event log of all jobs. Every append to it is announced to the channel, if there is one."""
        if not self.ports.has_channel:
            return self.ports.event_log
        from shared.channel.announcing_log import AnnouncingEventLog

        return AnnouncingEventLog(self.ports.event_log, self.announcer)

    @cached_property
    def announcer(self) -> Announcements:
        """What tells the subscribed connections of appended events. An application announces its own topics here."""
        from shared.channel.announcer import Announcer, NoAnnouncements

        if not self.ports.has_channel:
            return NoAnnouncements()
        return Announcer(
            sources=self.topic_sources,
            subscriptions=self.ports.subscriptions,
            posts=self.ports.channel_posts,
            remove=self._remove_connection,
        )

    def _remove_connection(self, connection_id: str, topic: str) -> None:
        self.connection_registry.remove(connection_id, topic)  # it is built when the first connection has ended

    def flush_announcements(self) -> None:
        """Wait a little until everything that this process has announced was sent."""
        announcer: Announcements | None = vars(self).get("announcer")  # one that was never used is not built
        if announcer is not None:
            announcer.flush(FLUSH_SECONDS)

    @cached_property
    def topic_sources(self) -> TopicSources:
        from shared.channel.topics import TopicSources

        return TopicSources(("job", *self.ports.application_topics), self._topic_source)

    def _topic_source(self, kind: str) -> TopicSource:
        from shared.channel.job_topics import JobTopics

        if kind == JobTopics.kind:
            return JobTopics(queries=self.job_queries, watcher=self.job_watcher, event_log=self.event_log)
        return self.ports.topic_source(kind)

    @cached_property
    def connection_registry(self) -> ConnectionRegistry:
        from shared.channel.connections import ConnectionRegistry

        return ConnectionRegistry(
            connections=self.ports.connections,
            subscriptions=self.ports.subscriptions,
            records=self.ports.records,
            limits=self.ports.channel_limits,
            clock=self.ports.clock,
            gate=self.check_open,
        )

    @cached_property
    def catch_up(self) -> CatchUp:
        from shared.channel.catch_up import CatchUp

        return CatchUp(
            sources=self.topic_sources,
            registry=self.connection_registry,
            subscriptions=self.ports.subscriptions,
            posts=self.ports.channel_posts,
        )

    @cached_property
    def pings(self) -> Pings:
        from shared.channel.pings import Pings

        return Pings(sources=self.topic_sources, subscriptions=self.ports.subscriptions, posts=self.ports.channel_posts)

    # ---- jobs --------------------------------------------------------------------------------------------------------

    @cached_property
    def job_creation(self) -> JobCreation:
        from shared.jobs.creation import JobCreation

        return JobCreation(
            jobs=self.ports.jobs,
            executions=self.ports.executions,
            starter=self.job_starter,
            keys=self.ports.idempotency_keys,
            creations=self.creation_limit,
            side_writes=self.side_writes,
            pipelines=self.ports.pipelines,
            agents=self.agent_service,
            cell=self.ports.cell,
            default_model=self.ports.default_model,
            allowed_models=self.ports.allowed_models,
            clock=self.ports.clock,
        )

    @cached_property
    def job_starter(self) -> JobStarter:
        from shared.jobs.start import JobStarter

        return JobStarter(executions=self.ports.executions, ender=self.job_ender, retention=self.ports.retention)

    @cached_property
    def job_queries(self) -> JobQueries:
        from shared.jobs.queries import JobQueries

        return JobQueries(
            jobs=self.ports.jobs,
            event_log=self.event_log,
            checkpoints=self.ports.checkpoints,
            archive=self.archived_jobs,
        )

    @cached_property
    def _stored_job_queries(self) -> JobQueries:
        """The queries over the jobs that have not expired: the jobs that runs are in progress with."""
        from shared.jobs.queries import JobQueries, NoArchive

        return JobQueries(
            jobs=self.ports.jobs,
            event_log=self.event_log,
            checkpoints=self.ports.checkpoints,
            archive=NoArchive(),
        )

    @cached_property
    def job_watcher(self) -> JobWatcher:
        from shared.jobs.watcher import JobWatcher

        return JobWatcher(
            jobs=self.ports.jobs,
            event_log=self.event_log,
            polls=self.ports.log_polls,
            result_of=self.job_queries.result,
            clock=self.ports.clock,
        )

    @cached_property
    def job_cancellation(self) -> JobCancellation:
        from shared.jobs.cancellation import JobCancellation

        return JobCancellation(
            jobs=self.ports.jobs, executions=self.ports.executions, ender=self.job_ender, clock=self.ports.clock
        )

    @cached_property
    def job_erasure(self) -> JobErasure:
        from shared.jobs.erasure import JobErasure

        return JobErasure(
            jobs=self.ports.jobs,
            event_log=self.event_log,
            checkpoints=self.ports.checkpoints,
            cancellation=self.job_cancellation,
            archive=self.ports.archive,
            clock=self.ports.clock,
        )

    @cached_property
    def job_resumption(self) -> ArchivedResumption:
        from shared.archive.restoration import ArchivedResumption
        from shared.jobs.resumption import JobResumption

        resumption = JobResumption(
            jobs=self.ports.jobs,
            event_log=self.event_log,
            checkpoints=self.ports.checkpoints,
            executions=self.ports.executions,
            starter=self.job_starter,
            creations=self.creation_limit,
            side_writes=self.side_writes,
            pipelines=self.ports.pipelines,
            agents=self.ports.agents,
            allowed_models=self.ports.allowed_models,
            clock=self.ports.clock,
        )
        return ArchivedResumption(
            resumption=resumption,
            jobs=self.ports.jobs,
            event_log=self.event_log,
            checkpoints=self.ports.checkpoints,
            archive=self.ports.archive,
            clock=self.ports.clock,
        )

    @cached_property
    def job_completion(self) -> JobCompletion:
        from shared.jobs.completion import JobCompletion

        return JobCompletion(jobs=self.ports.jobs, ender=self.job_ender)

    @cached_property
    def job_ender(self) -> JobEnder:
        from shared.jobs.ending import JobEnder

        return JobEnder(
            jobs=self.ports.jobs,
            event_log=self.event_log,
            pipelines=self.ports.pipelines,
            retention=self.ports.retention,
            side_writes=self.side_writes,
            clock=self.ports.clock,
        )

    @cached_property
    def lost_jobs(self) -> LostJobs:
        from shared.jobs.lost_jobs import LostJobs

        return LostJobs(jobs=self.ports.jobs, ender=self.job_ender)

    @cached_property
    def job_sweep(self) -> StuckJobSweep:
        from shared.jobs.sweep import StuckJobSweep

        return StuckJobSweep(
            jobs=self.ports.jobs,
            executions=self.ports.executions,
            event_log=self.event_log,
            lost_jobs=self.lost_jobs,
            records=self.ports.records,
            pipelines=self.ports.pipelines,
            clock=self.ports.clock,
        )

    @cached_property
    def stage_runner(self) -> StageRunner:
        from shared.stages.runner import StageRunner

        return StageRunner(
            jobs=self.ports.jobs,
            event_log=self.event_log,
            checkpoints=self.ports.checkpoints,
            agents=self.ports.agents,
            clock=self.ports.clock,
            bounds=self.ports.log_bounds,
        )

    @cached_property
    def part_runner(self) -> PartRunner:
        from shared.stages.part_runner import PartRunner

        return PartRunner(
            jobs=self.ports.jobs,
            event_log=self.event_log,
            checkpoints=self.ports.checkpoints,
            agents=self.ports.agents,
            clock=self.ports.clock,
            bounds=self.ports.log_bounds,
        )

    # ---- the archive -------------------------------------------------------------------------------------------------

    @cached_property
    def archived_jobs(self) -> ArchivedJobs:
        from shared.archive.reading import ArchivedJobs

        return ArchivedJobs(archive=self.ports.archive, days=self.ports.archive_days)

    @cached_property
    def job_archival(self) -> JobArchival:
        from shared.archive.archival import JobArchival

        return JobArchival(
            jobs=self.ports.jobs,
            event_log=self.event_log,
            checkpoints=self.ports.checkpoints,
            archive=self.ports.archive,
            days=self.ports.archive_days,
            entities_of=self._linked_entities,
            clock=self.ports.clock,
        )

    @cached_property
    def usage_accounts(self) -> UsageAccounts:
        from shared.archive.ledger import UsageAccounts

        return UsageAccounts(self.ports.usage_ledger, self.ports.owner_keys)

    # ---- runs --------------------------------------------------------------------------------------------------------

    @cached_property
    def side_writes(self) -> SideWrites:
        """The side writes of every job: its links' conditions, and the writes of its run and its application."""
        from shared.jobs.links import LinkChecks
        from shared.jobs.side_writes import CombinedSideWrites
        from shared.runs.recorder import RunRecorder

        recorder = RunRecorder(
            runs=self.ports.runs,
            checkpoints=self.ports.checkpoints,
            event_log=self.event_log,
            pipelines=self.ports.pipelines,
        )
        links = LinkChecks(pipelines=self.ports.pipelines, entities_of=self._linked_entities)
        return CombinedSideWrites(links, recorder, of_pipeline=self.ports.side_writes_of)

    def _linked_entities(self, kind: LinkKind, pipeline: str) -> Iterable[LinkedEntities]:
        from shared.jobs.job import LinkKind
        from shared.runs.links import LinkedRuns

        return (LinkedRuns(self.ports.runs),) if kind is LinkKind.RUN else self.ports.linked_entities(kind, pipeline)

    def run_queries(self, kind: str) -> RunQueries:
        """Return the queries over runs of one kind, which is the name of their pipeline."""
        from shared.runs.queries import RunQueries

        return RunQueries(kind=kind, runs=self.ports.runs, jobs=self._stored_job_queries)

    def run_deletion(self, kind: str) -> RunDeletion:
        """Return the deletion of runs of one kind, which is the name of their pipeline."""
        from shared.runs.deletion import RunDeletion

        return RunDeletion(kind=kind, runs=self.ports.runs, jobs=self._stored_job_queries, erasure=self.job_erasure)

    # ---- erasure -----------------------------------------------------------------------------------------------------

    @cached_property
    def owner_data(self) -> Sequence[OwnerData]:
        """All that is stored of owners, in the order in which it is erased: first what names other things.

        A package of the core that stores something of owners adds it here, and imports it here.
        """
        from shared.agents.owner_agents import OwnerAgents
        from shared.archive.owner_archive import OwnerArchive, OwnerLedgerKey
        from shared.channel.owner_connections import OwnerConnections
        from shared.jobs.owner_jobs import OwnerJobs
        from shared.runs.owner_runs import OwnerRuns
        from shared.webhooks.owner_webhooks import OwnerDeliveries, OwnerWebhooks

        ports = self.ports
        return (
            *ports.application_data(),
            OwnerRuns(ports.runs, self._delete_run, clock=ports.clock),
            OwnerWebhooks(ports.webhooks, clock=ports.clock),
            OwnerJobs(ports.jobs, self.job_erasure, clock=ports.clock),
            OwnerArchive(ports.archive, self.job_erasure, clock=ports.clock),
            OwnerLedgerKey(ports.owner_keys),
            OwnerAgents(ports.agents, clock=ports.clock),
            OwnerDeliveries(ports.deliveries, clock=ports.clock),
            OwnerConnections(self.connection_registry, ports.channel_posts, clock=ports.clock),
            *ports.owner_items,
        )

    def _delete_run(self, owner: str, run_id: str) -> None:
        run = self.ports.runs.get(run_id)
        if run is not None:
            self.run_deletion(run.kind).delete(owner, run_id)

    @cached_property
    def erasure_service(self) -> Erasures:
        from shared.erasure.service import Erasures

        return Erasures(
            store=self.ports.erasures,
            executions=self.ports.erasure_executions,
            settle_seconds=self.ports.erasure_settle_seconds,
            clock=self.ports.clock,
        )

    @cached_property
    def owner_eraser(self) -> OwnerEraser:
        from shared.erasure.eraser import OwnerEraser

        return OwnerEraser(store=self.ports.erasures, data=lambda: self.owner_data, clock=self.ports.clock)

    @cached_property
    def erasure_gate(self) -> ErasureGate:
        from shared.erasure.gate import ErasureGate

        return ErasureGate(self.ports.erasures, clock=self.ports.clock)

    def check_open(self, owner: str) -> None:
        """Raise DataBeingErased if the owner's data are being erased."""
        self.erasure_gate.check(owner)

    # ---- agents, webhooks and limits ---------------------------------------------------------------------------------

    @cached_property
    def agent_service(self) -> AgentService:
        from shared.agents.service import AgentService

        return AgentService(agents=self.ports.agents, allowed_models=self.ports.allowed_models, clock=self.ports.clock)

    @cached_property
    def webhook_dispatch(self) -> WebhookDispatch:
        from shared.webhooks.dispatch import WebhookDispatch

        return WebhookDispatch(
            endpoints=self.ports.webhooks,
            deliveries=self.ports.deliveries,
            queue=self.ports.delivery_queue,
            result_of=self.job_queries.result,
            api_url=self.ports.api_url,
        )

    @cached_property
    def webhook_trial(self) -> WebhookTrial:
        from shared.webhooks.trial import WebhookTrial

        return WebhookTrial(
            endpoint_of=self.webhook_service.get, dispatch=self.webhook_dispatch, clock=self.ports.clock
        )

    @cached_property
    def webhook_attempts(self) -> WebhookAttempts:
        from shared.webhooks.attempts import WebhookAttempts

        return WebhookAttempts(
            endpoints=self.ports.webhooks,
            deliveries=self.ports.deliveries,
            queue=self.ports.delivery_queue,
            sender=self.ports.webhook_sender,
            secrets=self.ports.webhook_secrets,
            schedule=self.ports.webhook_schedule,
            clock=self.ports.clock,
        )

    @cached_property
    def delivery_sweep(self) -> DeliverySweep:
        from shared.webhooks.due import DeliverySweep

        return DeliverySweep(deliveries=self.ports.deliveries, queue=self.ports.delivery_queue, clock=self.ports.clock)

    @cached_property
    def delivery_log(self) -> DeliveryLog:
        from shared.webhooks.delivery_log import DeliveryLog

        return DeliveryLog(
            endpoints=self.ports.webhooks,
            deliveries=self.ports.deliveries,
            queue=self.ports.delivery_queue,
            clock=self.ports.clock,
        )

    @cached_property
    def webhook_service(self) -> WebhookService:
        from shared.webhooks.service import WebhookService

        return WebhookService(
            endpoints=self.ports.webhooks,
            secrets=self.ports.webhook_secrets,
            urls=self.ports.webhook_urls,
            keys=self.ports.idempotency_keys,
            pipelines=self.ports.pipelines,
            clock=self.ports.clock,
        )

    @cached_property
    def creation_limit(self) -> CreationLimit:
        from shared.limits.creations import CreationLimit

        return CreationLimit(
            self.ports.records,
            limit=self.ports.job_creations_per_minute,
            clock=self.ports.clock,
            gate=self.check_open,
        )

    def count_write(self, operation: str, owner: str, *, while_erasing: bool = False) -> None:
        """Count a write of the user with this operation, which only with `while_erasing` is possible during an erasure.

        Raises:
            RateLimitExceeded: the user's writes with the operation have reached their limit per minute.
            DataBeingErased: the user's data are being erased.
        """
        from shared.limits.rate import RateLimit

        limit = self.ports.writes_per_minute
        message = f"you may send at most {limit} such requests per minute"
        name = f"writes-{operation}"
        if not while_erasing:
            self.check_open(owner)
        RateLimit(self.ports.records, name, limit=limit, message=message, clock=self.ports.clock).count(owner)

    @cached_property
    def stream_slots(self) -> StreamSlots:
        from shared.limits.stream_slots import StreamSlots

        return StreamSlots(
            self.ports.records,
            limit=self.ports.streams_per_user,
            lease_seconds=self.ports.stream_lease_seconds,
            clock=self.ports.clock,
        )
