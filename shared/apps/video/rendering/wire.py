"""Define the wire models of renders, and convert renders to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from pydantic import ConfigDict

from shared.apps.video.rendering.plan import Quality
from shared.apps.video.rendering.render import RenderInput
from shared.apps.video.rendering.renders import RenderState
from shared.jobs.job import Fault
from shared.schema import Schema


class NewRender(RenderInput):
    """The body of `POST /projects/{projectId}/renders`."""

    model_config = ConfigDict(validate_by_name=False, defer_build=False)


class RenderDetail(Schema):
    """A render of a project: its video is the project as it is at `revision`.

    `status` is `queued` while two other renders of the user run; `position` 1 is the next one that gets a turn, and 0
    means that it does not wait. Before the chunks are planned, `chunks` is null. Lists do not have the progress of
    renders that have not ended. The file, with its size in bytes, is there when the render has completed;
    `downloadUrl` is valid for five minutes, and null after `expiresAt`.
    """

    render_id: str
    project_id: str
    job_id: str
    revision: int
    quality: Quality
    status: Literal["queued", "rendering", "completed", "failed", "cancelled"]
    position: int
    progress: float
    chunks: int | None
    chunks_rendered: int
    frames: int
    fps: int
    seconds: float
    width: int | None
    height: int | None
    bytes: int | None
    sha256: str | None
    failure: Fault | None
    download_url: str | None
    created_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None
    render_url: str
    status_url: str
    stream_url: str


class RenderList(Schema):
    """One page of a project's renders, newest first. Send `cursor` for the next page; it is null on the last page."""

    renders: tuple[RenderDetail, ...]
    cursor: str | None


class RenderUrls(Protocol):
    """Builds the URLs of a render."""

    def project(self, project_id: str) -> str: ...

    def status(self, job_id: str) -> str: ...

    def stream(self, job_id: str) -> str: ...


def render_detail(state: RenderState, urls: RenderUrls) -> RenderDetail:
    """Return the wire model of a render."""
    render, file = state.render, state.render.file
    running: Literal["queued", "rendering"] = "queued" if state.position else "rendering"
    return RenderDetail(
        render_id=render.id,
        project_id=render.project_id,
        job_id=render.job_id,
        revision=render.revision,
        quality=render.quality,
        status=running if render.status == "running" else render.status,
        position=state.position,
        progress=state.progress,
        chunks=state.chunks,
        chunks_rendered=state.chunks_rendered,
        frames=render.frames,
        fps=render.fps,
        seconds=round(render.frames / render.fps, 3),
        width=file.width if file else None,
        height=file.height if file else None,
        bytes=file.bytes if file else None,
        sha256=file.sha256 if file else None,
        failure=render.failure,
        download_url=state.url,
        created_at=render.created_at,
        ended_at=render.ended_at,
        expires_at=render.expires_at,
        render_url=f"{urls.project(render.project_id)}/renders/{render.id}",
        status_url=urls.status(render.job_id),
        stream_url=urls.stream(render.job_id),
    )


def render_list(states: Sequence[RenderState], cursor: str | None, urls: RenderUrls) -> RenderList:
    """Return the wire model of a page of renders."""
    return RenderList(renders=tuple(render_detail(each, urls) for each in states), cursor=cursor)
