"""Projects, scenes and builds for tests, and a project that fits its store."""

from __future__ import annotations

from typing import Any

from shared.apps.video.applying import apply_changes
from shared.apps.video.changes import PutComponent, PutScene
from shared.apps.video.ids import new_project_id, scene_id
from shared.apps.video.manifest import Manifest
from shared.apps.video.models import BuiltChange
from shared.apps.video.project import Cause, ChatMessage, Project, Revision
from shared.apps.video.project_store import ProjectStore, ProjectWrite
from shared.apps.video.scene import FORMATS, Build, ComponentDraft, SceneDraft
from shared.jobs.ids import new_job_id
from tests.fakes.clock import NOON

CODE = "export default function Scene() { return null }"
MILLISECONDS = int(NOON.timestamp() * 1000)


def a_job_id() -> str:
    return new_job_id(MILLISECONDS)


def a_build(**fields: Any) -> Build:
    return Build(**{"js_code": CODE, "compiler": "fake 1", "runtime": "1", "digest": "d" * 64, **fields})


def a_draft(name: str = "Intro", **fields: Any) -> SceneDraft:
    return SceneDraft(**{"name": name, "tsx_code": CODE, "duration_in_frames": 90, **fields})


def put_scene(job_id: str, part: int = 0, *, name: str = "Intro", **fields: Any) -> BuiltChange:
    """Return the change that adds the scene of this part of the job."""
    return put(scene_id(job_id, part), name=name, **fields)


def put(of_scene: str, *, name: str = "Intro", base: int | None = None, **fields: Any) -> BuiltChange:
    after = fields.pop("after", None)
    change = PutScene(scene_id=of_scene, base_version=base, after=after, draft=a_draft(name, **fields))
    return BuiltChange(change=change, build=a_build())


def put_component(name: str = "Counter", *, base: int | None = None) -> BuiltChange:
    draft = ComponentDraft(name=name, tsx_code=CODE)
    return BuiltChange(change=PutComponent(name=name, base_version=base, draft=draft), build=a_build())


def a_project(**fields: Any) -> Project:
    values: dict[str, Any] = {
        "id": new_project_id(MILLISECONDS),
        "owner": "ada",
        "title": "Launch – 🚀",
        "format": FORMATS["landscape"],
        "revision": 1,
        "manifest": Manifest(),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Project(**{**values, **fields})


def a_message(project: Project, job_id: str, **fields: Any) -> ChatMessage:
    values: dict[str, Any] = {
        "project_id": project.id,
        "id": f"{job_id[-26:]}-1",
        "role": "user",
        "text": "Make it blue – 💡",
        "job_id": job_id,
        "created_at": NOON,
    }
    return ChatMessage(**{**values, **fields})


def first_write(project: Project) -> ProjectWrite:
    return ProjectWrite(None, project, revision_of(project, "create"))


def revision_of(project: Project, kind: Any = "direct", **fields: Any) -> Revision:
    values: dict[str, Any] = {
        "project_id": project.id,
        "number": project.revision,
        "title": project.title,
        "format": project.format,
        "manifest": project.manifest,
        "cause": Cause(kind=kind),
        "summary": "",
        "created_at": NOON,
    }
    return Revision(**{**values, **fields})


def write_of(project: Project, *changes: BuiltChange, **fields: Any) -> ProjectWrite:
    """Return the write of these changes as the next revision of the project."""
    applied = apply_changes(project, changes, at=NOON)
    update = {
        "revision": project.revision + 1,
        "title": applied.title,
        "format": applied.format,
        "manifest": applied.manifest,
        "updated_at": NOON,
    }
    after = project.model_copy(update=update)
    revision = revision_of(after, changes=applied.changes)
    return ProjectWrite(project, after, revision, applied.scenes, applied.components, **fields)


def stored_project(store: ProjectStore, *changes: BuiltChange, **fields: Any) -> Project:
    """Store a project, and return it with these changes made."""
    project = a_project(**fields)
    store.save(first_write(project))
    if not changes:
        return project
    write = write_of(project, *changes)
    store.save(write)
    return write.after
