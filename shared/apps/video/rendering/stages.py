"""The stages of a render: wait for a turn, plan, render chunks at the same time, join them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from shared.apps.video.ids import render_id
from shared.apps.video.image_store import Image, ImageStatus, ImageStore
from shared.apps.video.images import ImageReader
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.rendering.chunks import Chunk
from shared.apps.video.rendering.events import ChunkRendered, FontsNeeded, RenderQueued
from shared.apps.video.rendering.fonts import packages_needed
from shared.apps.video.rendering.plan import ImageFile, PlannedComponent, PlannedScene, RenderPlan
from shared.apps.video.rendering.render import ChunkResult, PlannedRender, Render, RenderResult, VideoFile
from shared.apps.video.rendering.render_store import FileGone, RenderFiles, RenderStore
from shared.apps.video.rendering.renderer import ChunkJoiner, ChunkRenderer
from shared.apps.video.rendering.turns import RenderTurns, position
from shared.apps.video.scene import SceneVersion
from shared.clock import Clock, seconds_left
from shared.errors import DataLost, StageUnfinished
from shared.jobs.job import Job
from shared.stages.part import PartContext
from shared.stages.stage import AttemptContext, StageContext

LOOK_SECONDS: Final = 1.0
"""Seconds between two looks at the turns of the owner."""

LAST_LOOK_SECONDS: Final = 15.0
"""An attempt with fewer seconds left looks no more; the next one continues to wait."""


class AwaitTurn:
    """Wait until the render is one of its owner's oldest two. Its position is told whenever it changes.

    It waits in the function, not in the state machine: a waiting function costs less than the transitions of a loop,
    notices the turn within a second, and ends as soon as the job is cancelled.
    """

    name = "await_turn"

    def __init__(self, turns: RenderTurns, *, clock: Clock) -> None:
        self._turns = turns
        self._clock = clock

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return when the render has a turn. Raises StageUnfinished shortly before the invocation ends."""
        job = context.job
        told = None
        while True:
            turns = await asyncio.to_thread(self._turns.taken, job.owner)
            now = position(turns, job.id, self._clock())
            if now == 0:
                return {"queued": told is not None}
            if now != told and now is not None:
                await context.append_event(RenderQueued(position=now))
                told = now
            left = seconds_left()
            if left is not None and left < LAST_LOOK_SECONDS:
                raise StageUnfinished("the render is still queued; it keeps its position")
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(LOOK_SECONDS)


