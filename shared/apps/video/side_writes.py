"""Let the chat of a project follow its jobs: a message is stored with its job, and shows how the job has ended.

What renders write is in `rendering/side_writes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from shared.apps.video.ids import message_id
from shared.apps.video.job_state import state_of
from shared.apps.video.models import VideoChatInput
from shared.apps.video.project import ChatMessage, Project
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.tools.toolbox import broken_rules
from shared.errors import CheckpointUnfit, ErrorCode, FieldIssue, InvalidInput
from shared.jobs.job import Job, JobStatus
from shared.jobs.side_writes import SideWrites
from shared.jobs.store import PreparedWrites

RECENT = 20
"""Among how many of the newest messages a question can be answered."""

CheckImages = Callable[[str, Sequence[str]], object]
"""Raise InvalidInput unless these are ready images of the project, which is named first."""


class OfPipelines:
    """Implements SideWrites: those of the job's pipeline, by its name."""

    def __init__(self, by_pipeline: Mapping[str, SideWrites]) -> None:
        self._by_pipeline = by_pipeline

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """Prepare what goes with a new job. Raises what the pipeline's side writes raise."""
        return self._by_pipeline[job.pipeline].on_creation(job)

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare what goes with an end or a resumption. Raises what the pipeline's side writes raise."""
        return self._by_pipeline[job.pipeline].on_transition(job)


class ProjectMessages:
    """Implements SideWrites: the request of a chat job is a message of its project."""

    def __init__(self, projects: ProjectStore, *, check_images: CheckImages) -> None:
        self._projects = projects
        self._check_images = check_images

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """Prepare the message.

        Raises InvalidInput: the job names no project of its owner, the message names something that the project does
        not have, or its tool does not take the arguments.
        """
        project = self._project(job)
        if project is None or project.owner != job.owner or project.deleting:
            rule = "must be the id of one of your projects: a job of this pipeline works on a project"
            raise InvalidInput([FieldIssue("links.projectId", rule)])
        asked = VideoChatInput.model_validate(job.input)
        issues = [*_unknown_scenes(project, asked), *self._unknown_question(project, asked), *_tool_issues(asked)]
        if issues:
            raise InvalidInput(issues)
        if asked.image_ids:
            self._check_images(project.id, asked.image_ids)
        message = ChatMessage(
            project_id=project.id,
            id=message_id(job.id, "user"),
            role="user",
            text=asked.text,
            job_id=job.id,
            image_ids=asked.image_ids,
            scene_ids=asked.scene_ids,
            answer_to=asked.answer_to,
            status="running",
            created_at=job.created_at,
        )
        return self._projects.prepare_message(message)

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare how the message's job has ended, or that it runs again; None if the message says so already.

        An answered message stays completed, however its job ends: the answer is stored, and the changes are made.

        Raises CheckpointUnfit for the resumption of a job whose scene was changed meanwhile: it would be refused again.
        """
        before = self._projects.message(str(job.links.project_id), message_id(job.id, "user"))
        if before is None:
            return None  # the project was deleted
        if before.status == "completed":
            return None
        if not job.status.ended and before.failure and before.failure.code == ErrorCode.SCENE_CHANGED:
            raise CheckpointUnfit(before.failure.message)
        failure = job.failure if job.status is JobStatus.FAILED else None
        # The owner sees a stack trace only on request.
        shown = None if failure is None else failure.model_copy(update={"stack_trace": None})
        after = before.model_copy(update={"status": state_of(job), "failure": shown})
        return None if after == before else self._projects.prepare_update(after, was=before.status)

    def _project(self, job: Job) -> Project | None:
        return self._projects.get(job.links.project_id) if job.links.project_id else None

    def _unknown_question(self, project: Project, asked: VideoChatInput) -> Iterator[FieldIssue]:
        if asked.answer_to is None:
            return
        recent = self._projects.messages(project.id, limit=RECENT)
        if not any(each.id == asked.answer_to and each.kind == "question" for each in recent):
            rule = f"must be the id of a question among the {RECENT} newest messages of the project's chat"
            yield FieldIssue("answerTo", rule)


def _unknown_scenes(project: Project, asked: VideoChatInput) -> Iterator[FieldIssue]:
    rule = "must be the id of a scene that the project has now"
    for index, scene_id in enumerate(asked.scene_ids):
        if project.manifest.scene(scene_id) is None:
            yield FieldIssue(f"sceneIds.{index}", rule)
    if asked.selected_scene_id is not None and project.manifest.scene(asked.selected_scene_id) is None:
        yield FieldIssue("selectedSceneId", rule)


def _tool_issues(asked: VideoChatInput) -> Iterator[FieldIssue]:
    for each in () if asked.tool is None else broken_rules(asked.tool):
        yield FieldIssue(".".join(filter(None, ("tool.arguments", each.field))), each.rule)
