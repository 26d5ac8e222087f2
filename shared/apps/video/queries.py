"""Read projects for their owners: one with its scenes at any revision, a page of them, its revisions and its chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.apps.video.ids import MESSAGE_ID, PROJECT_ID, SCENE_ID
from shared.apps.video.project import ChatMessage, Project, Revision
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.scene import ComponentVersion, SceneVersion
from shared.errors import FieldIssue, Forbidden, InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class Code:
    """The versions of a revision's scenes and components, by scene id and by name."""

    scenes: Mapping[str, SceneVersion]
    components: Mapping[str, ComponentVersion]


class ProjectQueries:
    """Read projects. `owner` is the authenticated user, who sees only their own projects."""

    def __init__(self, projects: ProjectStore) -> None:
        self._projects = projects

    def owned(self, owner: str, project_id: str) -> Project:
        """Return the owner's project, as `owned_project` does."""
        return owned_project(self._projects, owner, project_id)

    def list_projects(self, owner: str, *, limit: int, cursor: str | None) -> tuple[Sequence[Project], str | None]:
        """Return a page of the owner's projects, newest first, and the cursor of the next page.

        Raises InvalidInput for an invalid cursor.
        """
        try:
            return self._projects.list_of(owner, limit=limit, cursor=cursor)
        except ValueError:
            raise _bad_cursor() from None

    def at(self, project: Project, number: int | None) -> Project:
        """Return the project as it was at a revision, or as it is now if `number` is None.

        Raises InvalidInput if the project has no such revision.
        """
        if number is None or number == project.revision:
            return project
        found = revision_of(self._projects, project, number)
        then = {"title": found.title, "format": found.format, "manifest": found.manifest, "revision": found.number}
        return project.model_copy(update={**then, "updated_at": found.created_at})

    def code(self, project: Project) -> Code:
        """Return what the project's scenes and components consist of."""
        manifest = project.manifest
        scenes = self._projects.scenes(project.id, [(each.scene_id, each.version) for each in manifest.scenes])
        wanted = [(each.name, each.version) for each in manifest.components]
        components = self._projects.components(project.id, wanted) if wanted else {}
        return Code(
            {scene_id: scene for (scene_id, _), scene in scenes.items()},
            {name: component for (name, _), component in components.items()},
        )

    def scene(self, owner: str, project_id: str, scene_id: str, version: int | None) -> SceneVersion:
        """Return a version of a scene, or without `version` the one that the project has now.

        Raises NotFound if there is none, and what `owned` raises.
        """
        project = self.owned(owner, project_id)
        entry = project.manifest.scene(scene_id)
        number = version if version is not None else entry.version if entry else None
        key = None if number is None or not SCENE_ID.fullmatch(scene_id) else (scene_id, number)
        found = None if key is None else self._projects.scenes(project.id, [key]).get(key)
        if found is None:
            which = "now: it was removed, or never had one" if version is None else f"in version {version}"
            raise NotFound(f"the project has no scene {scene_id[:64]} {which}")
        return found

    def revisions(self, owner: str, project_id: str, *, limit: int, cursor: str | None) -> Sequence[Revision]:
        """Return a page of the project's revisions, newest first. Raises InvalidInput, and what `owned` raises."""
        project = self.owned(owner, project_id)
        if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 10):
            raise _bad_cursor()
        return self._projects.revisions(project.id, limit=limit, before=None if cursor is None else int(cursor))

    def messages(
        self, owner: str, project_id: str, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[ChatMessage], str | None]:
        """Return a page of the project's messages, newest first, and the cursor of the next page.

        Raises InvalidInput for an invalid cursor, and what `owned` raises.
        """
        project = self.owned(owner, project_id)
        if cursor is not None and not MESSAGE_ID.fullmatch(cursor):
            raise _bad_cursor()
        found = self._projects.messages(project.id, limit=limit + 1, before=cursor)
        return found[:limit], found[limit - 1].id if len(found) > limit else None


def owned_project(projects: ProjectStore, owner: str, project_id: str) -> Project:
    """Return the owner's project.

    Raises:
        NotFound: the project does not exist or was deleted.
        Forbidden: the project has another owner.
    """
    project = projects.get(project_id) if PROJECT_ID.fullmatch(project_id) else None
    if project is None or project.deleting:
        raise unknown_project(project_id)
    if project.owner != owner:
        raise Forbidden("this project belongs to another user")
    return project


def revision_of(projects: ProjectStore, project: Project, number: int) -> Revision:
    """Return a revision of the project. Raises InvalidInput if it has no such revision."""
    found = projects.revision(project.id, number) if 1 <= number <= project.revision else None
    if found is None:
        raise InvalidInput([FieldIssue("revision", f"must be a revision of the project, from 1 to {project.revision}")])
    return found


def unknown_project(project_id: str) -> NotFound:
    """Return the error for a project that does not exist; it shows at most 64 characters of the client's id."""
    return NotFound(f"project {project_id[:64]} was not found or was deleted")


def _bad_cursor() -> InvalidInput:
    return InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")])
