"""Puts the parts together: the only place that chooses adapters. Everything is made on first use and kept.

Each function here imports what it puts together: a Lambda function starts with the parts that it has a use for.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from shared import apps
from shared.clock import utc_now
from shared.jobs.pipeline import Pipeline, Pipelines
from shared.runtime.settings import (
    ConsoleSettings,
    CreationSettings,
    ExecutionSettings,
    IdentitySettings,
    LogSettings,
    ModelSettings,
    RetentionSettings,
    StorageSettings,
    StreamSettings,
    TicketSettings,
)

if TYPE_CHECKING:
    from shared.agents.service import AgentService
    from shared.jobs.cancellation import JobCancellation
    from shared.jobs.completion import JobCompletion
    from shared.jobs.creation import JobCreation
    from shared.jobs.ending import JobEnder, Retention
    from shared.jobs.invocation import StageDone, StageInvocation
    from shared.jobs.queries import JobQueries
    from shared.jobs.resumption import JobResumption
    from shared.jobs.start import JobStarter
    from shared.jobs.sweep import StuckJobSweep
    from shared.jobs.watcher import JobWatcher
    from shared.limits.creations import CreationLimit
    from shared.limits.stream_slots import StreamSlots
    from shared.llm.model import ChatModel
    from shared.runs.deletion import RunDeletion
    from shared.runs.queries import RunQueries
    from shared.runs.recorder import RunRecorder
    from shared.stages.runner import StageRunner
    from shared.stages.stage import Stage
    from shared.storage.agents import DynamoAgentStore
    from shared.storage.checkpoints import DynamoCheckpointStore
    from shared.storage.event_log import DynamoEventLog
    from shared.storage.executions import StepFunctionsExecutions
    from shared.storage.jobs import DynamoJobStore
    from shared.storage.large_texts import LargeTexts
    from shared.storage.records import DynamoRecordStore
    from shared.storage.runs import DynamoRunStore
    from shared.web.auth import StreamGate, TokenVerifier
    from shared.web.site import ConsoleConfig, Site
    from shared.web.stream import JobStream
    from shared.web.tickets import StreamTickets


@functools.cache
def pipelines() -> Pipelines:
    """Every `shared/apps/<application>/pipeline.py` contributes its PIPELINE: adding one changes nothing here."""
    names = [f"shared.apps.{found.name}.pipeline" for found in pkgutil.iter_modules(apps.__path__) if found.ispkg]
    found = [importlib.import_module(name) for name in names if importlib.util.find_spec(name)]
    return Pipelines(*(_pipeline_in(module) for module in found))


def _pipeline_in(module: object) -> Pipeline:
    pipeline = getattr(module, "PIPELINE", None)
    if not isinstance(pipeline, Pipeline):
        raise TypeError(f"{module} has to define PIPELINE, a Pipeline")
    return pipeline


@functools.cache
def _jobs() -> DynamoJobStore:
    from shared.storage.jobs import DynamoJobStore

    return DynamoJobStore(StorageSettings.read().table_name, clock=utc_now)


@functools.cache
def _artefacts() -> LargeTexts:
    from shared.storage.large_texts import LargeTexts

    return LargeTexts(StorageSettings.read().artefact_bucket)


@functools.cache
def _event_log() -> DynamoEventLog:
    from shared.storage.event_log import DynamoEventLog

    return DynamoEventLog(StorageSettings.read().table_name, _artefacts(), clock=utc_now)


@functools.cache
def _checkpoints() -> DynamoCheckpointStore:
    from shared.storage.checkpoints import DynamoCheckpointStore

    return DynamoCheckpointStore(StorageSettings.read().table_name, _artefacts(), clock=utc_now)


@functools.cache
def _records() -> DynamoRecordStore:
    from shared.storage.records import DynamoRecordStore

    return DynamoRecordStore(StorageSettings.read().table_name)


@functools.cache
def _agents() -> DynamoAgentStore:
    from shared.storage.agents import DynamoAgentStore

    return DynamoAgentStore(StorageSettings.read().durable_table_name, clock=utc_now)


@functools.cache
def agent_service() -> AgentService:
    from shared.agents.service import AgentService

    return AgentService(agents=_agents(), allowed_models=ModelSettings.read().allowed_models, clock=utc_now)


def _retention() -> Retention:
    from shared.jobs.ending import Retention

    settings = RetentionSettings.read()
    return Retention(settings.job_retention_seconds, settings.failed_job_retention_seconds)


@functools.cache
def _executions() -> StepFunctionsExecutions:
    from shared.storage.executions import StepFunctionsExecutions

    return StepFunctionsExecutions(ExecutionSettings.read().state_machine_arn_prefix)


@functools.cache
def _starter() -> JobStarter:
    from shared.jobs.start import JobStarter

    return JobStarter(executions=_executions(), ender=_ender(), retention=_retention())


@functools.cache
def _ender() -> JobEnder:
    from shared.jobs.ending import JobEnder

    return JobEnder(
        jobs=_jobs(),
        event_log=_event_log(),
        pipelines=pipelines(),
        retention=_retention(),
        side_writes=_side_writes(),
        clock=utc_now,
    )


@functools.cache
def _runs() -> DynamoRunStore:
    from shared.storage.large_texts import LargeTexts
    from shared.storage.runs import DynamoRunStore

    settings = StorageSettings.read()
    return DynamoRunStore(settings.durable_table_name, LargeTexts(settings.artefact_bucket, folder="runs"))


@functools.cache
def _side_writes() -> RunRecorder:
    from shared.runs.recorder import RunRecorder

    return RunRecorder(runs=_runs(), checkpoints=_checkpoints(), event_log=_event_log(), pipelines=pipelines())


@functools.cache
def _creations() -> CreationLimit:
    from shared.limits.creations import CreationLimit

    return CreationLimit(_records(), limit=CreationSettings.read().job_creations_per_minute, clock=utc_now)


@functools.cache
def job_resumption() -> JobResumption:
    from shared.jobs.resumption import JobResumption

    return JobResumption(
        jobs=_jobs(),
        event_log=_event_log(),
        checkpoints=_checkpoints(),
        executions=_executions(),
        starter=_starter(),
        creations=_creations(),
        side_writes=_side_writes(),
        pipelines=pipelines(),
        agents=_agents(),
        allowed_models=ModelSettings.read().allowed_models,
        clock=utc_now,
    )


@functools.cache
def job_queries() -> JobQueries:
    from shared.jobs.queries import JobQueries

    return JobQueries(jobs=_jobs(), event_log=_event_log(), checkpoints=_checkpoints())


@functools.cache
def job_creation() -> JobCreation:
    from shared.jobs.creation import JobCreation
    from shared.storage.records import DynamoIdempotencyKeys

    models = ModelSettings.read()
    return JobCreation(
        jobs=_jobs(),
        executions=_executions(),
        starter=_starter(),
        keys=DynamoIdempotencyKeys(StorageSettings.read().table_name, clock=utc_now),
        creations=_creations(),
        side_writes=_side_writes(),
        pipelines=pipelines(),
        agents=agent_service(),
        default_model=models.default_model,
        allowed_models=models.allowed_models,
        clock=utc_now,
    )


@functools.cache
def job_cancellation() -> JobCancellation:
    from shared.jobs.cancellation import JobCancellation

    return JobCancellation(jobs=_jobs(), executions=_executions(), ender=_ender(), clock=utc_now)


@functools.cache
def ideation_queries() -> RunQueries:
    from shared.runs.queries import RunQueries

    return RunQueries(kind="ideation", runs=_runs(), jobs=job_queries())


@functools.cache
def ideation_deletion() -> RunDeletion:
    from shared.runs.deletion import RunDeletion

    return RunDeletion(kind="ideation", runs=_runs(), jobs=job_queries(), cancellation=job_cancellation())


@functools.cache
def _stage_runner() -> StageRunner:
    from shared.log.event_log import LogBounds
    from shared.stages.runner import StageRunner

    bounds = LogSettings.read()
    return StageRunner(
        jobs=_jobs(),
        event_log=_event_log(),
        checkpoints=_checkpoints(),
        pipelines=pipelines(),
        agents=_agents(),
        clock=utc_now,
        bounds=LogBounds(bounds.log_max_events, bounds.log_max_bytes),
    )


def run_stage(stage: Stage, invocation: StageInvocation) -> StageDone:
    """Run one attempt of the stage; see StageRunner.run for what it raises."""

    from shared.runtime import event_loop

    return event_loop.run(_stage_runner().run(stage, invocation))


@functools.cache
def job_completion() -> JobCompletion:
    from shared.jobs.completion import JobCompletion

    return JobCompletion(jobs=_jobs(), ender=_ender())


@functools.cache
def stuck_job_sweep() -> StuckJobSweep:
    from shared.jobs.sweep import StuckJobSweep

    return StuckJobSweep(jobs=_jobs(), executions=_executions(), ender=_ender(), clock=utc_now)


@functools.cache
def chat_model() -> ChatModel:
    """The Responses API can be re-attached to; chat completions are what every compatible server speaks."""

    from shared.llm.openai.chat import OpenAIChatModel
    from shared.llm.openai.responses import OpenAIResponsesModel
    from shared.llm.prices import parse_model_prices
    from shared.storage.secrets import secret

    settings = ModelSettings.read()
    adapter = OpenAIResponsesModel if settings.model_api == "responses" else OpenAIChatModel
    return adapter(
        base_url=settings.openai_base_url,
        api_key=lambda: secret(settings.model_secret_arn),
        prices=parse_model_prices(settings.model_prices),
        token_timeout=settings.model_token_timeout_seconds,
    )


@functools.cache
def job_watcher() -> JobWatcher:
    from shared.jobs.watcher import JobWatcher

    return JobWatcher(jobs=_jobs(), event_log=_event_log(), result_of=job_queries().result, clock=utc_now)


@functools.cache
def stream_slots() -> StreamSlots:
    from shared.limits.stream_slots import StreamSlots

    settings = StreamSettings.read()
    return StreamSlots(
        _records(), limit=settings.streams_per_user, lease_seconds=settings.stream_lease_seconds, clock=utc_now
    )


@functools.cache
def job_stream() -> JobStream:
    from shared.web.stream import JobStream, StreamTimes

    settings = StreamSettings.read()
    times = StreamTimes(settings.stream_window_seconds, settings.heartbeat_seconds)
    return JobStream(job_watcher(), stream_slots(), times)


@functools.cache
def stream_tickets() -> StreamTickets:
    from shared.storage.secrets import secret
    from shared.web.tickets import StreamTickets

    return StreamTickets(secret(TicketSettings.read().ticket_secret_arn).encode(), clock=utc_now)


@functools.cache
def stream_gate() -> StreamGate:
    from shared.web.auth import StreamGate

    return StreamGate(tokens=_token_verifier, tickets=stream_tickets)


@functools.cache
def _token_verifier() -> TokenVerifier:
    from shared.web.auth import TokenVerifier, discover_jwks_url

    settings = IdentitySettings.read()
    return TokenVerifier(
        settings.oidc_issuer,
        settings.oidc_audience,
        jwks_url=lambda: settings.oidc_jwks_url or discover_jwks_url(settings.oidc_issuer),
    )


@functools.cache
def console_config() -> ConsoleConfig:
    from shared.web.site import ConsoleConfig

    identity, models = ConsoleSettings.read(), ModelSettings.read()
    return ConsoleConfig(
        issuer=identity.oidc_issuer,
        client_id=identity.console_client_id or identity.oidc_audience,
        stream_url=StreamSettings.read().stream_url,
        default_model=models.default_model,
        models=models.allowed_models,
    )


@functools.cache
def console_site(app_file: str) -> Site:
    """The files in `static/` beside the function's own file."""
    from shared.web.site import Site, origin_of

    identity = ConsoleSettings.read()
    places = (StreamSettings.read().stream_url, identity.oidc_issuer, identity.sign_in_origin)
    return Site(Path(app_file).parent / "static", connects_to=[origin_of(url) for url in places if url])
