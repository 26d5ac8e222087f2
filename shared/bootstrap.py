"""Choose the adapters on AWS: for the core's ports, and for the objects that only functions need.

Each object is built, and its module imported, when it is first used. So a Lambda function loads only what it uses.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import functools
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from shared.apps.registry import RegisteredPipelines, declared, owner_data, topic_kinds, topic_source
from shared.assembly import Core
from shared.clock import utc_now
from shared.runtime.settings import (
    ArchiveSettings,
    ChannelSettings,
    ConsoleSettings,
    CreationSettings,
    DeliverySettings,
    ErasureSettings,
    ExecutionSettings,
    IdentitySettings,
    LogSettings,
    ModelSettings,
    RetentionSettings,
    StorageSettings,
    StreamSettings,
    TicketSettings,
    WebhookSettings,
    WriteSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.archive.retention import ArchiveDays
    from shared.channel.connections import ChannelLimits
    from shared.channel.topics import TopicSource
    from shared.erasure.owner_data import OwnerData
    from shared.identity.tickets import ConnectionTickets, StreamTickets
    from shared.identity.tokens import TokenVerifier
    from shared.jobs.ending import Retention
    from shared.jobs.invocation import PartDone, PartInvocation, StageDone, StageInvocation
    from shared.jobs.job import LinkKind
    from shared.jobs.links import LinkedEntities
    from shared.jobs.pipeline import Pipeline
    from shared.jobs.side_writes import SideWrites
    from shared.llm.model import ChatModel
    from shared.log.event_log import LogBounds
    from shared.log.polls import LogPolls
    from shared.sockets.desk import MessageDesk
    from shared.sockets.gate import ConnectionGate
    from shared.stages.part import Part
    from shared.stages.stage import Stage
    from shared.storage.agents import DynamoAgentStore
    from shared.storage.archive import S3ArchiveStore, S3UsageLedger
    from shared.storage.channel_posts import ApiGatewayPosts
    from shared.storage.checkpoints import DynamoCheckpointStore
    from shared.storage.connections import DynamoConnectionStore
    from shared.storage.erasures import DynamoErasureStore
    from shared.storage.event_log import DynamoEventLog
    from shared.storage.executions import StepFunctionsErasures, StepFunctionsExecutions
    from shared.storage.jobs import DynamoJobStore
    from shared.storage.large_texts import LargeTexts
    from shared.storage.owner_keys import DynamoOwnerKeys
    from shared.storage.records import DynamoIdempotencyKeys, DynamoRecordStore
    from shared.storage.runs import DynamoRunStore
    from shared.storage.subscriptions import DynamoSubscriptionStore
    from shared.storage.webhook_deliveries import DynamoDeliveryStore, SqsDeliveryQueue
    from shared.storage.webhooks import DynamoWebhookStore
    from shared.web.auth import StreamGate
    from shared.web.site import ConsoleConfig, Site
    from shared.web.stage_site import StageSite
    from shared.web.stream import JobStream
    from shared.webhooks.schedule import Schedule
    from shared.webhooks.secrets import WebhookSecrets
    from shared.webhooks.sender import HttpSender
    from shared.webhooks.url import UrlRule


class AwsPorts:
    """The core's ports on AWS, configured by environment variables."""

    clock = staticmethod(utc_now)

    @cached_property
    def pipelines(self) -> RegisteredPipelines:
        return RegisteredPipelines()

    @cached_property
    def jobs(self) -> DynamoJobStore:
        from shared.storage.jobs import DynamoJobStore

        return DynamoJobStore(StorageSettings.read().table_name, clock=utc_now)

    @cached_property
    def _large_texts(self) -> LargeTexts:
        from shared.storage.large_texts import LargeTexts

        return LargeTexts(StorageSettings.read().artefact_bucket)

    @cached_property
    def event_log(self) -> DynamoEventLog:
        from shared.storage.event_log import DynamoEventLog

        return DynamoEventLog(StorageSettings.read().table_name, self._large_texts)

    @cached_property
    def log_polls(self) -> LogPolls:
        from shared.storage.log_polls import log_polls

        return log_polls(StorageSettings.read().table_name, self.event_log)

    @cached_property
    def checkpoints(self) -> DynamoCheckpointStore:
        from shared.storage.checkpoints import DynamoCheckpointStore

        return DynamoCheckpointStore(StorageSettings.read().table_name, self._large_texts)

    @cached_property
    def executions(self) -> StepFunctionsExecutions:
        from shared.storage.executions import StepFunctionsExecutions

        return StepFunctionsExecutions(ExecutionSettings.read().state_machine_arn_prefix)

    @cached_property
    def owner_items(self) -> tuple[OwnerData, ...]:
        from shared.storage.user_items import UserItems

        settings = StorageSettings.read()
        jobs, durable = settings.table_name, settings.durable_table_name
        return (
            UserItems(jobs, prefixes=("LIMIT#",), place="JobsTable", name="limits", holds="counts of requests, slots"),
            UserItems(jobs, prefixes=("IDEM#",), place="JobsTable", name="idempotencyKeys", holds="idempotency keys"),
            UserItems(durable, prefixes=("COUNT#",), place="DurableTable", name="counts", holds="number of agents"),
        )

    @cached_property
    def erasures(self) -> DynamoErasureStore:
        from shared.storage.erasures import DynamoErasureStore

        return DynamoErasureStore(StorageSettings.read().table_name, clock=utc_now)

    @cached_property
    def erasure_executions(self) -> StepFunctionsErasures:
        from shared.storage.executions import StepFunctionsErasures

        return StepFunctionsErasures(ErasureSettings.read().erasure_state_machine_arn)

    @property
    def erasure_settle_seconds(self) -> float:
        return ErasureSettings.read().erasure_settle_seconds

    @cached_property
    def idempotency_keys(self) -> DynamoIdempotencyKeys:
        from shared.storage.records import DynamoIdempotencyKeys

        return DynamoIdempotencyKeys(StorageSettings.read().table_name, clock=utc_now)

    @cached_property
    def records(self) -> DynamoRecordStore:
        from shared.storage.records import DynamoRecordStore

        return DynamoRecordStore(StorageSettings.read().table_name)

    @cached_property
    def agents(self) -> DynamoAgentStore:
        from shared.storage.agents import DynamoAgentStore

        return DynamoAgentStore(StorageSettings.read().durable_table_name, clock=utc_now)

    @cached_property
    def webhooks(self) -> DynamoWebhookStore:
        from shared.storage.webhooks import DynamoWebhookStore

        return DynamoWebhookStore(StorageSettings.read().durable_table_name)

    @cached_property
    def webhook_secrets(self) -> WebhookSecrets:
        from shared.storage.secrets import secret, secret_changed
        from shared.webhooks.secrets import WebhookSecrets

        arn = WebhookSettings.read().webhook_secret_arn

        def newer() -> str:
            secret_changed(arn)
            return secret(arn)

        return WebhookSecrets(lambda: secret(arn), newer, clock=utc_now)

    @property
    def webhook_urls(self) -> UrlRule:
        from shared.webhooks.url import UrlRule

        settings = WebhookSettings.read()
        return UrlRule(settings.webhook_ports, settings.webhook_loopback)

    @cached_property
    def deliveries(self) -> DynamoDeliveryStore:
        from shared.storage.webhook_deliveries import DynamoDeliveryStore

        return DynamoDeliveryStore(DeliverySettings.read().deliveries_table_name, clock=utc_now)

    @cached_property
    def delivery_queue(self) -> SqsDeliveryQueue:
        from shared.storage.webhook_deliveries import SqsDeliveryQueue

        return SqsDeliveryQueue(DeliverySettings.read().delivery_queue_url)

    @cached_property
    def webhook_sender(self) -> HttpSender:
        from shared.webhooks.sender import HttpSender

        return HttpSender(loopback=WebhookSettings.read().webhook_loopback)

    @property
    def webhook_schedule(self) -> Schedule:
        from shared.webhooks.schedule import STANDARD, Schedule

        waits = DeliverySettings.read().webhook_waits
        return Schedule(waits) if waits else STANDARD

    @property
    def api_url(self) -> str:
        return DeliverySettings.read().api_url

    @cached_property
    def runs(self) -> DynamoRunStore:
        from shared.storage.large_texts import LargeTexts
        from shared.storage.runs import DynamoRunStore

        settings = StorageSettings.read()
        return DynamoRunStore(settings.durable_table_name, LargeTexts(settings.artefact_bucket, folder="runs"))

    @cached_property
    def archive(self) -> S3ArchiveStore:
        from shared.storage.archive import S3ArchiveStore

        return S3ArchiveStore(StorageSettings.read().artefact_bucket, days=self.archive_days, clock=utc_now)

    @cached_property
    def archive_days(self) -> ArchiveDays:
        from shared.archive.retention import ArchiveDays

        settings = ArchiveSettings.read()
        return ArchiveDays(settings.archive_days, settings.archive_linked_days)

    @cached_property
    def owner_keys(self) -> DynamoOwnerKeys:
        from shared.storage.owner_keys import DynamoOwnerKeys

        return DynamoOwnerKeys(StorageSettings.read().durable_table_name)

    @cached_property
    def usage_ledger(self) -> S3UsageLedger | None:
        from shared.storage.archive import S3UsageLedger

        if not ArchiveSettings.read().usage_ledger_days:
            return None
        return S3UsageLedger(StorageSettings.read().artefact_bucket)

    @property
    def has_channel(self) -> bool:
        settings = ChannelSettings.read()
        return bool(settings.channel_url and settings.channel_table_name)

    @cached_property
    def connections(self) -> DynamoConnectionStore:
        from shared.storage.connections import DynamoConnectionStore

        return DynamoConnectionStore(ChannelSettings.read().channel_table_name)

    @cached_property
    def subscriptions(self) -> DynamoSubscriptionStore:
        from shared.storage.subscriptions import DynamoSubscriptionStore

        return DynamoSubscriptionStore(ChannelSettings.read().channel_table_name)

    @cached_property
    def channel_posts(self) -> ApiGatewayPosts:
        from shared.storage.channel_posts import ApiGatewayPosts

        return ApiGatewayPosts(ChannelSettings.read().channel_url)

    @property
    def channel_limits(self) -> ChannelLimits:
        from shared.channel.connections import ChannelLimits

        settings = ChannelSettings.read()
        return ChannelLimits(settings.connections_per_user, settings.connection_opens_per_minute)

    @property
    def application_topics(self) -> Sequence[str]:
        return topic_kinds()

    def topic_source(self, kind: str) -> TopicSource:
        return topic_source(kind)

    def side_writes_of(self, pipeline: str) -> Sequence[SideWrites]:
        """Return what the pipeline's application declares as `side_writes()` in its `bootstrap.py`, if anything."""
        declare = self.pipelines.declared_for(pipeline, "side_writes")
        return declare() if declare is not None else ()

    def linked_entities(self, kind: LinkKind, pipeline: str) -> Iterator[LinkedEntities]:
        """Yield what each application that names the kind in its `LINKS` has as `linked_entities(kind)`.

        The pipeline's own application comes first. The bootstrap of an application is imported when it is asked for.
        """
        for application in self.pipelines.applications_with(kind, pipeline):
            yield declared(application, "linked_entities")(kind)

    def application_data(self) -> Sequence[OwnerData]:
        """Return what each application returns from `owner_data()` in its `bootstrap.py`. This imports all of them."""
        return owner_data()

    @property
    def retention(self) -> Retention:
        from shared.jobs.ending import Retention

        settings = RetentionSettings.read()
        return Retention(settings.job_retention_seconds, settings.failed_job_retention_seconds)

    @property
    def log_bounds(self) -> LogBounds:
        from shared.log.event_log import LogBounds

        settings = LogSettings.read()
        return LogBounds(settings.log_max_events, settings.log_max_bytes)

    @property
    def cell(self) -> str:
        return CreationSettings.read().cell

    @property
    def default_model(self) -> str:
        return ModelSettings.read().default_model

    @property
    def allowed_models(self) -> tuple[str, ...]:
        return ModelSettings.read().allowed_models

    @property
    def job_creations_per_minute(self) -> int:
        return CreationSettings.read().job_creations_per_minute

    @property
    def writes_per_minute(self) -> int:
        return WriteSettings.read().writes_per_minute

    @property
    def streams_per_user(self) -> int:
        return StreamSettings.read().streams_per_user

    @property
    def stream_lease_seconds(self) -> float:
        return StreamSettings.read().stream_lease_seconds


