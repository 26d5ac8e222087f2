"""Send messages to the chat of a project: each starts a job that answers it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.apps.video.models import VideoChatInput
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.queries import owned_project
from shared.jobs.creation import JobCreation, NewJob
from shared.jobs.job import Job, JobLinks

PIPELINE = "video_chat"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a request's job is traced by."""

    trace_id: str | None = None
    request_id: str | None = None


class ChatMessages:
    """Send messages. `owner` is the authenticated user."""

    def __init__(self, *, projects: ProjectStore, jobs: JobCreation) -> None:
        self._projects = projects
        self._jobs = jobs

    def send(
        self,
        owner: str,
        project_id: str,
        message: VideoChatInput,
        origin: Origin,
        *,
        idempotency_key: str | None = None,
    ) -> Job:
        """Store the message together with the job that answers it, start the job, and return it.

        Raises:
            NotFound, Forbidden: as `owned_project`.
            InvalidInput: the message names an image, a scene, a question, an agent or a model that there is not.
            RateLimitExceeded: the owner has created too many jobs in the last minute.
        """
        project = owned_project(self._projects, owner, project_id)
        links = JobLinks(project_id=project.id)
        request = NewJob(PIPELINE, message, links, origin.trace_id, origin.request_id)
        return self._jobs.create(owner, request, idempotency_key=idempotency_key)