class PlanRender:
    """Freeze what is rendered: the revision's code and props, the images, and the chunks."""

    name = "plan_render"

    def __init__(self, *, renders: RenderStore, projects: ProjectStore, images: ImageStore) -> None:
        self._renders = renders
        self._projects = projects
        self._images = images

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the PlannedRender with its parts, one for each chunk; tell which fonts it needs. Raises DataLost."""
        planned = await asyncio.to_thread(self._plan, render_of(context, self._renders))
        if packages := packages_needed(planned.plan):
            await context.append_event(FontsNeeded(packages=packages))
        titles = {name: _title(chunk) for name, chunk in planned.chunks.items()}
        return {"parts": titles, **planned.model_dump(mode="json")}

    def _plan(self, render: Render) -> PlannedRender:
        revision = self._projects.revision(render.project_id, render.revision)
        if revision is None:
            raise DataLost(f"revision {render.revision} of the project is no longer stored")
        wanted = [(each.scene_id, each.version) for each in revision.manifest.scenes]
        scenes = self._projects.scenes(render.project_id, wanted)
        named = [(each.name, each.version) for each in revision.manifest.components]
        components = self._projects.components(render.project_id, named) if named else {}
        if len(scenes) < len(set(wanted)) or len(components) < len(named):
            raise DataLost(f"the code of revision {render.revision} is no longer all stored; render another revision")
        versions = [scenes[key] for key in wanted]
        images = self._images_of(render.project_id, versions)
        plan = RenderPlan(
            format=revision.format,
            quality=render.quality,
            scenes=tuple(
                PlannedScene(
                    id=entry.scene_id,
                    version=entry.version,
                    name=entry.name,
                    code=version.build.js_code,
                    duration_in_frames=entry.duration_in_frames,
                    playback_rate=entry.playback_rate,
                    props=version.draft.props,
                )
                for entry, version in zip(revision.manifest.scenes, versions, strict=True)
            ),
            components=tuple(
                PlannedComponent(name=name, version=version, code=components[name, version].build.js_code)
                for name, version in named
            ),
            image_ids=tuple(each.id for each in images),
        )
        return PlannedRender(plan=plan, images=tuple(images))

    def _images_of(self, project_id: str, scenes: Sequence[SceneVersion]) -> Sequence[Image]:
        """Return the images that the scenes show. Raises DataLost, which names the scene, if one is not ready."""
        shown_by = {image_id: scene.draft.name for scene in scenes for image_id in scene.draft.images}
        found = self._images.get_all(project_id, list(shown_by)) if shown_by else {}
        for image_id, name in shown_by.items():
            image = found.get(image_id)
            if image is None or image.status is not ImageStatus.READY:
                raise DataLost(f"scene “{name}” shows the image {image_id}, which the project does not have")
        return [found[image_id] for image_id in shown_by]


class RenderChunk:
    """Render one chunk and store its file. A file that an earlier attempt has stored is taken as it is."""

    name = "render_chunk"

    def __init__(self, *, renderer: ChunkRenderer, files: RenderFiles, images: ImageReader) -> None:
        self._renderer = renderer
        self._files = files
        self._images = images

    async def run(self, context: PartContext) -> dict[str, Any]:
        """Return the ChunkResult.

        Raises RendererMissing, SceneBroken, DataLost, and TransientFault if the browser died.
        """
        planned = PlannedRender.model_validate(_output(context))
        chunks = planned.chunks
        chunk = chunks[context.part]
        result = await asyncio.to_thread(self._stored, context.job, chunk, len(chunks))
        if result is None:
            result = await self._rendered(context.job, planned, chunk, len(chunks))
        told = ChunkRendered.model_fields.keys() & ChunkResult.model_fields.keys()
        context.append_with_result(ChunkRendered(key=chunk.name, **result.model_dump(include=set(told))))
        return result.model_dump(mode="json")

    def _stored(self, job: Job, chunk: Chunk, of: int) -> ChunkResult | None:
        try:
            content = self._files.chunk(job.id, chunk.name)
        except FileGone:
            return None
        return _result(chunk, of, content, hashlib.sha256(content).hexdigest())

    async def _rendered(self, job: Job, planned: PlannedRender, chunk: Chunk, of: int) -> ChunkResult:
        images = await asyncio.to_thread(self._read, planned.images)
        rendered = await self._renderer.render(planned.plan, chunk, images)
        await asyncio.to_thread(self._files.keep_chunk, job.id, chunk.name, rendered.content)
        known: dict[str, Any] = {"renderer": rendered.renderer, "missing_fonts": rendered.missing_fonts}
        result = _result(chunk, of, rendered.content, rendered.sha256)
        return result.model_copy(update={"milliseconds": round(rendered.seconds * 1000), **known})

    def _read(self, images: Sequence[Image]) -> dict[str, ImageFile]:
        return {each.id: ImageFile(self._images.read(each).content, each.type) for each in images}


class JoinChunks:
    """Join the files of the chunks to one video, and store it for its download."""

    name = "join_chunks"

    def __init__(self, *, joiner: ChunkJoiner, files: RenderFiles, renders: RenderStore) -> None:
        self._joiner = joiner
        self._files = files
        self._renders = renders

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the RenderResult. Raises DataLost, DataUnreadable and RendererMissing."""
        render = await asyncio.to_thread(render_of, context, self._renders)
        planned = PlannedRender.model_validate(_output(context))
        chunks = [ChunkResult.model_validate(each) for each in context.parts.values()]
        video = await self._joiner.join(planned.plan, self._contents(context.job, list(context.parts)))
        await asyncio.to_thread(self._files.keep_video, render, video.content)
        await asyncio.to_thread(self._discard_if_deleted, context, render)
        return RenderResult(
            render_id=render.id,
            revision=render.revision,
            file=VideoFile(
                bytes=len(video.content),
                sha256=video.sha256,
                frames=video.frames,
                seconds=video.seconds,
                width=video.width,
                height=video.height,
            ),
            chunks=len(chunks),
            render_seconds=sum(each.milliseconds for each in chunks) / 1000,
            missing_fonts=tuple(sorted({package for each in chunks for package in each.missing_fonts})),
        ).model_dump(mode="json")

    def _contents(self, job: Job, names: Sequence[str]) -> Iterator[bytes]:
        """Read the files one by one, as they are joined."""
        for name in names:
            try:
                yield self._files.chunk(job.id, name)
            except FileGone:
                raise DataLost(f"{name} of the video is no longer stored; render it again") from None

    def _discard_if_deleted(self, context: StageContext, render: Render) -> None:
        try:
            render_of(context, self._renders)
        except DataLost:
            self._files.discard_video(render)
            raise


def render_of(context: AttemptContext, renders: RenderStore) -> Render:
    """Return the render that the context's job makes. Raises DataLost if its project was deleted."""
    render = renders.get(str(context.job.links.project_id), render_id(context.job.id))
    if render is None:
        raise DataLost("the project was deleted, and its renders with it")
    return render


def _output(context: AttemptContext) -> dict[str, Any]:
    """Return what PlanRender has handed on, without the names of the parts."""
    output = context.previous.output if context.previous else {}
    return {name: value for name, value in output.items() if name != "parts"}


def _result(chunk: Chunk, of: int, content: bytes, sha256: str) -> ChunkResult:
    return ChunkResult(
        chunk=chunk.index + 1,
        of=of,
        first_frame=chunk.first,
        frames=chunk.frames,
        bytes=len(content),
        sha256=sha256,
        milliseconds=0,
    )


def _title(chunk: Chunk) -> str:
    return f"Frames {chunk.first + 1} to {chunk.first + chunk.frames}"