@functools.cache
def core() -> Core:
    """Return the core on AWS."""
    from shared.runtime import at_end

    made = Core(AwsPorts())
    at_end.register(made.flush_announcements)
    return made


def write_counter(operation: str) -> Callable[[str], None]:
    """Return the function that counts a user's write with this operation, for `create_app`."""
    return lambda owner: core().count_write(operation, owner)


def write_counter_while_erasing(operation: str) -> Callable[[str], None]:
    """Return the function that counts a user's write with this operation, also while the user's data are erased."""
    return lambda owner: core().count_write(operation, owner, while_erasing=True)


# ---- stages ----------------------------------------------------------------------------------------------------------


def run_stage(pipeline: Pipeline, stage: Stage, invocation: StageInvocation) -> StageDone:
    """Run one attempt of the pipeline's stage, as `StageRunner.run` does, and return its result."""
    from shared.runtime import event_loop

    return event_loop.run(core().stage_runner.run(pipeline, stage, invocation))


def run_part(pipeline: Pipeline, part: Part, invocation: PartInvocation) -> PartDone:
    """Run one attempt at one part of a fan-out, as `PartRunner.run` does, and return its result."""
    from shared.runtime import event_loop

    return event_loop.run(core().part_runner.run(pipeline, part, invocation))


@functools.cache
def chat_model() -> ChatModel:
    """Return the adapter for the configured API. Only with the Responses API can an attempt re-attach.

    Raises ModelMisconfigured if a setting is not valid. The adapter checks the base URL and the key with each call.
    """
    from shared.errors import ModelMisconfigured
    from shared.llm.openai.chat import OpenAIChatModel
    from shared.llm.openai.responses import OpenAIResponsesModel
    from shared.llm.prices import parse_model_prices

    try:
        settings = ModelSettings.read()
        prices = parse_model_prices(settings.model_prices)
    except ValueError as error:
        raise ModelMisconfigured(f"a setting of the model is not valid: {_in_words(error)}") from error
    adapter = OpenAIResponsesModel if settings.model_api == "responses" else OpenAIChatModel
    return adapter(
        base_url=settings.openai_base_url,
        api_key=lambda: _model_key(settings.model_secret_arn),
        prices=prices,
        token_timeout=settings.model_token_timeout_seconds,
        key_changed=lambda: _model_key_changed(settings.model_secret_arn),
    )


