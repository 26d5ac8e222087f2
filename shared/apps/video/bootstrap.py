"""Provide the services of video chat on AWS."""

# ruff: noqa: PLC0415 - a function imports what it uses

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.apps.video import PIPELINES
from shared.bootstrap import core
from shared.runtime.settings import StorageSettings

if TYPE_CHECKING:
    from shared.apps.video.briefs import BriefScenes
    from shared.apps.video.build.report import SceneBuilder
    from shared.apps.video.chat import DecideTool
    from shared.apps.video.image_store import ImageFiles, ImageStore
    from shared.apps.video.images import ImageReader, Images
    from shared.apps.video.making import MakeScenes
    from shared.apps.video.messages import ChatMessages
    from shared.apps.video.preference_service import PreferenceService
    from shared.apps.video.preferences import PreferenceStore
    from shared.apps.video.project_store import ProjectStore, ProjectWrite
    from shared.apps.video.projects import ProjectDeletion, Projects
    from shared.apps.video.queries import ProjectQueries
    from shared.apps.video.reading import ProjectReading
    from shared.apps.video.rendering.render_store import RenderFiles, RenderStore
    from shared.apps.video.rendering.renderer import ChunkJoiner, ChunkRenderer
    from shared.apps.video.rendering.renders import RenderCreation, RenderDeletion, RenderQueries
    from shared.apps.video.rendering.side_writes import ProjectRenders
    from shared.apps.video.rendering.stages import AwaitTurn, JoinChunks, PlanRender, RenderChunk
    from shared.apps.video.rendering.turns import RenderTurns
    from shared.apps.video.saving import SaveScenes
    from shared.apps.video.sweep import ProjectSweep
    from shared.channel.topics import TopicSource
    from shared.erasure.owner_data import OwnerData
    from shared.jobs.job import LinkKind
    from shared.jobs.links import LinkedEntities
    from shared.jobs.side_writes import SideWrites


# ---- what the core asks for ------------------------------------------------------------------------------------------


def side_writes() -> Sequence[SideWrites]:
    """Return what this application writes in the transactions of its jobs."""
    from shared.apps.video.side_writes import OfPipelines, ProjectMessages

    messages = ProjectMessages(project_store(), check_images=lambda *images: image_reader().ready(*images))
    return (OfPipelines({"video_chat": messages, "render": _project_renders()}),)


def linked_entities(_kind: LinkKind) -> LinkedEntities:
    """Return the projects, which jobs can be linked to."""
    from shared.apps.video.links import LinkedProjects

    return LinkedProjects(project_store(), own_pipelines=PIPELINES)


def topic_sources() -> Sequence[TopicSource]:
    """Return the topics of projects, which clients of the channel subscribe to."""
    from shared.apps.video.project_topics import ProjectTopics

    return (ProjectTopics(project_store()),)


def owner_data() -> Sequence[OwnerData]:
    """Return what this application stores of owners."""
    from shared.apps.video.owner_projects import OwnerProjects
    from shared.storage.user_items import UserItems

    settings = StorageSettings.read()
    durable = {"table": settings.durable_table_name, "place": "DurableTable"}
    return (
        OwnerProjects(project_store(), project_deletion(), _render_deletion(), clock=core().ports.clock),
        UserItems(**durable, prefixes=("PREFS#",), name="preferences", holds="preferences that hold for all projects"),
        UserItems(**durable, prefixes=("PROJECTS",), name="projectCounts", holds="how many projects there are"),
        UserItems(**durable, prefixes=("RENDERTURN#",), name="renderTurns", holds="turns of renders"),
        UserItems(
            settings.table_name,
            prefixes=("DECISION#",),
            place="JobsTable",
            name="decisions",
            holds="a model's decisions about messages, which are kept for a day",
        ),
    )


# ---- storage ---------------------------------------------------------------------------------------------------------


@functools.cache
def project_store() -> ProjectStore:
    """Return the store of projects, which announces each revision to the channel, if there is one."""
    from shared.apps.video.storage.projects import DynamoProjectStore

    settings = StorageSettings.read()
    return DynamoProjectStore(
        settings.durable_table_name, settings.artefact_bucket, count=_counting("version"), saved=_announce()
    )


def _announce() -> Callable[[ProjectWrite], object] | None:
    """Return what tells the channel of a revision; None if there is no channel."""
    if not core().ports.has_channel:
        return None
    from shared.apps.video.project_topics import announce

    return functools.partial(announce, core().announcer)


