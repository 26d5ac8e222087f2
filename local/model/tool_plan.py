"""Decides which tools the scripted model calls in one turn, and what it says about their results."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from local.model.application_answers import application_answer, application_correction
from local.model.behaviour import Behaviour
from local.model.calls import MadeCall, PlannedCall, Reply
from local.model.directives import directed_calls
from local.model.documents import DocumentWriter, UnsupportedSchema
from local.model.images import Image
from local.model.offered_tools import OfferedTool
from local.model.prompt import Prompt
from local.model.prose import brief_of

_TRIES: Final = 2
_NO_TOOL: Final = "no_such_tool"


def reply_with_calls(prompt: Prompt, behaviour: Behaviour) -> Reply | None:
    """Return the calls of this turn and the text before them; None if the model answers without a call.

    The plan depends on the conversation only, so a turn that is asked for twice gets the same calls. Raises
    UnreadableDirective.
    """
    if not prompt.tools or prompt.tool_choice == "none" or behaviour.no_call:
        return None
    if behaviour.repeat_forever:
        prompt = prompt.without_turns()
    reply = _correction(prompt) or _next_of_plan(prompt, behaviour) or _by_application(prompt, behaviour)
    if prompt.chosen_tool is not None:
        reply, prompt = _only(prompt.chosen_tool, reply, prompt)
    if reply is None and (prompt.tool_choice == "required" or (behaviour.misuses_tools and not prompt.turns)):
        reply = Reply(calls=_any_calls(prompt, behaviour.parallel or 1))
    return None if reply is None else Reply(reply.text, tuple(_misused(call, behaviour) for call in reply.calls))


def report(prompt: Prompt) -> str:
    """Return a text about the calls of this request that quotes their results and names what was not done."""
    made = [call for turn in prompt.turns for call in turn]
    missing = [step.name for step in _steps_not_made(prompt)]
    lines = [f"The scripted model called {len(made)} tool{'s' if len(made) != 1 else ''}:", *(f"- {c}" for c in made)]
    return "\n".join([*lines, *([f"Not done: {', '.join(missing)}."] if missing else [])])


def description_of(images: Sequence[Image]) -> str:
    """Return what the scripted model sees in images: their format, size and mean colour."""
    return "\n".join(f"The scripted model sees image {number}: {each}." for number, each in enumerate(images, start=1))


def _correction(prompt: Prompt) -> Reply | None:
    """Return the calls that follow the hints of the last turn's failures, if an application says how."""
    if not prompt.turns:
        return None
    earlier = _corrections(prompt.turns[:-1])
    pending = [call for call in _corrections(prompt.turns) if not _is_among(call, earlier)]
    return Reply(calls=tuple(pending)) if pending else None


def _corrections(turns: Sequence[Sequence[MadeCall]]) -> list[PlannedCall]:
    """Return one correction for each failed call; a correction that failed is not corrected again."""
    corrections: list[PlannedCall] = []
    for made in itertools.chain.from_iterable(turns):
        if made.ok or _is_among(made.call, corrections):
            continue
        correction = application_correction(made)
        if correction is not None and not _is_among(correction, corrections):
            corrections.append(correction)
    return corrections


def _next_of_plan(prompt: Prompt, behaviour: Behaviour) -> Reply | None:
    left = [step for step in _steps_left(prompt) if prompt.chosen_tool in {None, step.name}]
    return Reply(calls=tuple(left[: behaviour.parallel or 1])) if left else None


def _steps_left(prompt: Prompt) -> Sequence[PlannedCall]:
    """Return the calls of `[[tools: …]]` that the model still wants to make.

    A call counts as made when the conversation holds it, whatever its result is. A turn that was to make calls and made
    others, because the model was told to misuse its tools, is repeated once.
    """
    steps = directed_calls(prompt.request) or ()
    corrections = _corrections(prompt.turns)
    at = tries = 0
    for turn in prompt.turns:
        if all(_is_among(made.call, corrections) for made in turn):
            continue
        before = at
        for made in turn:
            at += at < len(steps) and made.call.is_same(steps[at])
        tries = tries + 1 if at == before else 0
        if tries == _TRIES:
            at, tries = at + len(turn), 0
    return steps[at:]


def _steps_not_made(prompt: Prompt) -> Sequence[PlannedCall]:
    """Return the calls of `[[tools: …]]` that the conversation does not hold, also those that were given up."""
    steps = list(directed_calls(prompt.request) or ())
    for made in itertools.chain.from_iterable(prompt.turns):
        at = next((at for at, step in enumerate(steps) if step.is_same(made.call)), None)
        if at is not None:
            del steps[at]
    return steps


def _by_application(prompt: Prompt, behaviour: Behaviour) -> Reply | None:
    if directed_calls(prompt.request) is not None:
        return None
    reply = application_answer(prompt)
    if not isinstance(reply, Reply) or not reply.calls:
        return None
    wanted = max(len(reply.calls), behaviour.parallel or 1)
    return Reply(reply.text, tuple(itertools.islice(itertools.cycle(reply.calls), wanted)))


def _only(chosen: str, reply: Reply | None, prompt: Prompt) -> tuple[Reply | None, Prompt]:
    """Return the reply with the calls of the chosen tool, None if it has none, and the prompt with this tool only."""
    calls = tuple(call for call in reply.calls if call.name == chosen) if reply else ()
    narrowed = replace(prompt, tools=tuple(tool for tool in prompt.tools if tool.name == chosen))
    return (Reply(reply.text, calls) if reply and calls else None), narrowed


def _any_calls(prompt: Prompt, count: int) -> tuple[PlannedCall, ...]:
    """Return calls of the offered tools with arguments that fit their schemas, for a request without a plan."""
    return tuple(_fitting_call(tool, prompt) for tool in itertools.islice(itertools.cycle(prompt.tools), count))


def _fitting_call(tool: OfferedTool, prompt: Prompt) -> PlannedCall:
    try:
        arguments = DocumentWriter(tool.parameters, brief_of(prompt.user_messages)).write()
    except UnsupportedSchema:
        arguments = {}
    return PlannedCall(tool.name, json.dumps(arguments, ensure_ascii=False))


def _misused(call: PlannedCall, behaviour: Behaviour) -> PlannedCall:
    name = _NO_TOOL if behaviour.unknown_tool else call.name
    return PlannedCall(name, call.arguments.rstrip()[:-1] if behaviour.bad_arguments else call.arguments)


def _is_among(call: PlannedCall, others: Sequence[PlannedCall]) -> bool:
    return any(call.is_same(other) for other in others)
