"""What a model is told of a project and its chat, as labelled JSON: data, never instructions, and no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from shared.apps.video.brain.context import ChatContext, Turn
from shared.apps.video.facts import Facts, ImageFacts, SceneFacts

MOST_TURNS: Final = 6
"""How many earlier messages the model gets."""
MOST_TURN_CHARS: Final = 400
MOST_SUMMARY_CHARS: Final = 120
MOST_PROP_CHARS: Final = 60
MOST_PROPS: Final = 12


def packet_of(context: ChatContext) -> dict[str, Any]:
    """Return what the decision about a message depends on."""
    facts = context.facts
    packet: dict[str, Any] = {
        "message": context.text,
        "project": {"title": facts.title, "format": facts.format.model_dump(mode="json")},
        "scenes": [scene_packet(facts, each, at) for at, each in enumerate(facts.scenes, 1)],
        "history": [_turn(each) for each in context.history[-MOST_TURNS:]],
    }
    optional: dict[str, Any] = {
        "components": [each.name for each in facts.components],
        "attachedScenes": list(context.attached),
        "selectedScene": context.selected if facts.scene(context.selected) is not None else None,
        "lastChanged": list(context.last_changed),
        "images": [
            {
                "id": each.image_id,
                "name": each.name,
                "width": each.width,
                "height": each.height,
                "attached": each.attached,
            }
            for each in facts.images
        ],
        "preferences": dict(facts.preferences),
        "answersQuestion": _question(context),
    }
    return packet | {key: value for key, value in optional.items() if value}


def scene_packet(facts: Facts, scene: SceneFacts, number: int) -> dict[str, Any]:
    """Return what a model is told of one scene."""
    told: dict[str, Any] = {
        "n": number,
        "id": scene.scene_id,
        "name": scene.name,
        "seconds": scene.seconds(facts.format.fps),
    }
    if scene.entry.playback_rate != 1:
        told["speed"] = scene.entry.playback_rate
    if scene.draft is not None:
        told["props"] = _short_props(scene.draft.props)
        summary = (scene.draft.layout_json or {}).get("summary")
        if isinstance(summary, str):
            told["summary"] = summary[:MOST_SUMMARY_CHARS]
    return told


def _image(image: ImageFacts) -> dict[str, Any]:
    told = {"id": image.image_id, "name": image.name, "width": image.width, "height": image.height}
    return told | ({"attached": True} if image.attached else {})


def as_data(label: str, value: Any) -> str:
    """Return a value as labelled JSON for a prompt."""
    return f"{label}, as data:\n{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"


def _short_props(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _short(value) for key, value in list(props.items())[:MOST_PROPS]}


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MOST_PROP_CHARS else value[:MOST_PROP_CHARS] + "…"
    if isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return value if len(text) <= MOST_PROP_CHARS * 2 else text[: MOST_PROP_CHARS * 2] + "…"
    return value


def _turn(turn: Turn) -> dict[str, Any]:
    told: dict[str, Any] = {"role": turn.role, "text": turn.text[:MOST_TURN_CHARS]}
    if turn.tool is not None:
        told["tool"] = turn.tool
    if turn.changed:
        told["changed"] = list(turn.changed)
    return told


def _question(context: ChatContext) -> dict[str, Any] | None:
    if context.asked is None:
        return None
    return {"question": context.asked.text, "options": [each.label for each in context.asked.options]}
