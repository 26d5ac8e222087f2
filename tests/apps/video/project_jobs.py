"""Projects with the core on fakes: jobs whose first stages are scripted, and the services that change projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.apps.video.images import ImageDeletion
from shared.apps.video.links import LinkedProjects
from shared.apps.video.messages import ChatMessages, Origin
from shared.apps.video.models import BuiltChange, Choice, PreparedAnswer, VideoChatInput, VideoChatResult
from shared.apps.video.pipeline import VIDEO_CHAT
from shared.apps.video.project import ChatMessage, Project
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.projects import ProjectDeletion, Projects
from shared.apps.video.queries import ProjectQueries
from shared.apps.video.rendering.renders import RenderDeletion
from shared.apps.video.saving import SaveScenes
from shared.apps.video.scene import FORMATS
from shared.apps.video.side_writes import ProjectMessages
from shared.apps.video.sweep import ProjectSweep
from shared.errors import FieldIssue, InvalidInput
from shared.jobs.job import Job, LinkKind
from shared.jobs.pipeline import Pipelines
from shared.jobs.store import JobStore
from tests.fakes.clock import SettableClock
from tests.fakes.core import POEM, FakeCore, ScriptedStage, says
from tests.fakes.images import FakeImageFiles, FakeImageStore
from tests.fakes.projects import FakePreferenceStore, FakeProjectStore
from tests.fakes.renders import FakeRenderFiles, FakeRenderStore

OWNER = "ada"
BEFORE = ("decide_tool", "brief_scenes", "make_scenes")
"""The stages before the last one."""


class ProjectJobs:
    """The services of projects on fakes, or on the stores of another implementation."""

    def __init__(
        self,
        *,
        projects: ProjectStore | None = None,
        jobs: JobStore | None = None,
        clock: SettableClock | None = None,
    ) -> None:
        self.clock = clock or SettableClock()
        self.fake_projects = FakeProjectStore()
        self.store: ProjectStore = projects or self.fake_projects
        self.preferences = FakePreferenceStore(self.fake_projects)
        self.render_files = FakeRenderFiles()
        self.images: frozenset[str] = frozenset()
        self.core = FakeCore(
            clock=self.clock,
            jobs=jobs,
            pipelines=Pipelines(VIDEO_CHAT, POEM),
            side_writes={VIDEO_CHAT.name: (ProjectMessages(self.store, check_images=self._check_images),)},
            linked_entities={LinkKind.PROJECT: (LinkedProjects(self.store, own_pipelines=(VIDEO_CHAT.name,)),)},
        )
        self.core.ports.job_creations_per_minute = 10_000
        self.queries = ProjectQueries(self.store)
        self.projects = Projects(projects=self.store, keys=self.core.keys, clock=self.clock)
        self.deletion = ProjectDeletion(
            projects=self.store,
            renders=RenderDeletion(FakeRenderStore(self.fake_projects), self.render_files),
            images=ImageDeletion(FakeImageStore(self.fake_projects), FakeImageFiles(clock=self.clock)),
            cancellation=self.core.job_cancellation,
            erasure=self.core.job_erasure,
            clock=self.clock,
        )
        self.sweep = ProjectSweep(projects=self.store, files=self.render_files, clock=self.clock)
        self.chat = ChatMessages(projects=self.store, jobs=self.core.job_creation)

    def new_project(self, owner: str = OWNER, title: str = "Launch") -> Project:
        self.clock.advance(0.01)  # ids sort by time
        return self.projects.create(owner, title, FORMATS["landscape"])

    def ask(self, project: Project, text: str = "Add a scene", **fields: Any) -> Job:
        """Send a message and return its job."""
        self.clock.advance(0.01)
        return self.chat.send(OWNER, project.id, VideoChatInput(text=text, **fields), Origin())

    def prepare(self, job: Job, *changes: BuiltChange, **fields: Any) -> Job:
        """Run the stages before the last one, which prepare these changes."""
        prepared = an_answer(*changes, **fields).model_dump(mode="json")
        for stage in BEFORE:
            self.core.run(ScriptedStage(stage, says("", **(prepared if stage == BEFORE[-1] else {}))), job)
        return job

    @property
    def stage(self) -> SaveScenes:
        return SaveScenes(projects=self.store, preferences=self.preferences, clock=self.clock)

    def save(self, job: Job, *, retry: int = 0, generation: int = 1) -> VideoChatResult:
        """Run the last stage, and return the result of the job."""
        self.core.run(self.stage, job, retry=retry, generation=generation)
        ref = self.core.job(job.id).checkpoints["save_scenes"]
        return VideoChatResult.model_validate(self.core.checkpoints.get(job.id, "save_scenes", ref).output)

    def answered(self, project: Project, *changes: BuiltChange, **fields: Any) -> Job:
        """Answer a message with these changes, wholly."""
        job = self.prepare(self.ask(project), *changes, **fields)
        self.save(job)
        self.core.complete(job)
        return job

    def now(self, project: Project) -> Project:
        stored = self.store.get(project.id)
        assert stored is not None
        return stored

    def names(self, project: Project) -> Sequence[str]:
        return [each.name for each in self.now(project).manifest.scenes]

    def messages(self, project: Project) -> Sequence[ChatMessage]:
        """Return the messages of the project, oldest first."""
        return self.store.messages(project.id, limit=100)[::-1]

    def _check_images(self, _: str, image_ids: Sequence[str]) -> None:
        if not self.images.issuperset(image_ids):
            raise InvalidInput([FieldIssue("imageIds.0", "must be the id of an image of this project")])


def an_answer(*changes: BuiltChange, **fields: Any) -> PreparedAnswer:
    values: dict[str, Any] = {
        "outcome": "changed" if changes else "answered",
        "base_revision": 1,
        "choice": Choice(tool="addScene", confidence=0.9, reason="a test", source="rule"),
        "reply": "Done.",
        "changes": changes,
    }
    return PreparedAnswer(**{**values, **fields})
