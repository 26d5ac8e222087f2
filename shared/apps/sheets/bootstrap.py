"""Provide the services of sheet chat on AWS."""

# ruff: noqa: PLC0415 - a function imports what it uses

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.apps.sheets import PIPELINES
from shared.bootstrap import core
from shared.runtime.settings import EngineSettings, StorageSettings

if TYPE_CHECKING:
    from shared.apps.sheets.cells_query import CellsQuery
    from shared.apps.sheets.chat import AnswerMessage, PrepareMessage
    from shared.apps.sheets.closing import SessionClosing
    from shared.apps.sheets.editing import CellEdits
    from shared.apps.sheets.engine.process import ProcessEngine
    from shared.apps.sheets.export_jobs import ExportCreation, ExportWorkbook
    from shared.apps.sheets.exporting import Exports
    from shared.apps.sheets.health import SessionHealth
    from shared.apps.sheets.history import History
    from shared.apps.sheets.loading import InspectWorkbook, LoadWorkbook
    from shared.apps.sheets.publishing import Publishing
    from shared.apps.sheets.queries import SessionQueries
    from shared.apps.sheets.session_store import SessionStore
    from shared.apps.sheets.storage.workbook_data import S3WorkbookData
    from shared.apps.sheets.sweep import SessionSweep
    from shared.apps.sheets.uploads import SessionUploads
    from shared.apps.sheets.work import SessionWork
    from shared.apps.sheets.workspace import SheetServices
    from shared.channel.topics import TopicSource
    from shared.erasure.owner_data import OwnerData
    from shared.jobs.job import LinkKind
    from shared.jobs.links import LinkedEntities
    from shared.jobs.side_writes import SideWrites


# ---- what the core asks for ------------------------------------------------------------------------------------------


def side_writes() -> Sequence[SideWrites]:
    """Return what this application writes in the transactions of its jobs."""
    from shared.apps.sheets.side_writes import SessionJobs

    ports = core().ports
    return (SessionJobs(session_store(), checkpoints=ports.checkpoints, event_log=ports.event_log),)


def linked_entities(_kind: LinkKind) -> LinkedEntities:
    """Return the sessions, which jobs can be linked to."""
    from shared.apps.sheets.links import LinkedSessions

    return LinkedSessions(session_store(), own_pipelines=PIPELINES)


def topic_sources() -> Sequence[TopicSource]:
    """Return the topics of sessions, which clients of the channel subscribe to."""
    from shared.apps.sheets.session_topics import SessionTopics

    return (SessionTopics(session_store()),)


def owner_data() -> Sequence[OwnerData]:
    """Return what this application stores of owners."""
    from shared.apps.sheets.owner_sessions import OwnerSessions

    return (OwnerSessions(session_store(), workbook_data(), session_closing(), clock=core().ports.clock),)


# ---- storage and engine ----------------------------------------------------------------------------------------------


@functools.cache
def session_store() -> SessionStore:
    """Return the store of sessions, which announces each change to the channel, if there is one."""
    from shared.apps.sheets.announcing_store import AnnouncingSessionStore
    from shared.apps.sheets.storage.sessions import DynamoSessionStore

    settings = StorageSettings.read()
    store = DynamoSessionStore(settings.durable_table_name, settings.table_name)
    return AnnouncingSessionStore(store, core().announcer) if core().ports.has_channel else store


@functools.cache
def workbook_data() -> S3WorkbookData:
    """Return the store of workbooks' data and of sessions' files."""
    from shared.apps.sheets.storage.workbook_data import S3WorkbookData
    from shared.storage.objects import Objects

    objects = Objects(StorageSettings.read().artefact_bucket)
    return S3WorkbookData(objects, clock=core().ports.clock, count=_count_blocks)


def _count_blocks(hits: int, misses: int) -> None:
    from shared.observability.metrics import metrics

    metrics.blocks_read(hits=hits, misses=misses)


@functools.cache
def engine() -> ProcessEngine:
    """Return the engine, which starts a process for each workbook."""
    from shared.apps.sheets.engine.process import EngineLimits, ProcessEngine

    return ProcessEngine(EngineLimits().times(EngineSettings.read().engine_time_factor))


@functools.cache
def publishing() -> Publishing:
    """Return the service that publishes versions."""
    from shared.apps.sheets.publishing import Publishing

    clock = core().ports.clock
    return Publishing(sessions=session_store(), data=workbook_data(), engine=engine(), clock=clock)


@functools.cache
def history() -> History:
    """Return the service that goes back and forth between versions."""
    from shared.apps.sheets.history import History

    clock = core().ports.clock
    return History(publishing=publishing(), sessions=session_store(), data=workbook_data(), clock=clock)


# ---- sessions --------------------------------------------------------------------------------------------------------


