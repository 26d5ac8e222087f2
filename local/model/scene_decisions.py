"""The scripted model's decisions in a video chat: a scorer of keywords. It is no AI, and not the product's rules."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from local.model.directives import without_directives

CODE_FAULT: Final = re.compile(r"\[\[\s*code:\s*(?P<kind>\w+)\s*(?P<twice>,\s*twice)?\s*\]\]")
QUOTED: Final = re.compile(r"[\"\u201c\u201e]([^\"\u201c\u201d\u201e]{1,120})[\"\u201d\u201c]")
_HELP: Final = "I change videos: ask me for scenes, texts, colours or lengths. (Scripted model, no AI.)"
_NUMBERS: Final = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_AMOUNT: Final = r"(\d+(?:[.,]\d+)?|two|three|four|five|six|ten)"
_SECONDS: Final = re.compile(rf"\b{_AMOUNT}[ -]?(?:s|secs?|seconds?|sekunden?|secondes?)\b")
_SCENE: Final = r"(?:scenes?|szenen?|sc\u00e8nes?|one|it|everything|clips?)\b"
_DELETE: Final = r"\b(?:delete|remove|drop|get rid of|throw out|kill|l\u00f6sche?|entferne?|supprime[rz]?)\b"
_KEYWORDS: Final = (
    ("generateComponent", r"\bcomponents?\b|\breusable\b|\bkomponente\b|use everywhere", 0.9),
    (
        "planScenes",
        r"\b(?:[2-8]|two|three|four|five|six|seven|eight)[ -](?:short )?(?:scenes|parts)\b(?!.*delete)"
        r"|\b(?:launch|promo|explainer|intro|product|whole|complete) video\b|\bvideo (?:about|for|of)\b",
        0.88,
    ),
    (
        "deleteScene",
        rf"{_DELETE} (?:the |this |that |my |all |both |these )*(?:\w+ )?{_SCENE}|scene \w+ (?:has to go|can go)",
        0.9,
    ),
    (
        "applyPatch",
        r"\b(?:rename|call) (?:the )?|\b(?:swap|reorder|move)\b.*\bscene"
        r"|\b(?:text|title|subtitle|heading|caption|headline|wording|label)\b.*\b(?:to|say|says|be|read)\b",
        0.85,
    ),
    (
        "changeDuration",
        rf"{_SECONDS.pattern}|\b(?:faster|slower|shorter|longer|speed|schneller|langsamer|k\u00fcrzer|l\u00e4nger"
        r"|trim|stretch|slow down)\b",
        0.87,
    ),
    (
        "addScene",
        r"\b(?:add|create|new|another|insert|append|neue|noch eine|ajoute|nouvelle)\b|\b(?:intro|outro)\b",
        0.86,
    ),
    (
        "answer",
        r"^(?:hi|hello|hey|thanks?|thank you|danke|merci|cool|nice|great|who|what|how|why|when|where|is|are|does"
        r"|do you)\b",
        0.8,
    ),
)
"""The tools in the order in which they are tried, with their keywords and how sure these are."""


def without_faults(text: str) -> str:
    """Return a message without the directives to the scripted model."""
    return CODE_FAULT.sub("", without_directives(text))


def decided(packet: dict[str, Any]) -> dict[str, Any]:
    """Return the decision about the message of a packet."""
    message = str(packet["message"])
    text = " ".join(without_faults(message).split()).casefold()
    tool, confidence = _tool(text, packet)
    targets = _targets(text, packet)
    found: dict[str, Any] = {
        "reason": f"the keywords of the message fit {tool} best (scripted model, no AI)",
        "tool": tool,
        "targets": targets if tool in {"editScene", "deleteScene", "changeDuration"} else [],
        "references": _references(text, packet),
        "imageUses": _image_uses(text, packet),
        "instruction": message[:2_000],
        "name": None,
        "after": None,
        "count": _count(text) if tool == "planScenes" else None,
        "mode": None,
        "seconds": None,
        "factor": None,
        "deltaSeconds": None,
        "rewrite": "from scratch" in text or "redo" in text,
        "operations": [],
        "confidence": confidence,
        "alternatives": [],
        "question": None,
        "preferences": _preferences(message),
        "reply": "Here it is."
        if tool != "answer"
        else "I change videos: ask me for scenes, texts, colours or lengths.",
    }
    found |= _amounts(tool, text)
    if tool == "generateComponent":
        found["name"] = _component_name(message)
    if tool == "applyPatch":
        found["operations"] = _operations(message, packet, targets)
        if not found["operations"]:
            edit = {"tool": "editScene", "targets": targets, "confidence": 0.75}
            found |= edit if packet["scenes"] else {"tool": "addScene", "confidence": 0.86}
    return found


def _tool(text: str, packet: dict[str, Any]) -> tuple[str, float]:
    """Return the tool whose keywords the text has, and how sure that is."""
    for tool, pattern, confidence in _KEYWORDS:
        if re.search(pattern, text):
            return tool, confidence
    if not packet["scenes"]:
        return "addScene", 0.55
    return "editScene", 0.6 if len(text.split()) < 3 else 0.82


def _targets(text: str, packet: dict[str, Any]) -> list[str]:
    """Return the scenes that the text names, else the attached, selected or last changed ones."""
    scenes = packet["scenes"]
    text = re.split(r"\b(?:like|as in|same as|wie)\b", text)[0] or text
    if re.search(r"\b(?:all|every|each|both|alle|beide)\b", text):
        return [str(each["id"]) for each in scenes]
    numbers = {int(each) for each in re.findall(r"\bscenes? (?:number )?(\d{1,3})\b", text)}
    numbers |= {int(each) for each in re.findall(r"\bscenes? \d{1,3}(?:, \d{1,3})* (?:and|,) (\d{1,3})\b", text)}
    numbers |= {at for at, word in enumerate(_ORDINALS, 1) if re.search(rf"\b{word}\b", text)}
    if re.search(r"\blast\b", text) and scenes:
        numbers.add(len(scenes))
    named = [each for each in scenes if each["n"] in numbers or str(each["name"]).casefold() in text]
    if named:
        return [str(each["id"]) for each in named]
    for candidates in (packet.get("attachedScenes"), [packet.get("selectedScene")], packet.get("lastChanged")):
        if candidates and candidates[0]:
            return [str(each) for each in candidates]
    return [str(scenes[0]["id"])] if len(scenes) == 1 else []


def _references(text: str, packet: dict[str, Any]) -> list[str]:
    found = re.search(r"\b(?:like|as in|same as|wie) (?:in )?(?:scene|szene) (\d{1,3})\b", text)
    return [str(each["id"]) for each in packet["scenes"] if found and each["n"] == int(found[1])]


def _image_uses(text: str, packet: dict[str, Any]) -> list[dict[str, Any]]:
    use = "reference" if "style" in text else "recreate" if re.search(r"screenshot|recreate|mock", text) else "embed"
    attached = [each for each in packet.get("images") or () if each.get("attached")]
    return [{"imageId": each["id"], "use": use, "where": None} for each in attached]


def _count(text: str) -> int:
    found = re.search(r"\b([2-8]|two|three|four|five|six|seven|eight)[ -](?:short )?(?:scenes|parts)\b", text)
    return 3 if found is None else _NUMBERS.get(found[1]) or int(found[1])


def _amounts(tool: str, text: str) -> dict[str, Any]:
    found = _SECONDS.search(text)
    words = {**_NUMBERS, "ten": 10}
    seconds = None if found is None else float(words.get(found[1]) or found[1].replace(",", "."))
    if tool in {"addScene", "planScenes"}:
        return {"seconds": seconds}
    if tool != "changeDuration":
        return {}
    shorter = re.search(r"shorter|cut|trim|off\b|k\u00fcrzer", text) is not None
    relative = re.search(r"longer|shorter|off\b|k\u00fcrzer|l\u00e4nger", text) is not None
    if seconds is not None and relative:
        return {"mode": "trim", "deltaSeconds": -seconds if shorter else seconds}
    if seconds is not None:
        return {"mode": "stretch" if re.search(r"stretch|keep", text) else "trim", "seconds": seconds}
    if relative or shorter:
        return {"mode": "trim", "factor": 0.75 if shorter else 1.5}
    return {"mode": "retime", "factor": 0.6667 if re.search(r"slow|langsam", text) else 1.5}


def _operations(message: str, packet: dict[str, Any], targets: list[str]) -> list[dict[str, Any]]:
    """Return the patch of the one prop that the message names, with the text in quotes."""
    quoted = QUOTED.search(message)
    scene = next((each for each in packet["scenes"] if targets and each["id"] == targets[0]), None)
    if quoted is None or scene is None:
        return []
    value = json.dumps(quoted[1], ensure_ascii=False)
    if re.search(r"\brename\b", message, re.IGNORECASE):
        return [{"op": "replace", "path": f"/scenes/{scene['id']}/name", "from": None, "value": value}]
    named = [key for key in scene.get("props") or {} if key.casefold() in message.casefold()]
    return [
        {"op": "replace", "path": f"/scenes/{scene['id']}/props/{key}", "from": None, "value": value}
        for key in named[:1]
    ]


def _component_name(message: str) -> str:
    found = re.search(r"\b(?:a|an|reusable|component) ([a-z]+)\b(?! component)", message, re.IGNORECASE)
    return (found[1] if found else "badge").capitalize()


def _preferences(message: str) -> list[dict[str, str]]:
    found = re.search(r"\balways use (?P<what>[^.!?\n]{1,80})", message, re.IGNORECASE)
    return [{"key": "style", "value": found["what"].strip()}] if found else []
