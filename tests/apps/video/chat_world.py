"""A project of three scenes and chat jobs about it, on the fakes of all stores, the model and the builder."""

from __future__ import annotations

import itertools
import json
from typing import Any

from shared.apps.video.brain.brain import Brain
from shared.apps.video.briefs import BriefScenes
from shared.apps.video.build.report import SceneBuilder
from shared.apps.video.chat import DecideTool
from shared.apps.video.component import Briefed
from shared.apps.video.events import ComponentStage, SceneStatus
from shared.apps.video.ids import message_id
from shared.apps.video.image_store import Image, ImageStatus
from shared.apps.video.making import MakeScenes
from shared.apps.video.models import ChangeMade, Choice, Option, PreparedAnswer, VideoChatResult
from shared.apps.video.pipeline import VIDEO_CHAT
from shared.apps.video.plan import Plan
from shared.apps.video.project import ChatMessage, Project
from shared.apps.video.reading import ProjectReading
from shared.apps.video.saving import SaveScenes
from shared.jobs.ids import new_job_id
from shared.jobs.job import Job, JobLinks
from shared.jobs.pipeline import Pipelines
from shared.llm.model import ChatModel
from tests.apps.video.fake_builder import FakeSceneBuilder
from tests.apps.video.projects_world import MILLISECONDS, put_component, put_scene, stored_project
from tests.fakes.clock import NOON, SettableClock
from tests.fakes.core import FakeCore, a_job
from tests.fakes.decisions import FakeDecisionCache
from tests.fakes.images import FakeImageFiles, FakeImageStore
from tests.fakes.model import ScriptedModel
from tests.fakes.png import png_of
from tests.fakes.projects import FakePreferenceStore, FakeProjectStore

NAMES = ("Title", "Features", "Outro")
CODE = """import { AbsoluteFill } from "@millrace/scene";
export default function Scene({ title = "Hi" }) {
  return <AbsoluteFill>{title}</AbsoluteFill>;
}
"""
"""Code that a model writes."""
IMAGE = "img_01k0000000000000000000000c"


def decision(tool: str = "addScene", **fields: Any) -> str:
    """Return a decision as a model writes it."""
    values: dict[str, Any] = {
        "reason": "it asks for it",
        "tool": tool,
        "targets": [],
        "references": [],
        "imageUses": [],
        "instruction": "A scene about rivers",
        "name": None,
        "after": None,
        "count": None,
        "mode": None,
        "seconds": None,
        "factor": None,
        "deltaSeconds": None,
        "rewrite": False,
        "operations": [],
        "confidence": 0.9,
        "alternatives": [],
        "question": None,
        "preferences": [],
        "reply": "Done.",
    }
    return json.dumps({**values, **fields})


def brief(name: str = "Rivers", **fields: Any) -> dict[str, Any]:
    """Return a brief as a model writes it."""
    values: dict[str, Any] = {
        "name": name,
        "purpose": "Shows rivers",
        "seconds": 4,
        "elements": ["a river"],
        "palette": ["#0000ff"],
        "motion": "flows",
        "props": [{"key": "title", "value": '"Rivers"'}],
        "summary": "A river from left to right",
    }
    return {**values, **fields}


