"""Check a model's decision before anything is done: act on it, ask one question, or answer.

The guard computes; it asks no model. So an equal decision about an equal project has an equal verdict.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.apps.video.brain.context import ChatContext
from shared.apps.video.brain.decision import Decision, calls_of
from shared.apps.video.brain.scene_names import NUMBERS, ORDINALS, plain_quotes
from shared.apps.video.facts import Facts, SceneFacts
from shared.apps.video.models import MAX_OPTIONS, Option, RequestedTool, ToolName
from shared.apps.video.tools.toolbox import check, run
from shared.tools.result import ToolResult

ACT: Final = 0.70
"""Least confidence to act. docs/video.md says how it was chosen, and how to choose it for a model."""
MARGIN: Final = 0.10
"""Least distance between the confidence of the decision and that of its best alternative."""
MOST_EDITS: Final = 4
"""Most scenes whose code one message changes."""

SHORTEST_NAME: Final = 3
"""Fewest characters of a scene's name that a message says without quotes: others are in every text."""

_OF_SCENES: Final = frozenset({"editScene", "changeDuration", "deleteScene"})
_ALL: Final = re.compile(r"\b(?:all|every|each|everything|whole)\b|\balle\b|\btou(?:s|tes)\b", re.IGNORECASE)
_BOTH: Final = re.compile(r"\b(?:both|beide[ns]?|les deux)\b", re.IGNORECASE)
_LABEL: Final = 120


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done: `calls` of tools; or a `question` with its options; or only the `reply`."""

    calls: tuple[RequestedTool, ...] = ()
    question: str | None = None
    options: tuple[Option, ...] = ()
    reply: str = ""
    why: str = ""
    """Which check led to a question; empty if none did."""


def judge(decision: Decision, context: ChatContext) -> Verdict:
    """Return the verdict about a decision."""
    if decision.tool == "answer":
        return _answer(decision)
    if not context.allows(decision.tool):
        return Verdict(reply=not_allowed(context, decision.tool), why="tool not allowed")
    decision = _expanded(decision, context)
    calls = calls_of(decision, context.facts)
    if decision.tool in _OF_SCENES and (verdict := _about_scenes(decision, context, calls)) is not None:
        return verdict
    problem = _problem(context.facts, calls)
    if problem is not None:
        question = decision.question or f"That is not possible: {problem}. What would you like instead?"
        return Verdict(question=question, why="impossible")
    return _by_confidence(decision, context, calls)


def not_allowed(context: ChatContext, tool: str) -> str:
    """Return the reply to a message that asks for a tool which its agent may not choose."""
    allowed = ", ".join(sorted(context.allowed_tools or ())) or "none"
    return f"The agent of this message may not use {tool}; it may use: {allowed}. Send the message with another agent."


def _about_scenes(decision: Decision, context: ChatContext, calls: tuple[RequestedTool, ...]) -> Verdict | None:
    """Return the question that a decision about present scenes leads to; None if it leads to none."""
    facts = context.facts
    if not facts.scenes:
        return _on_empty_project(decision, context)
    if not _has_targets(decision, facts):
        return _which_scene(decision, facts)
    if decision.tool == "editScene" and len(calls) > MOST_EDITS:
        return Verdict(question=f"At most {MOST_EDITS} scenes can be changed at once. Which ones first?", why="many")
    if decision.tool == "deleteScene" and not _deletion_is_literal(decision, context):
        labels = " and ".join(facts.label(each) for each in decision.targets)
        return _ask(decision, context, calls, f"Do you want to delete {labels}?", "deletion")
    return None


def _answer(decision: Decision) -> Verdict:
    if decision.question:
        return Verdict(question=decision.question, why="asked")
    return Verdict(reply=decision.reply or "I can add, change, delete and order scenes, and change their texts.")


def _by_confidence(decision: Decision, context: ChatContext, calls: tuple[RequestedTool, ...]) -> Verdict:
    """Act if the decision is sure enough; else ask with the decision and its alternatives as options."""
    rival = max((each.confidence for each in decision.alternatives if each.tool != decision.tool), default=0.0)
    if decision.confidence < ACT:
        return _ask(decision, context, calls, None, "confidence")
    if decision.confidence - rival < MARGIN:
        return _ask(decision, context, calls, None, "margin")
    return Verdict(calls=calls, reply=decision.reply)


def _ask(
    decision: Decision, context: ChatContext, calls: tuple[RequestedTool, ...], question: str | None, why: str
) -> Verdict:
    """Return a question whose options are ready calls: the decision's own, then those of its alternatives."""
    facts = context.facts
    others = (each.tool for each in sorted(decision.alternatives, key=lambda each: -each.confidence))
    tools: list[ToolName] = [each for each in others if context.allows(each)]
    candidates = [*calls[:1], *(call for tool in tools for call in calls_of(decision, facts, tool)[:1])]
    options = [option for each in candidates if (option := _option(facts, each)) is not None]
    unique = list({option.label: option for option in options}.values())[:MAX_OPTIONS]
    asked = question or decision.question or "What would you like me to do?"
    return Verdict(question=asked, options=tuple(unique), why=why)


