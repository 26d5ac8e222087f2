"""A closed grammar of commands that mean one thing. A rule applies to a whole message only, and never guesses.

What no rule reads goes to the model. So a phrase that could mean two things must not be in the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from shared.apps.video.brain.context import ChatContext
from shared.apps.video.brain.scene_names import NUMBERS, SCENE, plain_quotes, scene_of
from shared.apps.video.models import RequestedTool, ToolName

CONFIDENCE: Final = 0.99
"""How sure a rule is."""

_AMOUNT: Final = rf"(?P<amount>\d{{1,3}}(?:[.,]\d{{1,2}})?|{'|'.join(NUMBERS)})"
_SECONDS: Final = rf"{_AMOUNT} ?-?(?:s|secs?|seconds?)"
_TEXT: Final = r'"(?P<text>[^"]{1,400})"'
_POLITE: Final = re.compile(
    r"^(?:hey,? |hi,? |ok(?:ay)?,? |now |then )?(?:please |can you |could you |would you )?(?:please )?"
    r"(?P<command>.*?)(?:,? please)?(?:,? thanks?(?: you)?)?[.!?]*$",
    re.IGNORECASE | re.DOTALL,
)
FASTER: Final = 1.5
"""How much faster `faster` is, and how much slower `slower` is."""


@dataclass(frozen=True, slots=True)
class Ruled:
    """What a rule read: the call, and why; without a call the reply says what to do instead."""

    call: RequestedTool | None
    reason: str
    reply: str = ""


Read = Callable[[re.Match[str], ChatContext], Ruled | None]


def read_command(context: ChatContext) -> Ruled | None:
    """Return what the message commands; None if it is no command of the grammar, or names no scene of the project."""
    if context.image_ids or "\n" in context.text.strip():
        return None  # what images are for, and texts of several lines, are not in the grammar
    polite = _POLITE.match(" ".join(plain_quotes(context.text).split()))
    command = polite["command"].strip() if polite else ""
    for pattern, read in _RULES:
        found = pattern.fullmatch(command)
        if found is not None:
            return read(found, context)
    return None


# ---- what the commands mean ------------------------------------------------------------------------------------------


def _delete(found: re.Match[str], context: ChatContext) -> Ruled | None:
    scenes = [scene_of(each, context) for each in _phrases(found["scenes"])]
    known = [each for each in scenes if each is not None]
    if len(known) < len(scenes) or not known:
        return None
    return _call("deleteScene", "the message says which scenes to delete", sceneIds=known)


def _phrases(text: str) -> Iterator[str]:
    """Yield the phrases of `scenes 2, 3 and 4`, or of a list of phrases that each name a scene."""
    several = re.fullmatch(r"(?:the )?scenes (.+)", text, re.IGNORECASE)
    for each in re.split(r",? and |, ?| & ", several[1] if several else text):
        yield f"scene {each}" if several else each


def _length(found: re.Match[str], context: ChatContext) -> Ruled | None:
    mode = "stretch" if found[0].casefold().startswith("stretch") else "trim"
    return _duration(found, context, mode, seconds=_number(found["amount"]))


def _longer(found: re.Match[str], context: ChatContext) -> Ruled | None:
    sign = -1 if re.search(r"shorter|shorten|cut", found[0], re.IGNORECASE) else 1
    return _duration(found, context, "trim", deltaSeconds=sign * _number(found["amount"]))


def _speed(found: re.Match[str], context: ChatContext) -> Ruled | None:
    said = found[0].casefold()
    slower = "slow" in said or "hal" in said
    factor = 2.0 if re.search(r"twice|double|hal[fv]", said) else FASTER
    return _duration(found, context, "retime", factor=round(1 / factor, 4) if slower else factor)


def _duration(found: re.Match[str], context: ChatContext, mode: str, **amount: float) -> Ruled | None:
    scene = scene_of(found["scene"], context)
    if scene is None:
        return None
    reason = f"the message says which scene, and the amount: {mode}"
    return _call("changeDuration", reason, sceneId=scene, mode=mode, **amount)


def _move(found: re.Match[str], context: ChatContext) -> Ruled | None:
    scene = scene_of(found["scene"], context)
    others = [each.scene_id for each in context.facts.scenes if each.scene_id != scene]
    at: int | None = None
    if found["end"]:
        at = 0 if found["end"].casefold() in {"start", "beginning", "front"} else len(others)
    elif found["position"]:
        at = int(found["position"]) - 1
    elif (other := scene_of(found["other"], context)) in others:
        at = others.index(str(other)) + (0 if found["side"].casefold() == "before" else 1)
    if scene is None or at is None or not 0 <= at <= len(others):
        return None
    return _order([*others[:at], scene, *others[at:]])


def _swap(found: re.Match[str], context: ChatContext) -> Ruled | None:
    one, other = scene_of(found["one"], context), scene_of(found["other"], context)
    if one is None or other is None or one == other:
        return None
    exchanged = {one: other, other: one}
    return _order([exchanged.get(each.scene_id, each.scene_id) for each in context.facts.scenes])


def _order(order: list[str]) -> Ruled:
    return _call("applyPatch", "the message says the new order", ops=[_replace("/order", order)])


def _rename(found: re.Match[str], context: ChatContext) -> Ruled | None:
    scene = scene_of(found["scene"], context)
    name = found["text"].strip()
    if scene is None or not 1 <= len(name) <= 100:
        return None
    return _call("applyPatch", "the message says the new name", ops=[_replace(f"/scenes/{scene}/name", name)])


def _title(found: re.Match[str], _: ChatContext) -> Ruled:
    return _call("applyPatch", "the message says the new title", ops=[_replace("/title", found["text"].strip())])


def _prop(found: re.Match[str], context: ChatContext) -> Ruled | None:
    """Read a new text of a prop, if the scene has exactly one text prop of this name."""
    scene = context.facts.scene(scene_of(found["scene"], context))
    if scene is None or scene.draft is None:
        return None
    wanted = re.sub(r"[\s_-]", "", found["prop"]).casefold()
    keys = [key for key, value in scene.draft.props.items() if key.casefold() == wanted and isinstance(value, str)]
    if len(keys) != 1:
        return None
    path = f"/scenes/{scene.scene_id}/props/{keys[0].replace('~', '~0').replace('/', '~1')}"
    return _call("applyPatch", f"the scene has the text {keys[0]}", ops=[_replace(path, found["text"])])


def _undo(_: re.Match[str], context: ChatContext) -> Ruled:
    if context.facts.revision <= 1:
        return Ruled(None, "the message asks for an undo", "There is nothing to undo yet.")
    before = context.facts.revision - 1
    reply = f"Press Undo to go back to revision {before}; the present revision is kept, so you can return to it."
    return Ruled(None, "the message asks for an undo", reply)


def _call(tool: ToolName, reason: str, **arguments: Any) -> Ruled:
    return Ruled(RequestedTool(name=tool, arguments=arguments), reason)


def _replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def _number(text: str) -> float:
    return NUMBERS.get(text.casefold()) or float(text.replace(",", "."))


def _rule(pattern: str, read: Read) -> tuple[re.Pattern[str], Read]:
    named = pattern.replace("{scene}", f"(?P<scene>{SCENE})").replace("{seconds}", _SECONDS)
    return re.compile(named, re.IGNORECASE), read


_AND: Final = r"(?:,? and |, ?| & )"
_LIST: Final = rf"(?P<scenes>{SCENE}(?:{_AND}{SCENE})*|(?:the )?scenes \d{{1,3}}(?:{_AND}\d{{1,3}})+)"
_RULES: Final = (
    _rule(rf"(?:delete|remove|drop) {_LIST}", _delete),
    _rule(r"(?:make|set|trim|cut|change|shorten|extend) {scene}(?: to(?: be)?| be)? {seconds}(?: long)?", _length),
    _rule(r"(?:set|change) the (?:length|duration) of {scene} to {seconds}", _length),
    _rule(r"stretch {scene} to {seconds}", _length),
    _rule(r"make {scene} {seconds} (?:longer|shorter)", _longer),
    _rule(r"(?:shorten|lengthen|extend|cut) {scene} by {seconds}", _longer),
    _rule(r"make {scene} (?:a bit |a little )?(?:faster|slower)", _speed),
    _rule(r"make {scene} (?:twice|half) as fast", _speed),
    _rule(r"(?:speed up|slow down) {scene}", _speed),
    _rule(r"(?:double|halve) the speed of {scene}", _speed),
    _rule(
        rf"move {{scene}} (?:to the (?P<end>start|beginning|front|end)|to position (?P<position>\d{{1,3}})"
        rf"|(?P<side>before|after|behind) (?P<other>{SCENE}))",
        _move,
    ),
    _rule(rf"swap (?P<one>{SCENE}) (?:and|with) (?P<other>{SCENE})", _swap),
    _rule(rf"rename {{scene}} to {_TEXT}", _rename),
    _rule(rf"(?:rename|call) the (?:project|video)(?: to)? {_TEXT}", _title),
    _rule(
        rf"(?:change|set) the (?P<prop>[a-z][a-z _-]{{0,30}}?) (?:of|in|on) {{scene}} to {_TEXT}",
        _prop,
    ),
    _rule(r"undo(?: that| it| this| the last change)?", _undo),
)
