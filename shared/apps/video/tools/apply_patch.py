"""The tool `applyPatch`: change texts, colours, names, lengths and the order by a JSON Patch, without a model."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field, ValidationError

from shared.apps.video.changes import FIRST, MoveScene, ProjectChange, PutScene, SetProject
from shared.apps.video.facts import Facts, SceneFacts
from shared.apps.video.scene import Format, SceneDraft
from shared.apps.video.tools.effects import VideoEffect, VideoOutcome, done, refused
from shared.apps.video.tools.patch_document import MAX_OPERATIONS, PatchOperation, PatchProblem, parts_of, patched
from shared.rules import issues_of
from shared.schema import Schema
from shared.tools.result import ArgumentIssue, Change, failed
from shared.tools.tool import Outcome, Tool

EDITABLE = ("name", "durationInFrames", "playbackRate", "props", "layoutJson")
"""What a patch may change of a scene."""

MAX_PROPS_BYTES = 64_000
"""Largest props of one scene, in bytes of JSON."""


class ApplyPatch(Schema):
    """Change the document `{title, format, order, scenes}` by these operations; all of them, or none.

    `order` lists the scenes' ids. `scenes` has for each id its `name`, `durationInFrames`, `playbackRate`, `props` and
    `layoutJson`.
    """

    ops: tuple[PatchOperation, ...] = Field(min_length=1, max_length=MAX_OPERATIONS)


def apply_patch(facts: Facts, call: ApplyPatch) -> VideoOutcome:
    """Return the changes between the document and the patched one."""
    before = document_of(facts)
    try:
        for index, operation in enumerate(call.ops):
            _refuse_read_only(facts, operation, index)
        after = patched(before, call.ops)
    except PatchProblem as problem:
        return refused(problem.code, problem.message, "correct this operation and send all of them again")
    issues = list(_shape_issues(facts, after))
    if issues:
        return _invalid(issues)
    try:
        changes = list(_changes(facts, before, after))
    except ValidationError as error:
        return _invalid([ArgumentIssue(field=each.field, rule=each.rule) for each in issues_of(error.errors())])
    if not changes:
        return done("Nothing changes: the project is like this already")
    return done(_summary(facts, changes), *changes, changes=tuple(map(_named, changes)))


def document_of(facts: Facts) -> dict[str, Any]:
    """Return what a patch is applied to."""
    return {
        "title": facts.title,
        "format": facts.format.model_dump(mode="json"),
        "order": [each.scene_id for each in facts.scenes],
        "scenes": {each.scene_id: _scene_document(each) for each in facts.scenes},
    }


def scenes_in(call: ApplyPatch) -> frozenset[str]:
    """Return the ids of the scenes whose drafts the call needs."""
    pointers = (pointer for each in call.ops for pointer in (each.path, each.from_) if pointer is not None)
    return frozenset(parts[1] for parts in map(parts_of, pointers) if parts and parts[:1] == ("scenes",) and parts[1:])


def _scene_document(scene: SceneFacts) -> dict[str, Any]:
    entry, draft = scene.entry, scene.draft
    known: dict[str, Any] = {
        "name": entry.name,
        "durationInFrames": entry.duration_in_frames,
        "playbackRate": entry.playback_rate,
    }
    if draft is not None:
        known |= {"props": draft.props, "layoutJson": draft.layout_json}
    return known


def _refuse_read_only(facts: Facts, operation: PatchOperation, index: int) -> None:
    """Raise PatchProblem if the operation changes what only another tool changes."""
    targets = [operation.path] if operation.op != "test" else []
    if operation.op == "move" and operation.from_ is not None:
        targets.append(operation.from_)
    for target in targets:
        reason = _read_only(facts, parts_of(target))
        if reason is not None:
            raise PatchProblem("READ_ONLY", index, target, reason)


def _read_only(facts: Facts, parts: tuple[str, ...] | None) -> str | None:
    """Return why a patch may not change what is at this place; None if it may, or if the place is no pointer."""
    if parts is None:
        return None
    if not parts:
        return "the whole document cannot be replaced; name what to change"
    if parts[0] == "scenes":
        return _read_only_in_scenes(facts, *parts[1:3])
    return None if parts[0] in {"title", "format", "order"} else "the document has title, format, order and scenes"


def _read_only_in_scenes(facts: Facts, scene_id: str | None = None, field: str | None = None) -> str | None:
    if scene_id is None:
        return "scenes cannot be replaced together; name one of them"
    if facts.scene(scene_id) is None:
        return "the project has no such scene; use addScene for a new one"
    if field is None:
        return "use deleteScene or editScene for a whole scene"
    return None if field in EDITABLE else f"{field[:40]} is read-only; a patch changes {', '.join(EDITABLE)}"


def _shape_issues(facts: Facts, after: Any) -> Iterator[ArgumentIssue]:
    """Yield what is wrong with the patched document as a whole."""
    order = after.get("order")
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(each.scene_id for each in facts.scenes):
        yield ArgumentIssue(field="order", rule="must list every scene's id exactly once; delete with deleteScene")
    for scene_id, scene in after["scenes"].items():
        if not isinstance(scene.get("props", {}), dict):
            yield ArgumentIssue(field=f"scenes.{scene_id}.props", rule="must be an object")
        elif len(json.dumps(scene.get("props", {}), ensure_ascii=False).encode()) > MAX_PROPS_BYTES:
            yield ArgumentIssue(field=f"scenes.{scene_id}.props", rule=f"must be at most {MAX_PROPS_BYTES} bytes")
        missing = [each for each in ("name", "durationInFrames", "playbackRate") if each not in scene]
        if missing:
            yield ArgumentIssue(field=f"scenes.{scene_id}.{missing[0]}", rule="must not be removed")
    if not isinstance(after.get("title"), str):
        yield ArgumentIssue(field="title", rule="must be a text, and must not be removed")
    if not isinstance(after.get("format"), dict):
        yield ArgumentIssue(field="format", rule="must be an object, and must not be removed")


def _changes(facts: Facts, before: dict[str, Any], after: dict[str, Any]) -> Iterator[ProjectChange]:
    """Yield the changes in the order in which they are applied. Raises ValidationError."""
    title = after["title"] if after["title"] != before["title"] else None
    format_ = Format.model_validate(after["format"]) if after["format"] != before["format"] else None
    if title is not None or format_ is not None:
        yield SetProject(title=title, format=format_)
    for scene in facts.scenes:
        if not _same(after["scenes"][scene.scene_id], before["scenes"][scene.scene_id]):
            yield _put(scene, after["scenes"][scene.scene_id])
    yield from _moves(before["order"], after["order"])


def _same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; to Python, true and 1 are."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _put(scene: SceneFacts, document: dict[str, Any]) -> PutScene:
    assert scene.draft is not None  # noqa: S101 - a patch names its scenes, and their drafts are read
    kept = scene.draft.model_dump(by_alias=True, exclude={"name", "duration_in_frames", "playback_rate"})
    fields = {**kept, "layoutJson": None, "props": {}, **document}
    draft = SceneDraft.model_validate(fields)
    return PutScene(scene_id=scene.scene_id, base_version=scene.entry.version, draft=draft)


def _moves(before: Sequence[str], after: Sequence[str]) -> Iterator[MoveScene]:
    """Yield the fewest moves from one order to the other: scenes of a longest rising row stay where they are."""
    staying = _longest_rising({scene_id: at for at, scene_id in enumerate(before)}, after)
    for at, scene_id in enumerate(after):
        if scene_id not in staying:
            yield MoveScene(scene_id=scene_id, after=after[at - 1] if at else FIRST)


def _longest_rising(position: dict[str, int], after: Sequence[str]) -> set[str]:
    """Return the most scenes of `after` that are in the order that they had, by patience sorting."""
    lasts: list[int] = []  # the smallest last position of a rising row of each length
    ends: list[str] = []
    previous: dict[str, str | None] = {}
    for scene_id in after:
        length = bisect_left(lasts, position[scene_id])
        previous[scene_id] = ends[length - 1] if length else None
        lasts[length : length + 1] = [position[scene_id]]
        ends[length : length + 1] = [scene_id]
    row, at = set(), ends[-1] if ends else None
    while at is not None:
        row.add(at)
        at = previous[at]
    return row


def _summary(facts: Facts, changes: Sequence[ProjectChange]) -> str:
    said = []
    for each in changes:
        match each:
            case SetProject():
                said.append("Change the project's " + ("format" if each.title is None else "title"))
            case PutScene():
                said.append(f"Change {facts.label(each.scene_id)}")
            case MoveScene():
                said.append(f"Move {facts.label(each.scene_id)}")
            case _:
                pass
    return "; ".join(said[:3]) + (f"; and {len(said) - 3} more" if len(said) > 3 else "")


def _named(change: ProjectChange) -> Change:
    match change:
        case PutScene() | MoveScene():
            return Change(kind="scene", id=change.scene_id)
        case _:
            return Change(kind="project", id="project")


def _invalid(issues: list[ArgumentIssue]) -> VideoOutcome:
    message = f"{issues[0].field}: {issues[0].rule}"
    return Outcome(failed("INVALID_RESULT", message, hint="correct the patch", issues=tuple(issues[:10])))


TOOL: Tool[Facts, VideoEffect] = Tool(
    "applyPatch",
    "Change texts, colours and other props of scenes, names, the order, the title or the format, by a JSON Patch.",
    ApplyPatch,
    apply_patch,
    lambda _: "Change values",
)