def _which_scene(decision: Decision, facts: Facts) -> Verdict:
    """Ask which scene is meant, with the first scenes as options."""
    targeted = [(scene, decision.model_copy(update={"targets": (scene.scene_id,)})) for scene in facts.scenes]
    calls = [call for _, each in targeted for call in calls_of(each, facts)[:1]]
    options = [option for call in calls if (option := _option(facts, call)) is not None]
    question = decision.question or "Which scene do you mean?"
    return Verdict(question=question, options=tuple(options[:MAX_OPTIONS]), why="target")


def _on_empty_project(decision: Decision, context: ChatContext) -> Verdict:
    instruction = decision.instruction.strip()
    options: tuple[Option, ...] = ()
    if instruction and context.allows("addScene"):
        call = RequestedTool(name="addScene", arguments={"instruction": instruction})
        options = (Option(label=f"Add a scene: {instruction}"[:_LABEL], call=call),)
    return Verdict(
        question="The project has no scene yet. What should the first one show?", options=options, why="empty"
    )


def _option(facts: Facts, call: RequestedTool) -> Option | None:
    """Return the call as an option, named by what it does; None if it cannot be done."""
    checked = check(call)
    if isinstance(checked, ToolResult):
        return None
    outcome = run(facts, checked)
    return Option(label=outcome.result.summary[:_LABEL], call=call) if outcome.result.ok else None


def _problem(facts: Facts, calls: Sequence[RequestedTool]) -> str | None:
    """Return why a call cannot be done, by trying all: tools change nothing. None if all can."""
    if not calls:
        return "it is not clear what to change"
    for call in calls:
        checked = check(call)
        result = checked if isinstance(checked, ToolResult) else run(facts, checked).result
        if result.error is not None:
            issues = "; ".join(f"{each.field}: {each.rule}" for each in result.error.issues[:2])
            return issues or result.error.message
    return None


def _has_targets(decision: Decision, facts: Facts) -> bool:
    return any(facts.scene(each) is not None for each in decision.targets)


def _expanded(decision: Decision, context: ChatContext) -> Decision:
    """Return the decision with all scenes as targets if the message says so, and the model has named some only."""
    scenes = tuple(each.scene_id for each in context.facts.scenes)
    if decision.tool not in {"editScene", "changeDuration"} or not decision.targets:
        return decision
    says_all = re.search(r"\b(?:all|every|each)\b(?: of)?(?: the| my)? scenes?\b", context.text, re.IGNORECASE)
    says_both = _BOTH.search(context.text) is not None and len(scenes) == 2
    if says_all is None and not says_both:
        return decision
    return decision.model_copy(update={"targets": scenes})


def _deletion_is_literal(decision: Decision, context: ChatContext) -> bool:
    """Return whether the message itself names every scene that would be deleted, if they are several."""
    targets = [scene for each in decision.targets if (scene := context.facts.scene(each)) is not None]
    if len(targets) <= 1:
        return True
    if _ALL.search(context.text):
        return True
    if len(targets) == 2 and _BOTH.search(context.text):
        return True
    return all(_is_named(scene, context) for scene in targets)


def _is_named(scene: SceneFacts, context: ChatContext) -> bool:
    """Return whether the message has the scene's name, its number or its ordinal."""
    text = context.text.casefold()
    number = context.facts.number_of(scene.scene_id)
    words = [word for known in (NUMBERS, ORDINALS) for word, at in known.items() if at == number]
    if number == len(context.facts.scenes):
        words.append("last")
    named = re.search(rf"(?<!\d){number}(?!\d)|\b(?:{'|'.join(words) or 'none'})\b", text) is not None
    return named or _has_name(text, " ".join(scene.name.split()).casefold())


def _has_name(text: str, name: str) -> bool:
    """Return whether the text has the name as whole words; one that any text could have counts in quotes only."""
    words = rf"(?<!\w){re.escape(name)}(?!\w)"
    quoted = rf'"{re.escape(name)}"'
    return re.search(words if len(name) >= SHORTEST_NAME else quoted, plain_quotes(text)) is not None