@functools.cache
def preference_store() -> PreferenceStore:
    """Return the store of preferences."""
    from shared.apps.video.storage.preferences import DynamoPreferenceStore

    return DynamoPreferenceStore(StorageSettings.read().durable_table_name)


@functools.cache
def image_store() -> ImageStore:
    """Return the store of what is known of images."""
    from shared.apps.video.storage.images import DynamoImageStore

    return DynamoImageStore(StorageSettings.read().durable_table_name)


@functools.cache
def image_files() -> ImageFiles:
    """Return the store of the images themselves."""
    from shared.apps.video.storage.images import S3ImageFiles
    from shared.storage.objects import Objects

    return S3ImageFiles(Objects(StorageSettings.read().artefact_bucket), clock=core().ports.clock)


@functools.cache
def image_reader() -> ImageReader:
    """Return the reader of the images of projects."""
    from shared.apps.video.images import ImageReader

    return ImageReader(image_store(), image_files())


@functools.cache
def render_store() -> RenderStore:
    """Return the store of what is known of renders."""
    from shared.apps.video.storage.renders import DynamoRenderStore

    return DynamoRenderStore(StorageSettings.read().durable_table_name)


@functools.cache
def render_turns() -> RenderTurns:
    """Return the store of the turns of renders."""
    from shared.apps.video.storage.renders import DynamoRenderTurns

    return DynamoRenderTurns(StorageSettings.read().durable_table_name)


@functools.cache
def render_files() -> RenderFiles:
    """Return the store of the files of renders."""
    from shared.apps.video.storage.renders import S3RenderFiles
    from shared.storage.objects import Objects

    return S3RenderFiles(Objects(StorageSettings.read().artefact_bucket))


# ---- projects --------------------------------------------------------------------------------------------------------


@functools.cache
def project_queries() -> ProjectQueries:
    """Return the service that reads projects."""
    from shared.apps.video.queries import ProjectQueries

    return ProjectQueries(project_store())


@functools.cache
def projects() -> Projects:
    """Return the service that creates, changes and reverts projects."""
    from shared.apps.video.projects import Projects

    ports = core().ports
    return Projects(projects=project_store(), keys=ports.idempotency_keys, clock=ports.clock)


@functools.cache
def project_deletion() -> ProjectDeletion:
    """Return the service that deletes projects."""
    from shared.apps.video.images import ImageDeletion
    from shared.apps.video.projects import ProjectDeletion

    return ProjectDeletion(
        projects=project_store(),
        renders=_render_deletion(),
        images=ImageDeletion(image_store(), image_files()),
        cancellation=core().job_cancellation,
        erasure=core().job_erasure,
        clock=core().ports.clock,
    )


def _render_deletion() -> RenderDeletion:
    from shared.apps.video.rendering.renders import RenderDeletion

    return RenderDeletion(render_store(), render_files())


@functools.cache
def project_sweep() -> ProjectSweep:
    """Return the service that purges deleted projects."""
    from shared.apps.video.sweep import ProjectSweep

    return ProjectSweep(projects=project_store(), files=render_files(), clock=core().ports.clock)


@functools.cache
def chat_messages() -> ChatMessages:
    """Return the service that sends messages."""
    from shared.apps.video.messages import ChatMessages

    return ChatMessages(projects=project_store(), jobs=core().job_creation)


@functools.cache
def preference_service() -> PreferenceService:
    """Return the service that reads and changes preferences."""
    from shared.apps.video.preference_service import PreferenceService

    return PreferenceService(store=preference_store(), projects=project_store(), clock=core().ports.clock)


@functools.cache
def images() -> Images:
    """Return the service that takes images into projects."""
    from shared.apps.video.images import Images
    from shared.apps.video.queries import owned_project

    def require_owned(owner: str, project_id: str) -> object:
        return owned_project(project_store(), owner, project_id)

    return Images(store=image_store(), files=image_files(), require_owned=require_owned, clock=core().ports.clock)


# ---- stages ----------------------------------------------------------------------------------------------------------


def decide_tool() -> DecideTool:
    """Return the stage that decides which tool a message asks for."""
    from shared.apps.video.brain.brain import Brain
    from shared.apps.video.chat import DecideTool
    from shared.apps.video.storage.decisions import DynamoDecisionCache
    from shared.bootstrap import chat_model

    cache = DynamoDecisionCache(StorageSettings.read().table_name, clock=core().ports.clock)
    return DecideTool(Brain(chat_model(), cache, count=_counting("decision")), _project_reading())


