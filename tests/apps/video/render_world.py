"""A project with scenes, and renders of it, on the fakes of all stores and of the renderer."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from shared.apps.video.images import ImageDeletion, ImageReader
from shared.apps.video.links import LinkedProjects
from shared.apps.video.messages import Origin
from shared.apps.video.pipeline import RENDER
from shared.apps.video.project import Project
from shared.apps.video.projects import ProjectDeletion
from shared.apps.video.rendering.render import Render, RenderInput
from shared.apps.video.rendering.renders import RenderCreation, RenderDeletion, RenderQueries, RenderState
from shared.apps.video.rendering.side_writes import ProjectRenders
from shared.apps.video.rendering.stages import AwaitTurn, JoinChunks, PlanRender, RenderChunk
from shared.jobs.invocation import FanOutDone
from shared.jobs.job import Job, LinkKind
from shared.jobs.pipeline import Pipelines
from tests.apps.video.fake_renderer import FakeRenderer
from tests.apps.video.projects_world import put_scene, stored_project, write_of
from tests.fakes.clock import SettableClock
from tests.fakes.core import FakeCore
from tests.fakes.images import FakeImageFiles, FakeImageStore
from tests.fakes.projects import FakeProjectStore
from tests.fakes.renders import FakeRenderFiles, FakeRenderStore, FakeRenderTurns

OWNER = "ada"
NAMES = ("Title", "Features", "Outro")


class RenderWorld:
    """Project, stores, services and stages. The project has three scenes of 90 frames at 30 frames per second."""

    def __init__(self, *, renderer: FakeRenderer | None = None) -> None:
        self.clock = SettableClock()
        self.projects = FakeProjectStore()
        self.images, self.image_files = FakeImageStore(), FakeImageFiles()
        self.renders = FakeRenderStore(self.projects)
        self.turns, self.files = FakeRenderTurns(), FakeRenderFiles()
        self.renderer = renderer or FakeRenderer()
        side_writes = ProjectRenders(
            projects=self.projects,
            renders=self.renders,
            turns=self.turns,
            checkpoints=_LateCheckpoints(self),
            require=self.renderer.require,
        )
        own = LinkedProjects(self.projects, own_pipelines=(RENDER.name,))
        self.core = FakeCore(
            clock=self.clock,
            pipelines=Pipelines(RENDER),
            side_writes={RENDER.name: (side_writes,)},
            linked_entities={LinkKind.PROJECT: (own,)},
        )
        self.core.ports.job_creations_per_minute = 10_000
        self._numbers = itertools.count()
        self.project = self.new_project(*NAMES)
        self.creation = RenderCreation(
            projects=self.projects,
            renders=self.renders,
            turns=self.turns,
            jobs=self.core.job_creation,
            clock=self.clock,
        )
        self.queries = RenderQueries(
            projects=self.projects,
            renders=self.renders,
            turns=self.turns,
            files=self.files,
            jobs=self.core.job_queries,
            clock=self.clock,
        )
        self.deletion = ProjectDeletion(
            projects=self.projects,
            renders=RenderDeletion(self.renders, self.files),
            images=ImageDeletion(FakeImageStore(self.projects), FakeImageFiles()),
            cancellation=self.core.job_cancellation,
            erasure=self.core.job_erasure,
            clock=self.clock,
        )

    # ---- projects ----------------------------------------------------------------------------------------------------

    def new_project(self, *names: str, owner: str = OWNER, **scene: Any) -> Project:
        return self.add_scenes(stored_project(self.projects, owner=owner), *names, **scene)

    def add_scenes(self, project: Project, *names: str, js_code: str | None = None, **scene: Any) -> Project:
        """Make the project's next revision, which has these scenes besides."""
        job_id = f"job_01k{next(self._numbers):023d}"
        changes = [put_scene(job_id, part, name=name, **scene) for part, name in enumerate(names)]
        if js_code is not None:
            changes = [
                each.model_copy(update={"build": each.build.model_copy(update={"js_code": js_code})})
                for each in changes
                if each.build
            ]
        write = write_of(project, *changes)
        self.projects.save(write)
        return write.after

    # ---- renders -----------------------------------------------------------------------------------------------------

    def create(
        self, project: Project | None = None, *, owner: str = OWNER, key: str | None = None, **fields: Any
    ) -> RenderState:
        self.clock.advance(0.01)  # ids and turns sort by time
        wanted = RenderInput(**fields)
        return self.creation.create(owner, (project or self.project).id, wanted, Origin(), idempotency_key=key)

    def job(self, state: RenderState) -> Job:
        return self.core.job(state.render.job_id)

    def now(self, state: RenderState) -> RenderState:
        """Return the render as its owner sees it now."""
        return self.queries.get(state.render.owner, state.render.project_id, state.render.id)

    def await_turn(
        self,
        state: RenderState,
        *,
        meanwhile: Sequence[Callable[[], object]] = (),
        generation: int = 1,
        retry: int = 0,
    ) -> None:
        """Run an attempt that looks at the turns, and then again after each of `meanwhile`.

        Raises StageUnfinished if it has no turn then.
        """
        left = iter([100.0] * len(meanwhile))
        acts = iter(meanwhile)
        stage = AwaitTurn(self.turns, clock=self.clock)

        async def pause(_: AwaitTurn) -> None:
            await asyncio.to_thread(next(acts))

        with (
            patch("shared.apps.video.rendering.stages.seconds_left", lambda: next(left, 0.0)),
            patch.object(AwaitTurn, "_pause", pause),
        ):
            self.core.run(stage, self.job(state), generation=generation, retry=retry)

    def plan(self, state: RenderState, *, generation: int = 1) -> tuple[str, ...]:
        """Plan the render, and return the names of the chunks that have to be rendered."""
        stage = PlanRender(renders=self.renders, projects=self.projects, images=self.images)
        done = self.core.run(stage, self.job(state), generation=generation)
        assert isinstance(done, FanOutDone)
        return done.parts

    def plan_again(self, state: RenderState) -> tuple[str, ...]:
        """Run the first two stages of a resumed render, and return the names of the chunks that are missing."""
        self.await_turn(state, generation=2)
        return self.plan(state, generation=2)

    def render_chunk(self, state: RenderState, name: str, *, generation: int = 1, retry: int = 0) -> None:
        reader = ImageReader(self.images, self.image_files)
        part = RenderChunk(renderer=self.renderer, files=self.files, images=reader)
        self.core.run_part(part, self.job(state), name, generation=generation, retry=retry)

    def join(self, state: RenderState, *, generation: int = 1) -> None:
        stage = JoinChunks(joiner=self.renderer, files=self.files, renders=self.renders)
        self.core.run(stage, self.job(state), generation=generation)

    def finish(self, state: RenderState, *, generation: int = 1) -> Render:
        """Run the render to its end, and return it."""
        self.await_turn(state, generation=generation)
        for name in self.plan(state, generation=generation):
            self.render_chunk(state, name, generation=generation)
        self.join(state, generation=generation)
        self.core.complete(self.job(state), generation=generation)
        return self.now(state).render

    def events(self, state: RenderState, kind: str) -> list[dict[str, Any]]:
        """Return the application's events of one type, as the stream sends them."""
        found = [each.model_dump(exclude_none=True) for each in self.core.events(self.job(state))]
        return [
            {name: value for name, value in each.items() if name != "type"} for each in found if each["type"] == kind
        ]


class _LateCheckpoints:
    """The checkpoints of a core that is built after what needs them."""

    def __init__(self, world: RenderWorld) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.core.checkpoints, name)
