"""Renders of a project: what is asked for, what is kept of each, and what its stages hand on to each other."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from shared.apps.video.image_store import Image
from shared.apps.video.job_state import JobState
from shared.apps.video.rendering.chunks import Chunk, divide
from shared.apps.video.rendering.plan import Quality, RenderPlan
from shared.jobs.job import Fault
from shared.jobs.pipeline import JobInput
from shared.schema import Schema

KEPT_DAYS: Final = 30
"""How many days the file of a render is kept: as long as the rule of the bucket for `renders/` says."""


class RenderInput(JobInput):
    """What to render. Without `revision` it is the newest one when the render is created."""

    revision: Annotated[int, Field(strict=True, ge=1, le=999_999_999)] | None = None
    quality: Quality = Field(default="standard", description="`draft` has half the size, `high` the best picture")


class VideoFile(Schema):
    """The MP4 file of a render: its size in bytes, its digest in hexadecimal digits, and the video in it.

    `width` and `height` are in pixels and even: a format with an odd size loses a row or a column.
    """

    bytes: int
    sha256: str
    frames: int
    seconds: float
    width: int
    height: int


class RenderResult(Schema):
    """The result of a render's job. `render_seconds` is how long its chunks took, all together.

    `missing_fonts` are packages of Debian that have fonts for what was drawn as boxes.
    """

    render_id: str
    revision: int
    file: VideoFile
    chunks: int
    render_seconds: float
    missing_fonts: tuple[str, ...] = ()


class Render(Schema):
    """A render of a project, which follows its job. `revision` is frozen when the render is created.

    `frames` is the length of the video, `file` is set when the job has completed, and `expires_at` is then the end of
    the file.
    """

    id: str
    project_id: str
    owner: str
    job_id: str
    revision: int = Field(ge=1)
    quality: Quality
    frames: int = Field(ge=1)
    fps: int = Field(ge=1)
    status: JobState = "running"
    failure: Fault | None = None
    file: VideoFile | None = None
    created_at: datetime
    ended_at: datetime | None = None
    expires_at: datetime | None = None


class PlannedRender(Schema):
    """What PlanRender hands on to the chunks: the frozen plan, and the images that it shows."""

    plan: RenderPlan
    images: tuple[Image, ...] = ()

    @property
    def chunks(self) -> dict[str, Chunk]:
        """The chunks of the video by name, in their order."""
        return {chunk.name: chunk for chunk in divide(self.plan.frames)}


class ChunkResult(Schema):
    """What a rendered chunk leaves: `chunk` is its number of `of`, from 1, `first_frame` counts from 0.

    `milliseconds` is how long it took; 0 if an earlier attempt had stored the file. `renderer` is the browser and its
    version, and `missing_fonts` are packages that have fonts for what was drawn as boxes.
    """

    chunk: int
    of: int
    first_frame: int
    frames: int
    bytes: int
    sha256: str
    milliseconds: int
    renderer: str | None = None
    missing_fonts: tuple[str, ...] = ()
