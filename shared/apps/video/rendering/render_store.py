"""The ports that keep renders and their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.apps.video.rendering.render import Render
from shared.jobs.store import PreparedWrites


class RenderStore(Protocol):
    """Keep what is known of renders. Raises the storage faults of `shared/errors.py`."""

    def get(self, project_id: str, render_id: str) -> Render | None:
        """Return a render of this project, strongly consistent; None if the project has no such render."""

    def page(self, project_id: str, *, limit: int, before: str | None = None) -> Sequence[Render]:
        """Return the newest renders of the project; with `before`, the newest ones that are older than that id."""

    def prepare_new(self, render: Render) -> PreparedWrites:
        """Prepare a new render. Its conditions: there is none with its id, and the project takes jobs."""

    def prepare_update(self, render: Render) -> PreparedWrites:
        """Prepare another state of a render. Its condition: the render is stored."""


class FileGone(Exception):
    """The file is not stored."""


class RenderFiles(Protocol):
    """Keep the files of chunks, which are erased with their job, and of whole videos, which expire.

    A file is stored wholly or not at all. Raises the storage faults of `shared/errors.py`.
    """

    def chunk(self, job_id: str, name: str) -> bytes:
        """Return the file of a chunk. Raises FileGone if it is not stored."""

    def keep_chunk(self, job_id: str, name: str, content: bytes) -> None:
        """Store the file of a chunk."""

    def discard_chunks(self, job_id: str) -> None:
        """Delete the files of the job's chunks, if there are any."""

    def keep_video(self, render: Render, content: bytes) -> None:
        """Store the file of a whole video."""

    def discard_video(self, render: Render) -> None:
        """Delete the file of a whole video, if it is stored."""

    def discard_videos(self, project_id: str) -> None:
        """Delete the files of all videos of a project."""

    def url(self, render: Render, *, name: str) -> str:
        """Return a URL from which the video can be saved under this name for a few minutes."""