@functools.cache
def session_queries() -> SessionQueries:
    """Return the service that reads sessions."""
    from shared.apps.sheets.queries import SessionQueries

    return SessionQueries(session_store())


@functools.cache
def session_uploads() -> SessionUploads:
    """Return the service that creates sessions and the URLs of their uploads."""
    from shared.apps.sheets.uploads import SessionUploads

    ports = core().ports
    return SessionUploads(
        sessions=session_store(), files=workbook_data(), keys=ports.idempotency_keys, clock=ports.clock
    )


@functools.cache
def session_health() -> SessionHealth:
    """Return the service that checks whether the data of sessions is stored."""
    from shared.apps.sheets.health import SessionHealth

    return SessionHealth(sessions=session_store(), data=workbook_data(), clock=core().ports.clock)


@functools.cache
def session_work() -> SessionWork:
    """Return the service that starts what sessions are asked for."""
    from shared.apps.sheets.work import SessionWork

    return SessionWork(
        sessions=session_store(),
        files=workbook_data(),
        health=session_health(),
        jobs=core().job_creation,
        recover=lambda session: history().recover(session),
        can_rebuild=lambda session: history().can_rebuild(session),
        clock=core().ports.clock,
    )


@functools.cache
def session_closing() -> SessionClosing:
    """Return the service that closes and deletes sessions."""
    from shared.apps.sheets.closing import SessionClosing

    return SessionClosing(
        sessions=session_store(),
        data=workbook_data(),
        cancellation=core().job_cancellation,
        erasure=core().job_erasure,
        clock=core().ports.clock,
    )


@functools.cache
def session_sweep() -> SessionSweep:
    """Return the sweep of sessions."""
    from shared.apps.sheets.sweep import SessionSweep

    return SessionSweep(
        sessions=session_store(),
        data=workbook_data(),
        closing=session_closing(),
        retained=history().retained,
        clock=core().ports.clock,
    )


# ---- cells and versions ----------------------------------------------------------------------------------------------


@functools.cache
def cells_query() -> CellsQuery:
    """Return the service that reads cells."""
    from shared.apps.sheets.cells_query import CellsQuery

    return CellsQuery(sessions=session_store(), data=workbook_data(), health=session_health())


@functools.cache
def cell_edits() -> CellEdits:
    """Return the service that edits cells, undoes and redoes."""
    from shared.apps.sheets.editing import CellEdits

    return CellEdits(sessions=session_store(), publishing=publishing(), history=history(), health=session_health())


@functools.cache
def exports() -> Exports:
    """Return the service that writes versions to files."""
    from shared.apps.sheets.engine.patch import patch
    from shared.apps.sheets.exporting import Exports

    data = workbook_data()
    return Exports(sessions=session_store(), data=data, files=data, engine=engine(), patch=patch)


@functools.cache
def export_creation() -> ExportCreation:
    """Return the service that starts exports."""
    from shared.apps.sheets.export_jobs import ExportCreation

    return ExportCreation(
        sessions=session_store(), exports=exports(), health=session_health(), jobs=core().job_creation
    )


# ---- stages ----------------------------------------------------------------------------------------------------------


def inspect_workbook() -> InspectWorkbook:
    """Return the stage that inspects an uploaded file."""
    from shared.apps.sheets.engine.inspection import inspect
    from shared.apps.sheets.loading import InspectWorkbook

    return InspectWorkbook(sessions=session_store(), files=workbook_data(), inspect=inspect)


def load_workbook() -> LoadWorkbook:
    """Return the stage that loads an inspected file."""
    from shared.apps.sheets.loading import LoadWorkbook

    return LoadWorkbook(
        sessions=session_store(),
        files=workbook_data(),
        engine=engine(),
        publishing=publishing(),
        changes=lambda session: history().changes(session),
    )


def export_workbook() -> ExportWorkbook:
    """Return the stage that writes a version to a file."""
    from shared.apps.sheets.export_jobs import ExportWorkbook

    return ExportWorkbook(sessions=session_store(), files=workbook_data(), exports=exports(), clock=core().ports.clock)


def prepare_message() -> PrepareMessage:
    """Return the stage that gathers what the model must know."""
    from shared.apps.sheets.chat import PrepareMessage

    return PrepareMessage(_sheet_services())


def answer_message() -> AnswerMessage:
    """Return the stage in which the model calls tools until it answers."""
    from shared.apps.sheets.chat import AnswerMessage
    from shared.bootstrap import chat_model

    return AnswerMessage(chat_model(), _sheet_services())


def _sheet_services() -> SheetServices:
    from shared.apps.sheets.workspace import SheetServices

    return SheetServices(sessions=session_store(), publishing=publishing(), history=history(), health=session_health())