def _model_key(arn: str) -> str:
    """Return the text of the secret; empty if it has no value, which the adapter refuses with the setting's name."""
    from shared.storage.secrets import SecretWithoutValue, secret

    try:
        return secret(arn)
    except SecretWithoutValue:
        return ""


def _model_key_changed(arn: str) -> bool:
    from shared.storage.secrets import secret_changed

    return secret_changed(arn)


def _in_words(error: ValueError) -> str:
    """Return which variables break which rules, without their values."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(f"{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors())


# ---- the stream ------------------------------------------------------------------------------------------------------


@functools.cache
def job_stream() -> JobStream:
    """Return the service that streams jobs to watchers."""
    from shared.web.stream import JobStream, StreamTimes

    settings = StreamSettings.read()
    times = StreamTimes(settings.stream_window_seconds, settings.heartbeat_seconds)
    return JobStream(core().job_watcher, core().stream_slots, times)


@functools.cache
def stream_tickets() -> StreamTickets:
    """Return the service that signs and checks tickets."""
    from shared.identity.tickets import StreamTickets
    from shared.storage.secrets import secrets_to_check

    arn = TicketSettings.read().ticket_secret_arn
    return StreamTickets(lambda: secrets_to_check(arn), clock=utc_now)


@functools.cache
def stream_gate() -> StreamGate:
    """Return the authentication of the stream: by token or by ticket."""
    from shared.web.auth import StreamGate

    return StreamGate(tokens=_token_verifier, tickets=stream_tickets)


@functools.cache
def _token_verifier() -> TokenVerifier:
    from shared.identity.issuer_keys import IssuerKeys, fetch_keys
    from shared.identity.tokens import TokenVerifier

    settings = IdentitySettings.read()
    keys = IssuerKeys(lambda: fetch_keys(settings.oidc_issuer, settings.oidc_jwks_url))
    return TokenVerifier(settings.oidc_issuer, settings.oidc_audience, keys=keys)


# ---- the channel -----------------------------------------------------------------------------------------------------


@functools.cache
def connection_tickets() -> ConnectionTickets:
    """Return the service that signs and checks the tickets of the channel's connections."""
    from shared.identity.tickets import ConnectionTickets
    from shared.storage.secrets import secrets_to_check

    arn = TicketSettings.read().ticket_secret_arn
    return ConnectionTickets(lambda: secrets_to_check(arn), lambda: core().ports.records, clock=utc_now)


