"""Erase the projects of an owner."""

from __future__ import annotations

import contextlib
from datetime import datetime
from itertools import chain

from shared.apps.video.project_store import ProjectStore
from shared.apps.video.projects import ProjectDeletion
from shared.apps.video.rendering.renders import RenderDeletion
from shared.clock import Clock
from shared.erasure.owner_data import ErasedStep, erase_then_purge
from shared.errors import NotFound


class OwnerProjects:
    """Implements OwnerData for projects."""

    name = "projects"
    holds = "video projects with their scenes, images, messages, preferences and renders"
    places = (
        "DurableTable PROJECT#",
        "ArtefactBucket projects/",
        "ArtefactBucket renders/",
        "ArtefactBucket uploads/",
    )

    def __init__(
        self, projects: ProjectStore, deletion: ProjectDeletion, renders: RenderDeletion, *, clock: Clock
    ) -> None:
        self._projects = projects
        self._deletion = deletion
        self._renders = renders
        self._clock = clock

    def erase_some(self, owner: str, *, until: datetime, settled: bool) -> ErasedStep:
        """Delete projects, first those whose deletion has broken off; purge them when no request or job is left."""

        def delete(project_id: str) -> None:
            with contextlib.suppress(NotFound):  # the index may be behind the table
                self._deletion.delete(owner, project_id)

        hidden = (each for each in self._projects.ids_of(owner, gone=True) if self._projects.get(each) is not None)
        return erase_then_purge(
            chain(hidden, self._projects.ids_of(owner)),
            delete,
            erased=lambda: self._projects.ids_of(owner, gone=True),
            purge=self._purge,
            clock=self._clock,
            until=until,
            settled=settled,
        )

    def _purge(self, project_id: str) -> None:
        self._renders.discard_videos(project_id)
        self._projects.purge(project_id)
