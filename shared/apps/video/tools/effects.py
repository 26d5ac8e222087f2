"""What the tools return: changes of the project, or work for a model that writes code."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol, TypeAlias, TypeVar

from pydantic import Field, Strict

from shared.apps.video.changes import ProjectChange
from shared.apps.video.facts import Facts
from shared.apps.video.ids import ComponentName, ImageId, SceneId
from shared.apps.video.scene import SceneName
from shared.schema import Schema
from shared.tools.result import Change, ToolResult, failed
from shared.tools.tool import Outcome

MAX_INSTRUCTION = 4_000
"""Most characters of an instruction."""

Instruction = Annotated[str, Field(min_length=1, max_length=MAX_INSTRUCTION)]
# Strict, because pydantic would otherwise accept "5" and true as numbers.
Seconds = Annotated[float, Strict(), Field(gt=0, le=600, allow_inf_nan=False)]
"""A length in seconds; its frames are checked against the format."""


class _Writing(Protocol):
    @property
    def instruction(self) -> str | None: ...
    @property
    def tsx_code(self) -> str | None: ...


Writing = TypeVar("Writing", bound=_Writing)


def check_something_to_write(call: Writing) -> Writing:
    """Return a tool's arguments. Raises ValueError if they have neither an instruction nor code."""
    if call.instruction is None and call.tsx_code is None:
        raise ValueError("either instruction or tsxCode is required")
    return call


class ImageUse(Schema):
    """How an image is used: shown in the scene, rebuilt as code, or only as an example of a style."""

    image_id: ImageId
    use: Literal["embed", "recreate", "reference"] = "embed"
    where: str | None = Field(default=None, max_length=200)


class WriteScene(Schema):
    """Write the code of a scene: a new one, or with `base_version` a new version of one.

    With `rewrite` the whole code is written again, not edited. With `tsx_code` nothing is written: it is the code.
    """

    kind: Literal["writeScene"] = "writeScene"
    scene_id: SceneId
    base_version: int | None = None
    after: SceneId | Literal["first"] | None = None
    name: SceneName | None = None
    instruction: str
    seconds: float | None = None
    references: tuple[SceneId, ...] = ()
    image_uses: tuple[ImageUse, ...] = ()
    rewrite: bool = False
    tsx_code: str | None = None
    props: dict[str, Any] = Field(default_factory=dict)


class WritePlan(Schema):
    """Plan several new scenes, one for each id, and write them. `seconds` is the length of all together."""

    kind: Literal["writePlan"] = "writePlan"
    scene_ids: tuple[SceneId, ...]
    after: SceneId | Literal["first"] | None = None
    instruction: str
    seconds: float | None = None
    image_uses: tuple[ImageUse, ...] = ()


class WriteComponent(Schema):
    """Write the code of a reusable component: a new one, or with `base_version` a new version of one."""

    kind: Literal["writeComponent"] = "writeComponent"
    name: ComponentName
    base_version: int | None = None
    instruction: str
    image_uses: tuple[ImageUse, ...] = ()
    tsx_code: str | None = None


Work: TypeAlias = Annotated[WriteScene | WritePlan | WriteComponent, Field(discriminator="kind")]
VideoEffect: TypeAlias = ProjectChange | WriteScene | WritePlan | WriteComponent
VideoOutcome: TypeAlias = Outcome[VideoEffect]


def done(summary: str, *effects: VideoEffect, changes: tuple[Change, ...] = ()) -> VideoOutcome:
    """Return a successful outcome; `summary` is one sentence for people."""
    return Outcome(ToolResult(ok=True, summary=summary, changes=changes), effects)


def refused(code: str, message: str, hint: str | None = None) -> VideoOutcome:
    """Return the outcome of a call that cannot be done: what is wrong, and what to do instead."""
    return Outcome(failed(code, message, hint=hint))


def scene_missing(facts: Facts, scene_id: str) -> VideoOutcome:
    """Return the outcome of a call about a scene that the project does not have."""
    names = ", ".join(f"{at} “{each.name}”" for at, each in enumerate(facts.scenes[:20], 1))
    return refused("UNKNOWN_SCENE", f"the project has no scene {scene_id}", f"scenes: {names or 'none'}")


def misfit(facts: Facts, scene_ids: tuple[str, ...], image_uses: tuple[ImageUse, ...]) -> VideoOutcome | None:
    """Return why scenes or images that a call names cannot be used; None if all can."""
    for scene_id in scene_ids:
        if facts.scene(scene_id) is None:
            return scene_missing(facts, scene_id)
    known = {each.image_id for each in facts.images}
    for each in image_uses:
        if each.image_id not in known:
            return refused(
                "UNKNOWN_IMAGE",
                f"the project has no image {each.image_id} that is ready",
                "upload it and complete its upload first",
            )
    return None


def version_moved(facts: Facts, scene_id: str, base_version: int | None) -> VideoOutcome | None:
    """Return why a call on a version cannot be done, because the scene has another one; None if it can."""
    scene = facts.scene(scene_id)
    if scene is None:
        return scene_missing(facts, scene_id)
    if base_version is not None and base_version != scene.entry.version:
        return refused(
            "SCENE_CHANGED",
            f"{facts.label(scene_id)} has version {scene.entry.version} now, not {base_version}",
            "read the scene again and repeat the call",
        )
    return None


def placement_missing(facts: Facts, after: str | None) -> VideoOutcome | None:
    """Return why a new scene cannot be placed behind `after`; None if it can."""
    if after is None or after == "first" or facts.scene(after) is not None:
        return None
    return scene_missing(facts, after)


def no_room(facts: Facts, count: int, most: int) -> VideoOutcome | None:
    """Return why this many scenes cannot be added; None if they can."""
    if len(facts.scenes) + count <= most:
        return None
    return refused(
        "TOO_MANY_SCENES",
        f"a project has at most {most} scenes, and this one has {len(facts.scenes)}",
        "delete scenes that are no longer needed, or start another project",
    )
