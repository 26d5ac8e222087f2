"""The first stage of a chat job: decide which tool the message asks for, or ask back, or answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any, Final

from shared.apps.video.brain.brain import Brain
from shared.apps.video.brain.context import ChatContext
from shared.apps.video.models import Choice, RequestedTool, VideoChatInput
from shared.apps.video.plan import Plan
from shared.apps.video.reading import ProjectReading
from shared.apps.video.tools.toolbox import check, run
from shared.errors import ChangeRefused, SceneChanged
from shared.llm.model import ImagePart
from shared.log.events import Tool
from shared.stages.stage import StageContext
from shared.tools.result import ToolResult

DECIDED: Final = 5.0
"""Progress in percent after the decision."""
KEY: Final = "decision"
"""The key of the item with the plan."""


MOST_ITEM_BYTES: Final = 60_000
"""Largest plan that is kept as an item. A retry decides a larger one again, from the cache."""


class DecideTool:
    """Choose the tool: the client's own choice, an option, a rule, an equal earlier decision, or a model's."""

    name = "decide_tool"

    def __init__(self, brain: Brain, reading: ProjectReading) -> None:
        self._brain = brain
        self._reading = reading

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the plan.

        Raises:
            ChangeRefused: the client's own call cannot be done.
            InvalidModelOutput: the model's decision is not valid, even after a repair.
            The model's faults.
        """
        message = input_of(context)
        chat = _with_agent(context, await asyncio.to_thread(self._reading.chat, context.job, message))
        kept = context.items.get(KEY)
        if kept is not None and message.tool is None:
            plan = Plan.model_validate(kept)
        else:
            plan = await self._decided(context, message, chat)
            shown = _shown(plan, direct=message.tool is not None)
            if len(json.dumps(shown)) <= MOST_ITEM_BYTES:
                await context.add_item(KEY, shown)
        await context.output.append(_event(plan, "finished"))
        context.output.report_progress(DECIDED)
        return plan.model_dump(mode="json")

    async def _decided(self, context: StageContext, message: VideoChatInput, chat: ChatContext) -> Plan:
        if message.tool is not None:
            return _direct(chat, message.tool)
        plan = self._brain.without_model(chat)
        if plan is not None:
            return plan
        await context.output.append(Tool(key=KEY, title="Decide what to do", name="decideTool", status="started"))
        return await self._brain.with_model(context, chat, lambda: self._pictures(context, message))

    async def _pictures(self, context: StageContext, message: VideoChatInput) -> tuple[ImagePart, ...]:
        found = [asyncio.to_thread(self._reading.picture, context.job, each) for each in message.image_ids]
        return tuple(await asyncio.gather(*found))


def _with_agent(context: StageContext, chat: ChatContext) -> ChatContext:
    """Return the chat with the tools that the job's agent allows."""
    allowed = context.agent.allowed_tools if context.agent else None
    return chat if allowed is None else replace(chat, allowed_tools=frozenset(allowed))


def input_of(context: StageContext) -> VideoChatInput:
    """Return the message of a chat job."""
    assert isinstance(context.input, VideoChatInput)  # noqa: S101 - the pipeline's input model
    return context.input


def _direct(chat: ChatContext, call: RequestedTool) -> Plan:
    """Return the plan of a call that the client chose. Raises ChangeRefused if it cannot be done."""
    checked = check(call)
    result = checked if isinstance(checked, ToolResult) else run(chat.facts, checked).result
    if result.error is not None:
        hint = f"; {result.error.hint}" if result.error.hint else ""
        fault = SceneChanged if result.error.code == "SCENE_CHANGED" else ChangeRefused
        raise fault(f"{result.error.message}{hint}")
    choice = Choice(tool=call.name, confidence=1, reason="the client called this tool", source="direct")
    return Plan(
        revision=chat.facts.revision, outcome="changed", choice=choice, calls=(call,), reply=f"{result.summary}."
    )


def _shown(plan: Plan, *, direct: bool) -> dict[str, Any]:
    """Return the plan as an item; a client's own call is in the job's input, and may have a whole scene's code."""
    return (plan.model_copy(update={"calls": ()}) if direct else plan).model_dump(mode="json")


def _event(plan: Plan, status: Any) -> Tool:
    choice = plan.choice
    detail: dict[str, Any] = {
        "tool": choice.tool,
        "confidence": choice.confidence,
        "reason": choice.reason,
        "source": choice.source,
        "outcome": plan.outcome,
        "targets": _targets(plan),
        "question": plan.question,
        "alternatives": [each.label for each in plan.options],
    }
    return Tool(key=KEY, title="Decide what to do", name=choice.tool or "answer", status=status, detail=detail)


def _targets(plan: Plan) -> list[str]:
    """Return the ids of the scenes that the calls name."""
    named: list[str] = []
    for call in plan.calls:
        named += [str(call.arguments["sceneId"])] if "sceneId" in call.arguments else []
        named += [str(each) for each in call.arguments.get("sceneIds") or ()]
    return named
