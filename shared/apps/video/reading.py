"""Read what the stages need of a project: its facts at a revision, its chat, and its images for the model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from shared.apps.video.applying import State
from shared.apps.video.brain.context import AskedQuestion, ChatContext, Turn
from shared.apps.video.facts import ComponentFacts, Facts, ImageFacts, SceneFacts
from shared.apps.video.ids import message_id, scene_id
from shared.apps.video.image_store import Image, ImageFiles, ImageGone, ImageStatus, ImageStore
from shared.apps.video.models import RequestedTool, VideoChatInput
from shared.apps.video.project import ChatMessage, Project
from shared.apps.video.project_store import ProjectStore
from shared.apps.video.scene import ComponentVersion, SceneVersion
from shared.apps.video.tools.plan_scenes import MOST
from shared.errors import DataLost, JobEnded
from shared.jobs.job import Job
from shared.llm.model import ImagePart

MOST_HISTORY: Final = 12
"""How many earlier messages are read."""
MOST_DRAFTS: Final = 40
"""How many scenes' drafts are read for a decision: the first ones, and all that the message is about."""
MOST_IMAGES: Final = 20
"""How many of the project's images a decision knows, besides those of the message."""

Preferences = Callable[[str, str], Mapping[str, str]]
"""Return the wishes that hold for this user, the first argument, in this project, the second."""


class ProjectReading:
    """Read projects for jobs. Everything that belongs to a revision is as it was in that revision."""

    def __init__(
        self, *, projects: ProjectStore, images: ImageStore, files: ImageFiles, preferences: Preferences
    ) -> None:
        self._projects = projects
        self._images = images
        self._files = files
        self._preferences = preferences

    def chat(self, job: Job, message: VideoChatInput) -> ChatContext:
        """Return what a decision about the message depends on, at the project's newest revision.

        Raises JobEnded if the project was deleted.
        """
        project = self._project(job)
        own = message_id(job.id, "user")
        history = self._projects.messages(project.id, limit=MOST_HISTORY, before=own)[::-1]
        images = self._known_images(project.id, message.image_ids)
        concerned = {*message.scene_ids, *_changed(history), str(message.selected_scene_id)}
        facts = self._facts(job, project, project.revision, _first(project, concerned), images)
        return ChatContext(
            text=message.text,
            facts=facts,
            attached=tuple(each for each in message.scene_ids if facts.scene(each) is not None),
            selected=message.selected_scene_id,
            image_ids=tuple(message.image_ids),
            history=tuple(map(_turn, history)),
            asked=self._asked(project.id, message, history),
            instructions_version="" if job.agent is None else f"{job.agent.agent_id}/{job.agent.version}",
        )

    def facts(self, job: Job, revision: int, calls: Sequence[RequestedTool], drafts: Collection[str]) -> Facts:
        """Return the facts at a revision, with the drafts of these scenes, and with the images that the calls use.

        Raises JobEnded if the project was deleted.
        """
        project = self._project(job)
        at = self._projects.revision(project.id, revision)
        if at is None:
            raise JobEnded("the project was deleted")
        used = [str(use.get("imageId")) for call in calls for use in call.arguments.get("imageUses") or ()]
        return self._facts(job, at, at.number, frozenset(drafts), self._ready(project.id, used))

    def versions(
        self, job: Job, wanted: Collection[tuple[str, int]], components: Collection[tuple[str, int]]
    ) -> tuple[Mapping[tuple[str, int], SceneVersion], Mapping[tuple[str, int], ComponentVersion]]:
        """Return stored versions of scenes and of components, with their builds."""
        project_id = str(job.links.project_id)
        return self._projects.scenes(project_id, wanted), self._projects.components(project_id, components)

    def all_image_ids(self, job: Job) -> frozenset[str]:
        """Return the ids of all images of the project that are ready."""
        project_id, found = str(job.links.project_id), set[str]()
        before: str | None = None
        while page := self._images.page(project_id, limit=100, before=before):
            found |= {each.id for each in page if each.status is ImageStatus.READY}
            before = page[-1].id
        return frozenset(found)

    def picture(self, job: Job, image_id: str) -> ImagePart:
        """Return an image for the model. Raises DataLost if it is not stored any more."""
        image = self._images.get(str(job.links.project_id), image_id)
        lost = DataLost(f"the image {image_id} is not stored any more; upload it again")
        if image is None or image.status is not ImageStatus.READY:
            raise lost
        try:
            return ImagePart(self._files.read(image), image.type)
        except ImageGone as gone:
            raise lost from gone

    def _project(self, job: Job) -> Project:
        project = self._projects.get(str(job.links.project_id))
        if project is None or project.deleting:
            raise JobEnded("the project was deleted")
        return project

    def _facts(
        self, job: Job, state: State, revision: int, drafts: Collection[str], images: Sequence[ImageFacts]
    ) -> Facts:
        project_id, manifest = str(job.links.project_id), state.manifest
        wanted = [(each.scene_id, each.version) for each in manifest.scenes if each.scene_id in drafts]
        versions = self._projects.scenes(project_id, wanted)
        scenes = []
        for entry in manifest.scenes:
            version = versions.get((entry.scene_id, entry.version))
            scenes.append(SceneFacts(entry, version.draft if version else None))
        return Facts(
            revision=revision,
            title=state.title,
            format=state.format,
            scenes=tuple(scenes),
            components=tuple(ComponentFacts(each.name, each.version) for each in manifest.components),
            images=tuple(images),
            preferences=self._preferences(job.owner, project_id),
            new_scene_ids=tuple(scene_id(job.id, part) for part in range(MOST)),
        )

    def _known_images(self, project_id: str, attached: Collection[str]) -> Sequence[ImageFacts]:
        newest = [each for each in self._images.page(project_id, limit=MOST_IMAGES) if each.id not in attached]
        own = self._images.get_all(project_id, attached)
        return [
            *(_image_facts(own[each], attached=True) for each in attached if each in own and _is_ready(own[each])),
            *(_image_facts(each, attached=False) for each in newest if _is_ready(each)),
        ]

    def _ready(self, project_id: str, image_ids: Collection[str]) -> Sequence[ImageFacts]:
        found = self._images.get_all(project_id, frozenset(image_ids)) if image_ids else {}
        return [_image_facts(each, attached=False) for each in found.values() if _is_ready(each)]

    def _asked(self, project_id: str, message: VideoChatInput, history: Sequence[ChatMessage]) -> AskedQuestion | None:
        """Return the question that the message answers: the one that it names, or the last message if it is one."""
        asked = history[-1] if history and message.answer_to is None else None
        if message.answer_to is not None:
            asked = self._projects.message(project_id, message.answer_to)
        return AskedQuestion(asked.text, asked.options) if asked is not None and asked.kind == "question" else None


def _first(project: Project, concerned: Collection[str]) -> frozenset[str]:
    return frozenset([*concerned, *(each.scene_id for each in project.manifest.scenes[:MOST_DRAFTS])])


def _changed(history: Sequence[ChatMessage]) -> Iterator[str]:
    for message in history:
        yield from (each.id for each in message.changes)


def _turn(message: ChatMessage) -> Turn:
    return Turn(
        role=message.role,
        text=message.text,
        tool=message.choice.tool if message.choice else None,
        changed=tuple(each.id for each in message.changes if each.after is not None and each.change != "component"),
    )


def _is_ready(image: Image) -> bool:
    return image.status is ImageStatus.READY


def _image_facts(image: Image, *, attached: bool) -> ImageFacts:
    return ImageFacts(image.id, image.name, image.width or 0, image.height or 0, attached)
