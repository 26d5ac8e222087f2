"""Build what a message makes or changes, with all that the project has: its images, and its components."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping

from shared.apps.video.build.report import BuildReport, BuildRequest, SceneBuilder
from shared.apps.video.changes import PutScene
from shared.apps.video.facts import Facts
from shared.apps.video.reading import ProjectReading
from shared.apps.video.scene import Build, SceneDraft, SceneVersion
from shared.jobs.job import Job


class ProjectBuilds:
    """The builds of one attempt. What the project has is read once, when it is first needed."""

    def __init__(self, builder: SceneBuilder, reading: ProjectReading, job: Job, facts: Facts) -> None:
        self._builder = builder
        self._reading = reading
        self._job = job
        self._facts = facts
        self._images: frozenset[str] | None = None
        self._components: dict[str, str] | None = None

    def add_component(self, name: str, build: Build) -> None:
        """Let the next builds use a component that this message has made."""
        self._components = {**(self._components or {}), name: build.js_code}

    async def build_scene(self, draft: SceneDraft) -> BuildReport:
        """Build a scene. Raises CompilerMissing, and TransientFault if the compiler could not be started."""
        return await self._build(
            draft.tsx_code, draft.props, frames=draft.duration_in_frames, rate=draft.playback_rate, component=False
        )

    async def build_component(self, code: str, frames: int) -> BuildReport:
        """Build a component. Raises what `build_scene` raises."""
        return await self._build(code, {}, frames=frames, rate=1, component=True)

    async def rebuilt(self, put: PutScene, *, in_its_format: bool = True) -> BuildReport:
        """Return the build of a present scene whose code is as it was.

        The scene is built again only if it is now played with other props, longer, or in another format than its build
        has proven.
        """
        key = (put.scene_id, put.base_version or 0)
        stored = (await asyncio.to_thread(self.stored, [key])).get(key)
        if stored is not None and in_its_format and _plays_no_more(put.draft, stored.draft):
            return BuildReport(stored.build, images=frozenset(put.draft.images))
        return await self.build_scene(put.draft)

    def stored(self, wanted: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], SceneVersion]:
        """Return these versions of scenes by scene id and version."""
        return self._reading.versions(self._job, wanted, [])[0]

    async def _build(
        self, code: str, props: dict[str, object], *, frames: int, rate: float, component: bool
    ) -> BuildReport:
        await asyncio.to_thread(self._read)
        request = BuildRequest(
            tsx_code=code,
            duration_in_frames=frames,
            format=self._facts.format,
            props=props,
            images=self._images or frozenset(),
            components=self._components or {},
            is_component=component,
            playback_rate=rate,
        )
        return await self._builder.build(request)

    def _read(self) -> None:
        if self._images is not None:
            return
        wanted = [(each.name, each.version) for each in self._facts.components]
        _, found = self._reading.versions(self._job, [], wanted)
        stored = {name: version.build.js_code for (name, _), version in found.items()}
        self._components = stored | (self._components or {})
        self._images = self._reading.all_image_ids(self._job)


def _plays_no_more(draft: SceneDraft, base: SceneDraft) -> bool:
    """Return whether the scene plays nothing that its base has not played: equal code and props, no later frame."""
    same = (draft.tsx_code, draft.props) == (base.tsx_code, base.props)
    return same and _last_frame(draft) <= _last_frame(base)


def _last_frame(draft: SceneDraft) -> int:
    return math.ceil(draft.duration_in_frames * draft.playback_rate)
