"""Run the stage `save_scenes`: make the changes of a message a revision of its project, and store the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from shared.apps.video.applying import apply_changes
from shared.apps.video.events import ComponentStage, SceneStatus, component_key, scene_key
from shared.apps.video.ids import message_id
from shared.apps.video.manifest import Manifest
from shared.apps.video.models import ChangeMade, MadeComponent, PreparedAnswer, VideoChatResult
from shared.apps.video.preferences import PreferenceScope, PreferenceStore, with_learned
from shared.apps.video.project import Cause, ChatMessage, Project
from shared.apps.video.project_store import ProjectStore, ProjectWrite, StaleProject
from shared.apps.video.projects import next_revision
from shared.clock import Clock
from shared.errors import JobEnded, StorageThrottled
from shared.jobs.job import Job
from shared.jobs.store import PreparedWrites
from shared.stages.stage import StageContext

MOST_TRIES = 20
"""How often the changes are applied again because other messages have changed the project meanwhile."""

PROGRESS = 95.0
"""Progress in percent when the changes are stored."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The answer that is stored, and the manifest of the revision that it tells of."""

    message: ChatMessage
    manifest: Manifest


class SaveScenes:
    """Store what the stages before have made: all of it in one transaction, exactly once."""

    name = "save_scenes"

    def __init__(self, *, projects: ProjectStore, preferences: PreferenceStore, clock: Clock) -> None:
        self._projects = projects
        self._preferences = preferences
        self._clock = clock

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the result of the job.

        Raises:
            SceneChanged, ChangeRefused: the changes cannot be made to the project as it is now; nothing was changed.
            JobEnded: the project was deleted or the job cancelled meanwhile.
            StorageThrottled: other messages change the project all the time.
        """
        assert context.previous is not None  # noqa: S101 - not the first stage
        prepared = PreparedAnswer.model_validate(context.previous.output)
        await context.append_event(*(_upload(made, "started", 75) for made in prepared.made))
        saved = await asyncio.to_thread(self._save, context.job, prepared)
        context.output.report_progress(PROGRESS)
        for key, data, event in _items(saved):
            if key not in context.items:
                await context.add_item(key, data, event=event)
        await context.append_event(*(_upload(made, "finished", 100) for made in prepared.made))
        return _result(prepared, saved.message).model_dump(mode="json")

    def _save(self, job: Job, prepared: PreparedAnswer) -> Saved:
        """Store the changes and the answer, or return what an earlier attempt has stored."""
        for _ in range(MOST_TRIES):
            project = self._projects.get(str(job.links.project_id))
            if project is None or project.deleting:
                raise JobEnded("the project was deleted")
            stored = self._projects.message(project.id, message_id(job.id, "assistant"))
            if stored is not None:
                return Saved(stored, self._manifest(project, stored))
            saved = self._try(project, job, self._request(project, job), prepared)
            if saved is not None:
                return saved
        raise StorageThrottled("the project is changed by other messages all the time; try again")

    def _try(self, project: Project, job: Job, request: ChatMessage, prepared: PreparedAnswer) -> Saved | None:
        """Store the changes and the answer; return None if the project has changed meanwhile."""
        now = self._clock()
        applied = apply_changes(project, prepared.changes, at=now)
        also = self._also(project, request, prepared)
        if not applied.changes:
            answer = self._answer(project, job, prepared)
            return Saved(answer, project.manifest) if self._projects.add_message(answer, also=also) else None
        cause = Cause(kind="chat", job_id=job.id, message_id=message_id(job.id, "user"))
        write = next_revision(project, applied, cause, prepared.summary or prepared.reply, self._clock)
        answer = self._answer(write.after, job, prepared, applied.changes)
        write = ProjectWrite(
            write.before, write.after, write.revision, write.scenes, write.components, messages=(answer,)
        )
        try:
            self._projects.save(write, also=also)
        except StaleProject:
            return None
        return Saved(answer, write.after.manifest)

    def _also(self, project: Project, request: ChatMessage, prepared: PreparedAnswer) -> PreparedWrites:
        """Prepare what goes with the answer: the request is answered if its job still runs, and what was learned."""
        answered = self._projects.prepare_update(request.model_copy(update={"status": "completed"}), was="running")
        scope = PreferenceScope(project.owner, project.id)
        if not prepared.learned:
            return answered
        preferences = with_learned(
            self._preferences.get(scope),
            prepared.learned,
            message_id=request.id,
            at=self._clock(),
        )
        if preferences is None:
            return answered
        return PreparedWrites((*answered.writes, *self._preferences.prepare(scope, preferences).writes))

    def _answer(
        self, project: Project, job: Job, prepared: PreparedAnswer, changes: tuple[ChangeMade, ...] = ()
    ) -> ChatMessage:
        asked = prepared.outcome == "asked"
        return ChatMessage(
            project_id=project.id,
            id=message_id(job.id, "assistant"),
            role="assistant",
            kind="question" if asked else "message",
            text=(prepared.question if asked else None) or prepared.reply,
            job_id=job.id,
            image_ids=prepared.images_used,
            choice=prepared.choice,
            options=prepared.options,
            revision=project.revision,
            changes=changes,
            created_at=self._clock(),
        )

    def _request(self, project: Project, job: Job) -> ChatMessage:
        """Return the message. Raises JobEnded if its job was cancelled or has failed: then no change is stored."""
        request = self._projects.message(project.id, message_id(job.id, "user"))
        if request is None or request.status != "running":
            raise JobEnded("the job has ended; nothing was changed")
        return request

    def _manifest(self, project: Project, answer: ChatMessage) -> Manifest:
        """Return the manifest of the revision that a stored answer tells of."""
        revision = None if answer.revision is None else self._projects.revision(project.id, answer.revision)
        return project.manifest if revision is None else revision.manifest


def _upload(made: MadeComponent, status: Literal["started", "finished"], percent: int) -> ComponentStage:
    """Return the event of the last step of a component: it is stored."""
    return ComponentStage(
        key=made.key, scene_id=made.scene_id, name=made.name, stage="upload", status=status, percent=percent
    )


def _items(saved: Saved) -> Iterator[tuple[str, dict[str, Any], SceneStatus | None]]:
    """Yield an item for each scene and component that was changed, by its key, with the event that tells of it."""
    orders = {each.scene_id: order for order, each in enumerate(saved.manifest.scenes, 1)}
    for change in saved.message.changes:
        data = {"change": change.change, "name": change.name, "revision": saved.message.revision}
        data |= {"version": change.after, "before": change.before}
        if change.change == "component":
            yield component_key(change.id), data, None
        elif change.change != "project":
            key = scene_key(change.id)
            entry = saved.manifest.scene(change.id)
            played = {} if entry is None else entry.model_dump(mode="json")
            status = SceneStatus(
                key=key,
                scene_id=change.id,
                name=change.name,
                order=orders.get(change.id, 1),
                status="removed" if entry is None else "saved",
            )
            yield key, {**played, **data, "sceneId": change.id, "order": orders.get(change.id)}, status


def _result(prepared: PreparedAnswer, answer: ChatMessage) -> VideoChatResult:
    return VideoChatResult(
        outcome=prepared.outcome,
        tool=prepared.choice.tool,
        confidence=prepared.choice.confidence,
        reason=prepared.choice.reason,
        source=prepared.choice.source,
        reply=prepared.reply,
        revision=answer.revision or 1,
        changes=answer.changes,
        question=prepared.question,
        options=prepared.options,
        images_used=prepared.images_used,
    )
