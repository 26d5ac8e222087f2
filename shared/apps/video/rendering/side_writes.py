"""Let a render follow its job, in the job's transactions: its record, and its turn among those of its owner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from shared.apps.video.ids import render_id
from shared.apps.video.job_state import state_of
from shared.apps.video.manifest import Manifest
from shared.apps.video.project import Project
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.queries import revision_of
from shared.apps.video.rendering.plan import MAX_SECONDS
from shared.apps.video.rendering.render import KEPT_DAYS, Render, RenderInput, RenderResult
from shared.apps.video.rendering.render_store import RenderStore
from shared.apps.video.rendering.turns import RenderTurns, next_turn
from shared.errors import FieldIssue, InvalidInput
from shared.jobs.checkpoints import CheckpointStore, latest_checkpoint
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import PreparedWrites

PIPELINE = "render"


class ProjectRenders:
    """Implements SideWrites for the jobs of `render`. `require` raises RendererMissing if nothing can be rendered."""

    def __init__(
        self,
        *,
        projects: ProjectStore,
        renders: RenderStore,
        turns: RenderTurns,
        checkpoints: CheckpointStore,
        require: Callable[[], None],
    ) -> None:
        self._projects = projects
        self._renders = renders
        self._turns = turns
        self._checkpoints = checkpoints
        self._require = require

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """Prepare the render and its turn.

        Raises:
            InvalidInput: the job names no project of its owner, or a revision that cannot be rendered.
            Conflict: the owner has too many renders that have not ended.
            RendererMissing: this machine cannot render.
        """
        render = self._new_render(job)
        self._require()
        turn = next_turn(self._turns.taken(job.owner), job)
        return _both(self._renders.prepare_new(render), self._turns.prepare_taking(job.owner, turn))

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare how the render has ended and that its turn is free, or that it runs again and takes another turn.

        Raises Conflict for a resumption while the owner has too many renders that have not ended.
        """
        turns = self._turns.taken(job.owner)
        mine = next((each for each in turns if each.job_id == job.id), None)
        writes: list[PreparedWrites] = []
        if job.status.ended and mine is not None:
            writes.append(self._turns.prepare_freeing(job.owner, mine))
        if not job.status.ended and mine is None:
            writes.append(self._turns.prepare_taking(job.owner, next_turn(turns, job)))
        before = self._renders.get(str(job.links.project_id), render_id(job.id))
        after = None if before is None else self._after(before, job)
        if before is not None and after is not None and after != before:
            writes.append(self._renders.prepare_update(after))
        return _both(*writes) if writes else None

    def _new_render(self, job: Job) -> Render:
        project = self._projects.get(job.links.project_id) if job.links.project_id else None
        if project is None or project.owner != job.owner or project.deleting:
            rule = "must be the id of one of your projects: a job of this pipeline renders a project"
            raise InvalidInput([FieldIssue("links.projectId", rule)])
        wanted = RenderInput.model_validate(job.input)
        number, manifest, fps = self._state(project, wanted.revision)
        return Render(
            id=render_id(job.id),
            project_id=project.id,
            owner=job.owner,
            job_id=job.id,
            revision=number,
            quality=wanted.quality,
            frames=_checked(number, manifest, fps),
            fps=fps,
            created_at=job.created_at,
        )

    def _state(self, project: Project, number: int | None) -> tuple[int, Manifest, int]:
        if number is None or number == project.revision:
            return project.revision, project.manifest, project.format.fps
        revision = revision_of(self._projects, project, number)
        return revision.number, revision.manifest, revision.format.fps

    def _after(self, before: Render, job: Job) -> Render:
        """Return the render as its job now is."""
        failure = job.failure if job.status is JobStatus.FAILED else None
        shown = None if failure is None else failure.model_copy(update={"stack_trace": None})
        ended_at = job.ended_at if job.status.ended else None
        update: dict[str, Any] = {"status": state_of(job), "failure": shown, "ended_at": ended_at}
        latest = latest_checkpoint(job)
        if job.status is JobStatus.COMPLETED and latest is not None and before.file is None:
            result = RenderResult.model_validate(self._checkpoints.get(job.id, *latest).output)
            ended = job.ended_at or job.updated_at
            update |= {"file": result.file, "expires_at": ended + timedelta(days=KEPT_DAYS)}
        return before.model_copy(update=update)


def _checked(number: int, manifest: Manifest, fps: int) -> int:
    """Return the frames of the video. Raises InvalidInput if there are none, or too many."""
    frames = manifest.duration_in_frames
    if not frames:
        rule = f"must be a revision with scenes; revision {number} has none: add a scene first"
        raise InvalidInput([FieldIssue("revision", rule)])
    if frames > MAX_SECONDS * fps:
        rule = (
            f"must be a revision of at most {MAX_SECONDS // 60} minutes; revision {number} has {frames / fps:.1f} "
            f"seconds, which are {frames / fps - MAX_SECONDS:.1f} too many: make scenes shorter, or render it in parts"
        )
        raise InvalidInput([FieldIssue("revision", rule)])
    return frames


def _both(*prepared: PreparedWrites) -> PreparedWrites:
    return PreparedWrites(tuple(write for each in prepared for write in each.writes))
