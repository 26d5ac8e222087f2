"""Create, change, revert and delete projects. Every change makes a revision, so nothing is ever lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.apps.video.applying import Applied, insertion_index, with_changes
from shared.apps.video.changes import FIRST
from shared.apps.video.ids import new_project_id
from shared.apps.video.manifest import Manifest
from shared.apps.video.project import Cause, Project, Revision
from shared.apps.video.project_store import (
    MOST_PROJECTS,
    ProjectStore,
    ProjectWrite,
    StaleProject,
    TooManyProjects,
)
from shared.apps.video.queries import owned_project, revision_of, unknown_project
from shared.apps.video.scene import MAX_SCENES, Format
from shared.clock import Clock
from shared.errors import (
    Conflict,
    ErrorCode,
    FieldIssue,
    InvalidInput,
    PreconditionFailed,
    StorageThrottled,
)
from shared.jobs.cancellation import JobCancellation
from shared.jobs.erasure import JobErasure
from shared.jobs.idempotency import IdempotencyKeys, KeyClaim, hash_of_request
from shared.jobs.job import LinkKind
from shared.observability.log import log

if TYPE_CHECKING:
    from shared.apps.video.images import ImageDeletion
    from shared.apps.video.rendering.renders import RenderDeletion

IDEMPOTENCY_SECONDS = 24 * 3600
"""How long an idempotency key is valid."""

MOST_TRIES = 20
"""How often a change is made again because another one has changed the project meanwhile."""

PURGED_AFTER = timedelta(hours=1)
"""When a deleted project is looked at again: no request that began before its deletion still runs."""

PAGE = 100
"""How many messages are read at once."""


class Projects:
    """Create projects, change them by hand, and return to their revisions. `owner` is the authenticated user."""

    def __init__(self, *, projects: ProjectStore, keys: IdempotencyKeys, clock: Clock) -> None:
        self._projects = projects
        self._keys = keys
        self._clock = clock

    def create(self, owner: str, title: str, video_format: Format, *, idempotency_key: str | None = None) -> Project:
        """Store an empty project and return it. A repeat with the same key gets the first one.

        Raises:
            InvalidInput: the key was used with another request.
            Conflict: the owner has too many projects, or the project of the first request with this key was deleted.
        """
        now = self._clock()
        project = Project(
            id=new_project_id(int(now.timestamp() * 1000)),
            owner=owner,
            title=title,
            format=video_format,
            revision=1,
            created_at=now,
            updated_at=now,
        )
        revision = Revision(
            project_id=project.id,
            number=1,
            title=title,
            format=video_format,
            manifest=project.manifest,
            cause=Cause(kind="create"),
            summary="Created the project",
            created_at=now,
        )
        write = ProjectWrite(None, project, revision)
        try:
            if idempotency_key is None:
                self._projects.save(write)
                return project
            hashed = {"project": {"title": title, "format": video_format.model_dump()}}
            claim = KeyClaim(job_id=project.id, request_hash=hash_of_request(hashed), claimed_at=now.timestamp())
            return self._claimed(owner, idempotency_key, claim, write)
        except TooManyProjects:
            raise Conflict(f"you have {MOST_PROJECTS} projects, which is the most; delete one first") from None

    def update(
        self,
        owner: str,
        project_id: str,
        *,
        title: str | None,
        video_format: Format | None,
        expected: int | None = None,
    ) -> Project:
        """Set the project's title or format, and return the project; None leaves each as it is.

        Raises:
            NotFound, Forbidden: as `owned_project`.
            PreconditionFailed: the newest revision is not `expected`.
            Conflict: the project has scenes, which were not played in the other format.
        """

        def next_state(project: Project) -> Applied:
            if video_format is not None and video_format != project.format and project.manifest.scenes:
                raise Conflict(
                    f"the project's {len(project.manifest.scenes)} scenes are played at {project.format}; send a "
                    "message with the tool applyPatch that replaces /format, so that they are played in the other "
                    "format first"
                )
            return Applied(title or project.title, video_format or project.format, project.manifest)

        return self._change(owner, project_id, next_state, Cause(kind="direct"), "Changed the project", expected)

    def revert(
        self, owner: str, project_id: str, number: int, *, scene_id: str | None = None, expected: int | None = None
    ) -> Project:
        """Make the project, or one of its scenes, as it was at a revision, and return the project.

        That is a new revision, so what came later can be returned to as well. A scene that was removed meanwhile comes
        back behind the scene that it followed then.

        Raises:
            NotFound, Forbidden: as `owned_project`.
            InvalidInput: the project has no such revision, or that revision no such scene.
            PreconditionFailed: the newest revision is not `expected`.
            Conflict: the project would have too many scenes, or the scene is of a revision with another format.
        """

        def next_state(project: Project) -> Applied:
            then = revision_of(self._projects, project, number)
            if scene_id is None:
                return Applied(then.title, then.format, then.manifest)
            if then.format != project.format:
                raise Conflict(
                    f"revision {number} was played at {then.format}, and the project has {project.format} now; return "
                    "the whole project to the revision, or change its format first"
                )
            return Applied(project.title, project.format, _with_scene_of(project.manifest, then, scene_id))

        cause = Cause(kind="revert", reverted_to=number)
        what = "the project" if scene_id is None else "a scene"
        return self._change(owner, project_id, next_state, cause, f"Returned {what} to revision {number}", expected)

    def _change(
        self,
        owner: str,
        project_id: str,
        next_state: Callable[[Project], Applied],
        cause: Cause,
        summary: str,
        expected: int | None,
    ) -> Project:
        for _ in range(MOST_TRIES):
            project = owned_project(self._projects, owner, project_id)
            if expected is not None and project.revision != expected:
                raise PreconditionFailed(
                    f"the project has revision {project.revision} now, and you have seen revision {expected}; "
                    "read it again, then repeat the request"
                )
            applied = with_changes(project, next_state(project))
            if not applied.changes:
                return project
            write = next_revision(project, applied, cause, summary, self._clock)
            try:
                self._projects.save(write)
            except StaleProject:
                continue
            return write.after
        raise StorageThrottled("the project is changed by others all the time; try again")

    def _claimed(self, owner: str, key: str, claim: KeyClaim, write: ProjectWrite) -> Project:
        """Store the project together with the claim of the key, or return the project that has claimed it before."""
        first = self._keys.find(owner, key)
        if first is None:
            expires_at = int(claim.claimed_at) + IDEMPOTENCY_SECONDS
            try:
                self._projects.save(write, also=self._keys.claiming(owner, key, claim, expires_at=expires_at))
            except StaleProject:
                first = self._keys.find(owner, key)
        if first is None:
            return write.after
        if first.request_hash != claim.request_hash:
            rule = "must be a new key, because this key was used with a different request body"
            raise InvalidInput([FieldIssue("Idempotency-Key", rule)], code=ErrorCode.IDEMPOTENCY_KEY_REUSED)
        project = self._projects.get(first.job_id)
        if project is None or project.deleting:
            raise Conflict(
                f"this Idempotency-Key created project {first.job_id}, which was deleted; send a new key to create "
                "another"
            )
        return project


class ProjectDeletion:
    """Delete projects, and end the jobs that work on them."""

    def __init__(
        self,
        *,
        projects: ProjectStore,
        renders: RenderDeletion,
        images: ImageDeletion,
        cancellation: JobCancellation,
        erasure: JobErasure,
        clock: Clock,
    ) -> None:
        self._projects = projects
        self._renders = renders
        self._images = images
        self._clock = clock
        self._cancellation = cancellation
        self._erasure = erasure

    def delete(self, owner: str, project_id: str) -> None:
        """Remove the project with all that belongs to it: its jobs, its scenes, its images, its renders and its chat.

        If a deletion failed halfway, call this again: it completes the deletion.

        Raises:
            NotFound: the project does not exist or was deleted.
            Forbidden: the project has another owner.
        """
        project = self._projects.get(project_id)
        if project is None or not project.deleting:
            project = owned_project(self._projects, owner, project_id)
        elif project.owner != owner:
            raise unknown_project(project_id)
        # From here on the project takes no jobs and no changes.
        self._projects.hide(project)
        self._cancellation.cancel_linked(owner, LinkKind.PROJECT, project.id)
        for job_id in self._job_ids(project.id):
            self._erasure.erase(owner, job_id)
        self._erasure.erase_linked(owner, LinkKind.PROJECT, project.id)
        self._renders.discard_files(project.id)
        self._images.discard_uploads(project.id)
        # The project last: it names the jobs, so a repeated deletion still finds what to remove.
        self._projects.delete(project.id, purge_at=self._clock() + PURGED_AFTER)
        log.info("project deleted", project_id=project.id)

    def _job_ids(self, project_id: str) -> list[str]:
        found: dict[str, None] = {}
        last: str | None = None
        while page := self._projects.messages(project_id, limit=PAGE, before=last):
            found |= dict.fromkeys(each.job_id for each in page)
            last = page[-1].id
        return [*found, *self._renders.jobs_of(project_id)]


def next_revision(project: Project, applied: Applied, cause: Cause, summary: str, clock: Clock) -> ProjectWrite:
    """Return the write of the project's next revision."""
    now = clock()
    state = {"title": applied.title, "format": applied.format, "manifest": applied.manifest}
    after = project.model_copy(update={**state, "revision": project.revision + 1, "updated_at": now})
    revision = Revision(
        project_id=project.id,
        number=after.revision,
        title=applied.title,
        format=applied.format,
        manifest=applied.manifest,
        cause=cause,
        summary=summary,
        changes=applied.changes,
        created_at=now,
    )
    return ProjectWrite(project, after, revision, applied.scenes, applied.components)


def _with_scene_of(manifest: Manifest, then: Revision, scene_id: str) -> Manifest:
    """Return the manifest with a scene as it was at the revision `then`."""
    entry = then.manifest.scene(scene_id)
    if entry is None:
        raise InvalidInput([FieldIssue("sceneId", f"must be a scene of revision {then.number}")])
    if manifest.scene(scene_id) is not None:
        scenes = [entry if each.scene_id == scene_id else each for each in manifest.scenes]
    elif len(manifest.scenes) >= MAX_SCENES:
        raise Conflict(f"the project has {MAX_SCENES} scenes, which is the most; remove one first")
    else:
        scenes = list(manifest.scenes)
        scenes.insert(_place_of(manifest, then, scene_id), entry)
    return manifest.model_copy(update={"scenes": tuple(scenes)})


def _place_of(manifest: Manifest, then: Revision, scene_id: str) -> int:
    """Return the index behind the nearest scene before it then that is still there; 0 if none is."""
    ids = [each.scene_id for each in then.manifest.scenes]
    before = ids[: ids.index(scene_id)]
    nearest = next((each for each in reversed(before) if manifest.scene(each) is not None), FIRST)
    return insertion_index(manifest.scenes, nearest)
