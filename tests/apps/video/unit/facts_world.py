"""A project of three scenes as the tools and the brain see it."""

from __future__ import annotations

from typing import Any

from shared.apps.video.facts import ComponentFacts, Facts, ImageFacts, SceneFacts
from shared.apps.video.manifest import SceneEntry
from shared.apps.video.models import RequestedTool
from shared.apps.video.scene import ComponentDraft, Format, SceneDraft
from shared.apps.video.tools.effects import VideoOutcome
from shared.apps.video.tools.toolbox import check, run
from shared.tools.result import ToolResult
from shared.tools.tool import Outcome

ULID = "01k0000000000000000000000a"
SCENES = tuple(f"scn_{ULID}-{part}" for part in range(3))
"""The ids of the scenes Title, Features and Outro."""
NEW_SCENES = tuple(f"scn_01k0000000000000000000000b-{part}" for part in range(8))
IMAGE = "img_01k0000000000000000000000c"
NAMES = ("Title", "Features", "Outro")
PROPS: tuple[dict[str, Any], ...] = (
    {"title": "Hello", "accent": "#1d4ed8"},
    {"items": ["Fast", "Safe"], "heading": "Why"},
    {"text": "Goodbye"},
)
CODE = 'import { AbsoluteFill } from "@millrace/scene";\nexport default function Scene() { return <AbsoluteFill />; }\n'


def scene(at: int, **fields: Any) -> SceneFacts:
    values: dict[str, Any] = {
        "name": NAMES[at],
        "tsx_code": CODE,
        "duration_in_frames": 90,
        "props": PROPS[at],
        **fields,
    }
    draft = SceneDraft(**values)
    entry = SceneEntry(
        scene_id=SCENES[at],
        version=at + 1,
        name=draft.name,
        duration_in_frames=draft.duration_in_frames,
        playback_rate=draft.playback_rate,
        digest="0" * 64,
    )
    return SceneFacts(entry, draft)


def facts(**fields: Any) -> Facts:
    values: dict[str, Any] = {
        "revision": 7,
        "title": "Launch",
        "format": Format(width=1280, height=720, fps=30),
        "scenes": tuple(scene(at) for at in range(3)),
        "components": (ComponentFacts("Counter", 4, ComponentDraft(name="Counter", tsx_code=CODE)),),
        "images": (ImageFacts(IMAGE, "logo.png", 200, 100),),
        "new_scene_ids": NEW_SCENES,
        **fields,
    }
    return Facts(**values)


EMPTY = facts(scenes=(), components=(), images=())


def call(name: Any, known: Facts | None = None, /, **arguments: Any) -> VideoOutcome:
    """Return the outcome of a call as a client requests it; arguments have the names of the API."""
    checked = check(RequestedTool(name=name, arguments=arguments))
    return Outcome(checked) if isinstance(checked, ToolResult) else run(known or facts(), checked)


def code_of(outcome: VideoOutcome) -> str | None:
    return None if outcome.result.error is None else outcome.result.error.code
