"""Create and read the renders of a project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.apps.video.ids import RENDER_ID, render_id
from shared.apps.video.messages import Origin
from shared.apps.video.project import Project
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.queries import owned_project
from shared.apps.video.rendering.render import ChunkResult, Render, RenderInput
from shared.apps.video.rendering.render_store import RenderFiles, RenderStore
from shared.apps.video.rendering.side_writes import PIPELINE
from shared.apps.video.rendering.turns import RenderTurns, position
from shared.clock import Clock
from shared.errors import FieldIssue, InvalidInput, NotFound
from shared.jobs.creation import JobCreation, NewJob
from shared.jobs.job import JobLinks
from shared.jobs.queries import JobQueries

PAGE = 100
"""How many renders are read at once."""


@dataclass(frozen=True, slots=True)
class RenderState:
    """A render as it is now.

    `position` is how many turns have to end before it has its own; 0 if it has one or has ended. `progress` is from 0
    to 100, `chunks` is how many chunks there are, None before they are planned, and `chunks_rendered` how many of them
    are rendered. `url` is that of the file, None if there is none.
    """

    render: Render
    position: int = 0
    progress: float = 0
    chunks: int | None = None
    chunks_rendered: int = 0
    url: str | None = None


class RenderCreation:
    """Start renders. `owner` is the authenticated user."""

    def __init__(
        self, *, projects: ProjectStore, renders: RenderStore, turns: RenderTurns, jobs: JobCreation, clock: Clock
    ) -> None:
        self._projects = projects
        self._renders = renders
        self._turns = turns
        self._jobs = jobs
        self._clock = clock

    def create(
        self,
        owner: str,
        project_id: str,
        wanted: RenderInput,
        origin: Origin,
        *,
        idempotency_key: str | None = None,
    ) -> RenderState:
        """Store a render together with its job, start the job, and return the render; a repeat returns the first one.

        Raises:
            NotFound, Forbidden: as `owned_project`.
            InvalidInput: the revision does not exist, has no scenes or is too long.
            Conflict: the owner has too many renders that have not ended.
            RateLimitExceeded: the owner has created too many jobs in the last minute.
            RendererMissing: this machine cannot render.
        """
        project = owned_project(self._projects, owner, project_id)
        links = JobLinks(project_id=project.id)
        request = NewJob(PIPELINE, wanted, links, origin.trace_id, origin.request_id)
        job = self._jobs.create(owner, request, idempotency_key=idempotency_key)
        render = self._renders.get(project.id, render_id(job.id))
        if render is None:
            raise NotFound("the project was deleted")
        return RenderState(render, _position(self._turns, render, self._clock), 100 if render.file else job.progress)


class RenderQueries:
    """Read renders. `owner` is the authenticated user."""

    def __init__(
        self,
        *,
        projects: ProjectStore,
        renders: RenderStore,
        turns: RenderTurns,
        files: RenderFiles,
        jobs: JobQueries,
        clock: Clock,
    ) -> None:
        self._projects = projects
        self._renders = renders
        self._turns = turns
        self._files = files
        self._jobs = jobs
        self._clock = clock

    def get(self, owner: str, project_id: str, wanted: str) -> RenderState:
        """Return a render as it is now, with the URL of its file.

        Raises NotFound or Forbidden if the owner has no such project, or the project no such render.
        """
        project = owned_project(self._projects, owner, project_id)
        render = self._renders.get(project.id, wanted) if RENDER_ID.fullmatch(wanted) else None
        if render is None:
            raise NotFound(f"the project has no render {wanted[:64]}")
        if render.status == "running":
            return self._running(render)
        return RenderState(render, progress=100 if render.file else 0, url=self._url(project, render))

    def page(
        self, owner: str, project_id: str, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[RenderState], str | None]:
        """Return a page of the project's renders, newest first, without their progress, and the next page's cursor.

        Raises NotFound or Forbidden if the owner has no such project, and InvalidInput for an invalid cursor.
        """
        project = owned_project(self._projects, owner, project_id)
        if cursor is not None and not RENDER_ID.fullmatch(cursor):
            raise InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")])
        found = self._renders.page(project.id, limit=limit + 1, before=cursor)
        states = [
            RenderState(
                each,
                _position(self._turns, each, self._clock),
                100 if each.file else 0,
                url=self._url(project, each),
            )
            for each in found[:limit]
        ]
        return states, found[limit - 1].id if len(found) > limit else None

    def _running(self, render: Render) -> RenderState:
        try:
            view = self._jobs.view(render.owner, render.job_id)
        except NotFound:  # it has expired without an end
            return RenderState(render)
        items = view.transcript.items_of("render_chunk").values()
        chunks = next((ChunkResult.model_validate(each.data).of for each in items), None)
        waits = _position(self._turns, render, self._clock)
        return RenderState(render, waits, view.transcript.progress, chunks, len(items))

    def _url(self, project: Project, render: Render) -> str | None:
        """Return the URL of the file, which is saved under the project's title; None if there is none, or no longer."""
        if render.file is None or render.expires_at is None or render.expires_at <= self._clock():
            return None
        return self._files.url(render, name=f"{project.title}.mp4")


class RenderDeletion:
    """Remove what the renders of a deleted project have stored outside its partition."""

    def __init__(self, renders: RenderStore, files: RenderFiles) -> None:
        self._renders = renders
        self._files = files

    def jobs_of(self, project_id: str) -> Iterator[str]:
        """Yield the ids of the project's render jobs."""
        last: str | None = None
        while page := self._renders.page(project_id, limit=PAGE, before=last):
            yield from (render.job_id for render in page)
            last = page[-1].id

    def discard_files(self, project_id: str) -> None:
        """Delete the files of the project's videos and of their chunks, after their jobs have ended."""
        for job_id in self.jobs_of(project_id):
            self._files.discard_chunks(job_id)
        self.discard_videos(project_id)

    def discard_videos(self, project_id: str) -> None:
        """Delete the files of the project's videos."""
        self._files.discard_videos(project_id)


def _position(turns: RenderTurns, render: Render, clock: Clock) -> int:
    if render.status != "running":
        return 0
    return position(turns.taken(render.owner), render.job_id, clock()) or 0
