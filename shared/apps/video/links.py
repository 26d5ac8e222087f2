"""Let jobs be linked to projects: the project must be stored, and belong to the job's owner."""

from __future__ import annotations

from collections.abc import Container

from shared.apps.video.ids import PROJECT_ID
from shared.apps.video.project_store import ProjectStore
from shared.jobs.job import Job
from shared.jobs.store import PreparedWrites


class LinkedProjects:
    """Implements LinkedEntities for projects.

    The jobs of `own_pipelines` store a message in the same transaction, and that has the condition.
    """

    def __init__(self, projects: ProjectStore, *, own_pipelines: Container[str]) -> None:
        self._projects = projects
        self._own_pipelines = own_pipelines

    def condition(self, job: Job, entity_id: str) -> PreparedWrites | None:
        """Prepare the condition that the project is stored. Return None if it is not the owner's, or is deleted."""
        project = self._projects.get(entity_id) if PROJECT_ID.fullmatch(entity_id) else None
        if project is None or project.owner != job.owner or project.deleting:
            return None
        return (
            PreparedWrites(()) if job.pipeline in self._own_pipelines else self._projects.prepare_presence(project.id)
        )