@functools.cache
def connection_gate() -> ConnectionGate:
    """Return the service that decides who may open a connection."""
    from shared.sockets.gate import ConnectionGate

    origins = ChannelSettings.read().cors_origins
    return ConnectionGate(tokens=_token_verifier, tickets=connection_tickets, origins=origins, clock=utc_now)


@functools.cache
def message_desk() -> MessageDesk:
    """Return the service that answers the messages of the channel's clients."""
    from shared.sockets.desk import MessageDesk

    return MessageDesk(core().connection_registry, core().ports.channel_posts)


# ---- the console -----------------------------------------------------------------------------------------------------


@functools.cache
def console_config() -> ConsoleConfig:
    """Return the configuration that the console's page reads."""
    from shared.web.site import ConsoleConfig, ConsoleRetention

    identity, models = ConsoleSettings.read(), ModelSettings.read()
    kept = RetentionSettings.read()
    return ConsoleConfig(
        issuer=identity.oidc_issuer,
        client_id=identity.console_client_id or identity.oidc_audience,
        stream_url=StreamSettings.read().stream_url,
        default_model=models.default_model,
        models=models.allowed_models,
        scripted_model=identity.scripted_model,
        retention=ConsoleRetention(
            job_seconds=kept.job_retention_seconds,
            failed_job_seconds=kept.failed_job_retention_seconds,
            archive_days=ArchiveSettings.read().archive_days,
        ),
        aws_console=identity.aws_console,
    )


@functools.cache
def console_site(app_file: str) -> Site:
    """Return the site of the files in `static/`, beside the function's file `app_file`."""
    from shared.web.site import Site, origin_of

    identity = ConsoleSettings.read()
    uploads = identity.aws_endpoint_url or identity.upload_origin
    channel, stream = ChannelSettings.read().channel_url, StreamSettings.read().stream_url
    origins = (stream, channel, identity.oidc_issuer, identity.sign_in_origin, uploads)
    return Site(Path(app_file).parent / "static", connects_to=[origin_of(url) for url in origins if url])


@functools.cache
def stage_site(app_file: str) -> StageSite:
    """Return the page that draws scenes, of the files in `stage/`, beside the function's file `app_file`."""
    from shared.web.stage_site import StageSite

    return StageSite(Path(app_file).parent / "stage")