class VideoWorld:
    """Project, stores and stages."""

    def __init__(self) -> None:
        self.core = FakeCore(clock=SettableClock(), pipelines=Pipelines(VIDEO_CHAT))
        self.projects = FakeProjectStore()
        self.images = FakeImageStore()
        self.files = FakeImageFiles()
        self.cache = FakeDecisionCache()
        self.counted: list[tuple[int, int]] = []
        """How many decisions were kept, and how many were not, for each message that no rule read."""
        self.builder = FakeSceneBuilder()
        self.checks: SceneBuilder = self.builder
        """What builds: the fake, unless a test sets another."""
        self.preferences: dict[str, str] = {}
        self._milliseconds = itertools.count(MILLISECONDS)  # so that ids have the order in which they are made
        first = self._new_job_id()
        scenes = [
            put_scene(first, part, name=name, tsx_code=CODE, props={"title": name}) for part, name in enumerate(NAMES)
        ]
        self.project = stored_project(self.projects, *scenes, put_component("Counter"))
        self.scene_ids = tuple(each.scene_id for each in self.project.manifest.scenes)
        self.reading = ProjectReading(
            projects=self.projects,
            images=self.images,
            files=self.files,
            preferences=lambda _owner, _project: self.preferences,
        )

    # ---- jobs --------------------------------------------------------------------------------------------------------

    def new_job(self, text: str, *, project: Project | None = None, **fields: Any) -> Job:
        """Return a chat job about the project, and store its message. Fields with names of the API are the input's."""
        own = {key: fields.pop(key) for key in ("agent", "model") if key in fields}
        links = JobLinks(project_id=(project or self.project).id)
        job = a_job(self._new_job_id(), pipeline="video_chat", input={"text": text, **fields}, links=links, **own)
        self.core.jobs.put_new(job)
        self.say(job.id, "user", text, project=project, status="running")
        return job

    def _new_job_id(self) -> str:
        return new_job_id(next(self._milliseconds))

    def say(self, job_id: str, role: Any, text: str, *, project: Project | None = None, **fields: Any) -> ChatMessage:
        message = ChatMessage(
            project_id=(project or self.project).id,
            id=message_id(job_id, role),
            role=role,
            text=text,
            job_id=job_id,
            created_at=NOON,
            **fields,
        )
        self.projects.add_message(message)
        return message

    def ask(self, text: str, *options: Option) -> ChatMessage:
        """Store a question of the assistant, and return it."""
        return self.say(self._new_job_id(), "assistant", text, kind="question", options=options)

    def changed(self, text: str, tool: Any, *scene_ids: str) -> None:
        """Store a message of the assistant that tells of a change."""
        choice = Choice(tool=tool, confidence=1, reason="", source="direct")
        changes = tuple(ChangeMade(change="changed", id=each, before=2, after=3) for each in scene_ids)
        self.say(self._new_job_id(), "assistant", text, choice=choice, changes=changes)

    def add_image(self, image_id: str = IMAGE, *, status: ImageStatus = ImageStatus.READY) -> str:
        content = png_of(255, 0, 0)
        image = Image(
            id=image_id,
            project_id=self.project.id,
            status=status,
            name="logo.png",
            type="image/png",
            bytes=len(content),
            sha256="0" * 64,
            width=4,
            height=4,
            created_at=NOON,
            form_expires_at=NOON,
        )
        self.images.add(image)
        self.files.keep(image, content)
        return image_id

    # ---- stages ------------------------------------------------------------------------------------------------------

    def decide(self, job: Job, model: ChatModel | None = None, *, retry: int = 0, generation: int = 1) -> Plan:
        """Run an attempt of the first stage and return its plan. Without a model, none may be asked."""
        brain = Brain(model or ScriptedModel(), self.cache, count=lambda *counts: self.counted.append(counts))
        stage = DecideTool(brain, self.reading)
        return Plan.model_validate(self._run(stage, job, retry, generation))

    def brief(self, job: Job, model: ChatModel | None = None, *, retry: int = 0, generation: int = 1) -> Briefed:
        stage = BriefScenes(model or ScriptedModel(), self.reading)
        return Briefed.model_validate(self._run(stage, job, retry, generation))

    def make(self, job: Job, model: ChatModel | None = None, *, retry: int = 0, generation: int = 1) -> PreparedAnswer:
        stage = MakeScenes(model or ScriptedModel(), self.reading, self.checks)
        return PreparedAnswer.model_validate(self._run(stage, job, retry, generation))

    def save(self, job: Job, *, retry: int = 0) -> VideoChatResult:
        stage = SaveScenes(
            projects=self.projects, preferences=FakePreferenceStore(self.projects), clock=self.core.clock
        )
        return VideoChatResult.model_validate(self._run(stage, job, retry, 1))

    def answer(self, text: str, *outputs: str, **fields: Any) -> PreparedAnswer:
        """Run the three stages of a message with a model that writes these outputs; return what is to be saved."""
        self.model = ScriptedModel(*outputs)
        return self.answer_with(self.model, text, **fields)

    def result(self, text: str, *outputs: str, **fields: Any) -> VideoChatResult:
        """Run all four stages of a message, and return the result of its job."""
        self.answer(text, *outputs, **fields)
        return self.save(self.last_job)

    def answer_with(self, model: ChatModel, text: str, **fields: Any) -> PreparedAnswer:
        job = self.last_job = self.new_job(text, **fields)
        self.decide(job, model)
        self.brief(job, model)
        return self.make(job, model)

    def _run(self, stage: Any, job: Job, retry: int, generation: int) -> dict[str, Any]:
        self.core.run(stage, job, retry=retry, generation=generation)
        ref = self.core.job(job.id).checkpoints[stage.name]
        output: dict[str, Any] = self.core.checkpoints.get(job.id, stage.name, ref).output
        return output

    def scene_statuses(self, job: Job) -> list[SceneStatus]:
        """Return what the events say of scenes and components."""
        told = [each.model_dump(exclude_none=True) for each in self.core.events(job) if each.type == "sceneStatus"]
        return [SceneStatus.model_validate(each) for each in told]

    def component_stages(self, job: Job) -> list[tuple[str, str, str, int, bool]]:
        """Return what the events say of components: key, stage, status, percent and repair."""
        found: list[tuple[str, str, str, int, bool]] = []
        for event in self.core.events(job):
            if event.type == "componentStage":
                each = ComponentStage.model_validate(event.model_dump(exclude_none=True))
                found.append((each.key, each.stage, each.status, each.percent, each.repair))
        return found
