"""The input and the result of a chat about a project, and what its stages hand on to each other."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from shared.apps.video.changes import ProjectChange
from shared.apps.video.ids import ImageId, MessageId, SceneId
from shared.apps.video.scene import Build, Format
from shared.jobs.pipeline import JobInput
from shared.json_values import broken_rule
from shared.schema import Schema

MAX_TEXT: Final = 4_000
"""Most characters of a message."""
MAX_IMAGES: Final = 8
"""Most images of one message."""
MAX_ATTACHED_SCENES: Final = 10
"""Most scenes that one message names beside its text."""
MAX_OPTIONS: Final = 4
"""Most options of one question."""

ToolName: TypeAlias = Literal[
    "addScene", "editScene", "deleteScene", "changeDuration", "planScenes", "applyPatch", "generateComponent"
]
"""The names of the tools of video chat."""

DecisionSource: TypeAlias = Literal["direct", "rule", "cache", "model", "option"]
"""What chose the tool: the client, a rule, an equal earlier decision, the model, or the answer to a question."""


class RequestedTool(Schema):
    """A call of one tool. Its arguments are checked against the tool's own rules."""

    name: ToolName
    arguments: dict[str, Any] = Field(default_factory=dict)


class ClientTool(RequestedTool):
    """A call of one tool that a client sends. Its arguments are checked against the tool's own rules."""

    @field_validator("arguments")
    @classmethod
    def _can_be_stored(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        rule = broken_rule(arguments)
        if rule is not None:
            raise PydanticCustomError("rule", "{rule}", {"rule": rule})
        return arguments


class Option(Schema):
    """One answer to a question. `call` is what it does: a client that sends it back needs no further decision."""

    label: str = Field(min_length=1, max_length=120)
    call: RequestedTool


class VideoChatInput(JobInput):
    """A message in a project's chat.

    `scene_ids` are scenes that the message is about, and `selected_scene_id` is the one that is selected in the page.
    `answer_to` is the id of the question that the message answers. With `tool` this tool is called, and no model
    chooses one.
    """

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)]
    image_ids: tuple[ImageId, ...] = Field(default=(), max_length=MAX_IMAGES)
    scene_ids: tuple[SceneId, ...] = Field(default=(), max_length=MAX_ATTACHED_SCENES)
    selected_scene_id: SceneId | None = None
    answer_to: MessageId | None = None
    tool: ClientTool | None = None


class LearnedPreference(Schema):
    """A standing wish that a message states, such as `brandColour: #1d4ed8`."""

    key: str = Field(min_length=1, max_length=60)
    value: str = Field(min_length=1, max_length=300)


class Choice(Schema):
    """Which tool was chosen, how sure that is from 0 to 1, why, and by what."""

    tool: ToolName | None = None
    confidence: float = Field(ge=0, le=1)
    reason: str = Field(max_length=300)
    source: DecisionSource


class PlayedScene(Schema):
    """A version of a scene that was played again, in another format than its own build."""

    scene_id: SceneId
    version: int = Field(ge=1)


class BuiltChange(Schema):
    """A change that can be saved. `build` is what was built from its draft; None for a change without code.

    `format` is the one in which the draft was played; None if that is not known. For a change of the project's format,
    `played` are the versions of scenes that play in it as they are.
    """

    change: ProjectChange
    build: Build | None = None
    format: Format | None = None
    played: tuple[PlayedScene, ...] = ()


class MadeComponent(Schema):
    """A scene or component that was written for the answer; `key` is that of its `componentStage` events."""

    key: str
    scene_id: SceneId | None = None
    name: str


class PreparedAnswer(Schema):
    """What `make_scenes` hands on to `save_scenes`: all that is to be saved, in one transaction.

    `base_revision` is the revision on which the changes were made. Without changes only the assistant's message is
    saved: an answer, or a question with its options. `made` is what was written for it.
    """

    outcome: Literal["changed", "asked", "answered"]
    base_revision: int = Field(ge=0)
    choice: Choice
    reply: str
    summary: str = ""
    question: str | None = None
    options: tuple[Option, ...] = Field(default=(), max_length=MAX_OPTIONS)
    changes: tuple[BuiltChange, ...] = ()
    learned: tuple[LearnedPreference, ...] = ()
    images_used: tuple[ImageId, ...] = ()
    made: tuple[MadeComponent, ...] = ()


class ChangeMade(Schema):
    """One change of a revision: `before` and `after` are versions, None where there is none.

    `id` is that of a scene, the name of a component, or `title` or `format` of the project. `name` is what people call
    it: for a changed title the new title.
    """

    change: Literal["added", "changed", "removed", "moved", "component", "project"]
    id: str
    name: str = ""
    before: int | None = None
    after: int | None = None


class VideoChatResult(Schema):
    """The result of a chat job: what was changed, asked or answered. `revision` is the project's revision after it."""

    outcome: Literal["changed", "asked", "answered"]
    tool: ToolName | None = None
    confidence: float
    reason: str
    source: DecisionSource
    reply: str
    revision: int
    changes: tuple[ChangeMade, ...] = ()
    question: str | None = None
    options: tuple[Option, ...] = ()
    images_used: tuple[ImageId, ...] = ()
