"""The tool `changeDuration`: change how long a scene plays, or how fast it moves, without a model."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from shared.apps.video.changes import PutScene
from shared.apps.video.facts import Facts
from shared.apps.video.ids import SceneId
from shared.apps.video.scene import MAX_FRAMES
from shared.apps.video.tools.effects import VideoEffect, VideoOutcome, done, refused, version_moved
from shared.schema import Schema
from shared.tools.result import Change
from shared.tools.tool import Tool

SLOWEST, FASTEST = 0.1, 10.0

Factor = Annotated[float, Strict(), Field(ge=0.01, le=100, allow_inf_nan=False)]
Delta = Annotated[float, Strict(), Field(ge=-600, le=600, allow_inf_nan=False)]
NewSeconds = Annotated[float, Strict(), Field(gt=0, le=9_000, allow_inf_nan=False)]


class ChangeDuration(Schema):
    """Change one scene by exactly one of `seconds`, `factor` and `deltaSeconds`.

    - `trim`: another length; the motion keeps its speed, so it ends early or the last picture stays.
    - `retime`: another speed, in the same length. `factor` 2 is twice as fast; `seconds` is how long the motion takes
      that fills the scene now.
    - `stretch`: another length, which the motion fills as before. `factor` 2 is twice as long.
    """

    scene_id: SceneId
    base_version: int | None = Field(default=None, ge=1)
    mode: Literal["trim", "retime", "stretch"]
    seconds: NewSeconds | None = None
    factor: Factor | None = None
    delta_seconds: Delta | None = None

    @model_validator(mode="after")
    def _has_one_amount(self) -> Self:
        given = [each for each in (self.seconds, self.factor, self.delta_seconds) if each is not None]
        if len(given) != 1:
            raise ValueError("exactly one of seconds, factor and deltaSeconds is required")
        if self.mode == "retime" and self.delta_seconds is not None:
            raise ValueError("retime takes seconds or factor")
        return self


def change_duration(facts: Facts, call: ChangeDuration) -> VideoOutcome:
    """Return the scene with its new length and speed."""
    wrong = version_moved(facts, call.scene_id, call.base_version)
    scene = facts.scene(call.scene_id)
    if wrong is not None or scene is None or scene.draft is None:
        return wrong or refused("SCENE_NOT_READ", f"{facts.label(call.scene_id)} was not read", "repeat the message")
    old, rate, fps = scene.entry.duration_in_frames, scene.entry.playback_rate, facts.format.fps
    if call.mode == "retime":
        frames, rate = old, rate * (call.factor or old / fps / (call.seconds or 1))
    else:
        frames = _new_frames(call, old, fps)
        rate = rate if call.mode == "trim" else rate * old / max(frames, 1)
    rate = round(rate, 4)
    if not 1 <= frames <= MAX_FRAMES:
        longest = f"{MAX_FRAMES / fps:g} seconds at {fps} frames a second"
        return refused("DURATION_OUT_OF_RANGE", f"a scene plays at least one frame and at most {longest}")
    if not SLOWEST <= rate <= FASTEST:
        return refused(
            "SPEED_OUT_OF_RANGE", f"a scene moves at {SLOWEST:g} to {FASTEST:g} times its speed, not {rate:g} times"
        )
    if (frames, rate) == (old, scene.entry.playback_rate):
        return done(f"Nothing changes: {facts.label(call.scene_id)} is like this already")
    draft = scene.draft.model_copy(update={"duration_in_frames": frames, "playback_rate": rate})
    put = PutScene(scene_id=call.scene_id, base_version=scene.entry.version, draft=draft)
    now = f"{rate:g} times its speed" if call.mode == "retime" else f"{round(frames / fps, 2):g} seconds"
    summary = f"Set {facts.label(call.scene_id)} to {now}"
    return done(summary, put, changes=(Change(kind="scene", id=call.scene_id),))


def _new_frames(call: ChangeDuration, old: int, fps: int) -> int:
    if call.seconds is not None:
        return round(call.seconds * fps)
    if call.factor is not None:
        return round(old * call.factor)
    return old + round((call.delta_seconds or 0) * fps)


TOOL: Tool[Facts, VideoEffect] = Tool(
    "changeDuration",
    "Change how long a scene is (trim, stretch) or how fast it moves (retime).",
    ChangeDuration,
    change_duration,
    lambda _: "Change a duration",
)