def brief_scenes() -> BriefScenes:
    """Return the stage that describes the scenes to write."""
    from shared.apps.video.briefs import BriefScenes
    from shared.bootstrap import chat_model

    return BriefScenes(chat_model(), _project_reading())


def make_scenes() -> MakeScenes:
    """Return the stage that writes scenes and builds them."""
    from shared.apps.video.making import MakeScenes
    from shared.bootstrap import chat_model

    return MakeScenes(chat_model(), _project_reading(), scene_builder())


@functools.cache
def scene_builder() -> SceneBuilder:
    """Return the builder of scenes, which keeps the last builds of this process."""
    from shared.apps.video.build.checks import Checks

    return Checks(count=_counting("build"))


def save_scenes() -> SaveScenes:
    """Return the stage that makes the changes of a message a revision."""
    from shared.apps.video.saving import SaveScenes

    return SaveScenes(projects=project_store(), preferences=preference_store(), clock=core().ports.clock)


def _counting(kind: str) -> Callable[[int, int], None]:
    """Return what counts the reads of a cache as metrics."""
    from shared.observability.metrics import metrics

    def count(hits: int, misses: int) -> None:
        metrics.cache_read(kind, hits=hits, misses=misses)

    return count


def _project_reading() -> ProjectReading:
    from shared.apps.video.preferences import facts_of
    from shared.apps.video.reading import ProjectReading

    def preferences(owner: str, project_id: str) -> Mapping[str, str]:
        return {each.key: each.value for each in facts_of(preference_store(), owner, project_id)}

    return ProjectReading(projects=project_store(), images=image_store(), files=image_files(), preferences=preferences)


# ---- renders ---------------------------------------------------------------------------------------------------------


@functools.cache
def render_creation() -> RenderCreation:
    """Return the service that starts renders."""
    from shared.apps.video.rendering.renders import RenderCreation

    return RenderCreation(
        projects=project_store(),
        renders=render_store(),
        turns=render_turns(),
        jobs=core().job_creation,
        clock=core().ports.clock,
    )


@functools.cache
def render_queries() -> RenderQueries:
    """Return the service that reads renders."""
    from shared.apps.video.rendering.renders import RenderQueries

    return RenderQueries(
        projects=project_store(),
        renders=render_store(),
        turns=render_turns(),
        files=render_files(),
        jobs=core().job_queries,
        clock=core().ports.clock,
    )


def chunk_renderer() -> ChunkRenderer:
    """Return what draws and encodes chunks."""
    from shared.apps.video.rendering.chromium_renderer import ChromiumRenderer

    return ChromiumRenderer()


def chunk_joiner() -> ChunkJoiner:
    """Return what joins chunks."""
    from shared.apps.video.rendering.chromium_renderer import Mp4Joiner

    return Mp4Joiner()


def await_turn() -> AwaitTurn:
    """Return the stage that waits until a render has a turn."""
    from shared.apps.video.rendering.stages import AwaitTurn

    return AwaitTurn(render_turns(), clock=core().ports.clock)


def plan_render() -> PlanRender:
    """Return the stage that freezes what is rendered."""
    from shared.apps.video.rendering.stages import PlanRender

    return PlanRender(renders=render_store(), projects=project_store(), images=image_store())


def render_chunk() -> RenderChunk:
    """Return the part that renders one chunk."""
    from shared.apps.video.rendering.stages import RenderChunk

    return RenderChunk(renderer=chunk_renderer(), files=render_files(), images=image_reader())


def join_chunks() -> JoinChunks:
    """Return the stage that joins the chunks to a video."""
    from shared.apps.video.rendering.stages import JoinChunks

    return JoinChunks(joiner=chunk_joiner(), files=render_files(), renders=render_store())


def _project_renders() -> ProjectRenders:
    from shared.apps.video.rendering.side_writes import ProjectRenders

    return ProjectRenders(
        projects=project_store(),
        renders=render_store(),
        turns=render_turns(),
        checkpoints=core().ports.checkpoints,
        require=_require_renderer,
    )


def _require_renderer() -> None:
    """Raise RendererMissing if this process would render chunks, as in `make dev`, and cannot.

    Lambda's functions have a process each, so this one has not the layer of the function that renders.
    """
    if "AWS_EXECUTION_ENV" not in os.environ:
        chunk_renderer().require()
