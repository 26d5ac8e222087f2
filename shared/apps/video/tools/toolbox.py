"""All tools of video chat, and how a requested call is checked before it runs."""

from __future__ import annotations

import json
from typing import Any

from shared.apps.video.facts import Facts
from shared.apps.video.models import RequestedTool
from shared.apps.video.tools import (
    add_scene,
    apply_patch,
    change_duration,
    delete_scene,
    edit_scene,
    generate_component,
    plan_scenes,
)
from shared.apps.video.tools.effects import VideoEffect, VideoOutcome
from shared.llm.model import ToolCall
from shared.schema import Schema
from shared.tools.result import ArgumentIssue, ToolErrorCode, ToolResult, failed
from shared.tools.tool import CheckedCall, Outcome, Toolbox

TOOLS = (
    add_scene.TOOL,
    edit_scene.TOOL,
    delete_scene.TOOL,
    change_duration.TOOL,
    plan_scenes.TOOL,
    apply_patch.TOOL,
    generate_component.TOOL,
)
MAX_ARGUMENT_BYTES = 60_000
"""Largest arguments of one call, in bytes of JSON: a scene's own code of 40 kB fits."""

TOOLBOX: Toolbox[Facts, VideoEffect] = Toolbox(TOOLS, max_argument_bytes=MAX_ARGUMENT_BYTES)
"""The tools in the order in which a model is told of them."""


def check(requested: RequestedTool) -> CheckedCall[Facts, VideoEffect] | ToolResult:
    """Return the call with valid arguments, or the result that says which argument breaks which rule."""
    try:
        text = json.dumps(requested.arguments, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError):
        return failed(ToolErrorCode.INVALID_ARGUMENTS, "the arguments hold a number or a text that is not valid JSON")
    return TOOLBOX.check(ToolCall("call", requested.name, text), None)


def broken_rules(requested: RequestedTool) -> tuple[ArgumentIssue, ...]:
    """Return which arguments break which rules, whatever the project is; none if the call can be tried."""
    checked = check(requested)
    if not isinstance(checked, ToolResult) or checked.error is None:
        return ()
    whole = {"arguments": ""}  # how the toolbox names a rule about several arguments
    found = checked.error.issues
    issues = tuple(ArgumentIssue(field=whole.get(each.field, each.field), rule=each.rule) for each in found)
    return issues or (ArgumentIssue(field="", rule=checked.error.message),)


def run(facts: Facts, call: CheckedCall[Facts, VideoEffect]) -> VideoOutcome:
    """Return the outcome of a checked call: equal facts and arguments give an equal outcome."""
    outcome: Outcome[VideoEffect] = call.tool.function(facts, call.arguments)
    return outcome


def drafts_needed(requested: RequestedTool) -> frozenset[str]:
    """Return the ids of the scenes whose drafts the call reads: those that its arguments name."""
    checked = check(requested)
    if isinstance(checked, ToolResult):
        return frozenset()
    arguments: Schema = checked.arguments
    if isinstance(arguments, apply_patch.ApplyPatch):
        return apply_patch.scenes_in(arguments)
    named: Any = [getattr(arguments, "scene_id", None), *getattr(arguments, "references", ())]
    return frozenset(each for each in named if each is not None)
