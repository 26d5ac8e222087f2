"""The ports that keep projects and preferences, in memory."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from shared.apps.video.ids import PROJECT_ID
from shared.apps.video.job_state import JobState
from shared.apps.video.preferences import Preferences, PreferenceScope, StalePreferences
from shared.apps.video.project import ChatMessage, Project, Revision
from shared.apps.video.project_store import MOST_PROJECTS, ProjectWrite, StaleProject, TooManyProjects
from shared.apps.video.scene import ComponentVersion, SceneVersion
from shared.jobs.store import PreparedWrites, SideWriteConflict
from tests.fakes.transactions import FakeWrite, write_all


class FakeProjectStore:
    """Implements ProjectStore. It stores everything as JSON, so that a read never returns what was written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._projects: dict[str, str] = {}
        self._revisions: dict[str, dict[int, str]] = {}
        self._scenes: dict[str, dict[tuple[str, int], str]] = {}
        self._components: dict[str, dict[tuple[str, int], str]] = {}
        self._messages: dict[str, dict[str, str]] = {}
        self._counts: Counter[str] = Counter()
        self._deleted: dict[str, datetime] = {}
        self._noted: dict[str, str] = {}

    def save(self, write: ProjectWrite, *, also: PreparedWrites | None = None) -> None:
        after, before = write.after, write.before

        def fits() -> bool:
            if before is None:
                if self._counts[after.owner] >= MOST_PROJECTS:
                    raise TooManyProjects
                return after.id not in self._projects
            stored = self._project(after.id)
            unchanged = stored is not None and not stored.deleting and stored.revision == before.revision
            return unchanged and not any(each.id in self._messages.get(after.id, {}) for each in write.messages)

        own = FakeWrite(after.id, self._lock, fits, lambda: self._write(write))
        try:
            write_all(PreparedWrites((own, *(also.writes if also else ()))))
        except SideWriteConflict as refused:
            raise StaleProject from refused

    def get(self, project_id: str) -> Project | None:
        with self._lock:
            return self._project(project_id)

    def list_of(self, owner: str, *, limit: int, cursor: str | None) -> tuple[Sequence[Project], str | None]:
        if cursor is not None and not PROJECT_ID.fullmatch(cursor):
            raise ValueError("not a cursor of this store")
        with self._lock:
            ids = sorted((each for each in self._projects if cursor is None or each < cursor), reverse=True)
            projects = [project for project in map(self._project, ids) if project is not None]
        found = [each for each in projects if each.owner == owner and not each.deleting]
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    def revision(self, project_id: str, number: int) -> Revision | None:
        with self._lock:
            text = self._revisions.get(project_id, {}).get(number)
        return None if text is None else Revision.model_validate_json(text)

    def revisions(self, project_id: str, *, limit: int, before: int | None = None) -> Sequence[Revision]:
        with self._lock:
            stored = self._revisions.get(project_id, {})
            numbers = sorted((each for each in stored if before is None or each < before), reverse=True)
            return [Revision.model_validate_json(stored[each]) for each in numbers[:limit]]

    def scenes(self, project_id: str, wanted: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], SceneVersion]:
        with self._lock:
            stored = self._scenes.get(project_id, {})
            return {each: SceneVersion.model_validate_json(stored[each]) for each in wanted if each in stored}

    def components(
        self, project_id: str, wanted: Collection[tuple[str, int]]
    ) -> Mapping[tuple[str, int], ComponentVersion]:
        with self._lock:
            stored = self._components.get(project_id, {})
            return {each: ComponentVersion.model_validate_json(stored[each]) for each in wanted if each in stored}

    def message(self, project_id: str, message_id: str) -> ChatMessage | None:
        with self._lock:
            text = self._messages.get(project_id, {}).get(message_id)
        return None if text is None else ChatMessage.model_validate_json(text)

    def messages(self, project_id: str, *, limit: int, before: str | None = None) -> Sequence[ChatMessage]:
        with self._lock:
            stored = self._messages.get(project_id, {})
            ids = sorted((each for each in stored if before is None or each < before), reverse=True)
            return [ChatMessage.model_validate_json(stored[each]) for each in ids[:limit]]

    def add_message(self, message: ChatMessage, *, also: PreparedWrites | None = None) -> bool:
        try:
            write_all(PreparedWrites((*self.prepare_message(message).writes, *(also.writes if also else ()))))
        except SideWriteConflict:
            return False
        return True

    def prepare_message(self, message: ChatMessage) -> PreparedWrites:
        def fits() -> bool:
            return self._takes_jobs(message.project_id) and message.id not in self._messages.get(message.project_id, {})

        return PreparedWrites((FakeWrite(message.id, self._lock, fits, lambda: self._put(message)),))

    def prepare_update(self, message: ChatMessage, *, was: JobState) -> PreparedWrites:
        def fits() -> bool:
            text = self._messages.get(message.project_id, {}).get(message.id)
            return text is not None and ChatMessage.model_validate_json(text).status == was

        return PreparedWrites((FakeWrite(message.id, self._lock, fits, lambda: self._put(message)),))

    def prepare_presence(self, project_id: str) -> PreparedWrites:
        return PreparedWrites((FakeWrite(project_id, self._lock, lambda: self._takes_jobs(project_id)),))

    def hide(self, project: Project) -> None:
        with self._lock:
            stored = self._project(project.id)
            if stored is not None and not stored.deleting:
                self._projects[project.id] = stored.model_copy(update={"deleting": True}).model_dump_json()
                self._counts[stored.owner] -= 1

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        with self._lock:
            found = [each for each in map(self._project, self._projects) if each is not None and each.owner == owner]
            noted = [project_id for project_id, each in self._noted.items() if each == owner] if gone else []
            return iter(sorted({*(each.id for each in found if each.deleting is gone), *noted}, reverse=True))

    def delete(self, project_id: str, *, purge_at: datetime) -> None:
        with self._lock:
            project = self._project(project_id)
            if project is None:
                return
            self._noted[project_id] = project.owner
            self._deleted[project_id] = purge_at
            for stored in (self._projects, self._revisions, self._scenes, self._components, self._messages):
                stored.pop(project_id, None)

    def deleted(self, now: datetime) -> Sequence[str]:
        with self._lock:
            return [project_id for project_id, purge_at in self._deleted.items() if purge_at <= now]

    def purge(self, project_id: str) -> None:
        with self._lock:
            self._deleted.pop(project_id, None)
            self._noted.pop(project_id, None)

    def _write(self, write: ProjectWrite) -> None:
        project = write.after
        if write.before is None:
            self._counts[project.owner] += 1
        self._projects[project.id] = project.model_dump_json()
        self._revisions.setdefault(project.id, {})[write.revision.number] = write.revision.model_dump_json()
        for scene in write.scenes:
            self._scenes.setdefault(project.id, {})[scene.scene_id, scene.version] = scene.model_dump_json()
        for component in write.components:
            key = (component.draft.name, component.version)
            self._components.setdefault(project.id, {})[key] = component.model_dump_json()
        for message in write.messages:
            self._put(message)

    def _put(self, message: ChatMessage) -> None:
        self._messages.setdefault(message.project_id, {})[message.id] = message.model_dump_json()

    def _project(self, project_id: str) -> Project | None:
        text = self._projects.get(project_id)
        return None if text is None else Project.model_validate_json(text)

    def _takes_jobs(self, project_id: str) -> bool:
        stored = self._project(project_id)
        return stored is not None and not stored.deleting


class FakePreferenceStore:
    """Implements PreferenceStore, for the projects of a FakeProjectStore."""

    def __init__(self, projects: FakeProjectStore) -> None:
        self._lock = threading.Lock()
        self._projects = projects
        self._preferences: dict[PreferenceScope, str] = {}

    def get(self, scope: PreferenceScope) -> Preferences:
        with self._lock:
            return self._stored(scope)

    def save(self, scope: PreferenceScope, preferences: Preferences) -> None:
        check = () if scope.project_id is None else self._projects.prepare_presence(scope.project_id).writes
        try:
            write_all(PreparedWrites((*self.prepare(scope, preferences).writes, *check)))
        except SideWriteConflict as refused:
            raise StalePreferences from refused

    def prepare(self, scope: PreferenceScope, preferences: Preferences) -> PreparedWrites:
        def fits() -> bool:
            return self._stored(scope).version == preferences.version - 1

        def write() -> None:
            self._preferences[scope] = preferences.model_dump_json()

        return PreparedWrites((FakeWrite(f"preferences of {scope}", self._lock, fits, write),))

    def _stored(self, scope: PreferenceScope) -> Preferences:
        text = self._preferences.get(scope)
        return Preferences() if text is None else Preferences.model_validate_json(text)
