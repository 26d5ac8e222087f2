"""Decide about a message: rules first, then an equal earlier decision, then a model; a guard checks what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from shared.apps.video.brain.cache import DecisionCache, key_of
from shared.apps.video.brain.context import ChatContext
from shared.apps.video.brain.decision import Decision, decision_schema
from shared.apps.video.brain.guard import Verdict, judge, not_allowed
from shared.apps.video.brain.prompts import decision_messages
from shared.apps.video.brain.rules import CONFIDENCE, read_command
from shared.apps.video.brain.scene_names import plain_quotes
from shared.apps.video.models import (
    Choice,
    DecisionSource,
    LearnedPreference,
    RequestedTool,
    ToolName,
)
from shared.apps.video.plan import Plan
from shared.apps.video.tools.toolbox import check, run
from shared.errors import TransientFault
from shared.llm.model import ChatModel, ImagePart
from shared.observability.log import log
from shared.stages.repaired_answers import ask_and_repair
from shared.stages.stage import StageContext
from shared.tools.result import ToolResult

Pictures = Callable[[], Awaitable[tuple[ImagePart, ...]]]
"""Read the images of the message, which only a model needs."""


class Brain:
    """Choose the tool for a message. `count` gets how many decisions were kept, and how many were not."""

    def __init__(
        self, model: ChatModel, cache: DecisionCache, *, count: Callable[[int, int], None] = lambda *_: None
    ) -> None:
        self._model = model
        self._cache = cache
        self._count = count

    def without_model(self, chat: ChatContext) -> Plan | None:
        """Return the plan if the message picks an option of the question before it, or if a rule reads it."""
        option = _option_of(chat)
        if option is not None:
            reason = "the message picks an option of the question"
            return _of_call(chat, option, Choice(tool=option.name, confidence=1, reason=reason, source="option"))
        ruled = read_command(chat)
        if ruled is None:
            return None
        choice = Choice(
            tool=ruled.call.name if ruled.call else None, confidence=CONFIDENCE, reason=ruled.reason, source="rule"
        )
        if ruled.call is None:
            return Plan(revision=chat.facts.revision, outcome="answered", choice=choice, reply=ruled.reply)
        if not chat.allows(ruled.call.name):
            reply = not_allowed(chat, ruled.call.name)
            return Plan(revision=chat.facts.revision, outcome="answered", choice=choice, reply=reply)
        return _of_call(chat, ruled.call, choice)

    async def with_model(self, context: StageContext, chat: ChatContext, pictures: Pictures) -> Plan:
        """Return the plan of an equal earlier decision, or of a model's.

        Raises InvalidModelOutput if the model's decision is not valid even after a repair, and the model faults.
        """
        owner, key = context.job.owner, key_of(chat, context.job.model)
        source: DecisionSource = "cache"
        decision = await self._kept(owner, key)
        self._count(int(decision is not None), int(decision is None))
        if decision is None:
            source = "model"
            prompt = decision_messages(chat, await pictures())
            schema = decision_schema(chat.facts, chat.allowed_tools)
            decision = await ask_and_repair(
                self._model, context, Decision, prompt, schema, name="decision", temperature=0
            )
            await self._keep(owner, key, decision)
        return _of_decision(chat, decision, judge(decision, chat), source)

    async def _kept(self, owner: str, key: str) -> Decision | None:
        try:
            found = await asyncio.to_thread(self._cache.get, owner, key)
            return None if found is None else Decision.model_validate(found)
        except (TransientFault, ValidationError) as error:
            log.warning("kept decision not read", reason=type(error).__name__)
            return None

    async def _keep(self, owner: str, key: str, decision: Decision) -> None:
        try:
            await asyncio.to_thread(self._cache.put, owner, key, decision.model_dump(mode="json", by_alias=True))
        except TransientFault as error:
            log.warning("decision not kept", reason=type(error).__name__)


def _option_of(chat: ChatContext) -> RequestedTool | None:
    """Return the call of the option that the message picks, by its label or its number."""
    if chat.asked is None:
        return None
    text = " ".join(plain_quotes(chat.text).split()).casefold().rstrip(".!")
    for number, option in enumerate(chat.asked.options, 1):
        if text in {str(number), " ".join(plain_quotes(option.label).split()).casefold().rstrip(".!")}:
            return option.call
    return None


def _of_call(chat: ChatContext, call: RequestedTool, choice: Choice) -> Plan:
    """Return the plan of one call; if it cannot be done, the answer says why."""
    checked = check(call)
    result = checked if isinstance(checked, ToolResult) else run(chat.facts, checked).result
    if result.error is not None:
        reply = result.error.message + (f"; {result.error.hint}" if result.error.hint else "")
        return Plan(revision=chat.facts.revision, outcome="answered", choice=choice, reply=reply)
    return Plan(
        revision=chat.facts.revision, outcome="changed", choice=choice, calls=(call,), reply=f"{result.summary}."
    )


def _of_decision(chat: ChatContext, decision: Decision, verdict: Verdict, source: DecisionSource) -> Plan:
    tool: ToolName | None = None if decision.tool == "answer" else decision.tool
    reason = decision.reason if not verdict.why else f"{decision.reason} ({verdict.why})"
    plan = Plan(
        revision=chat.facts.revision,
        outcome="answered",
        choice=Choice(tool=tool, confidence=decision.confidence, reason=reason[:300], source=source),
        reply=verdict.reply,
        learned=tuple(LearnedPreference(key=each.key, value=each.value) for each in decision.preferences),
    )
    if verdict.question is not None:
        changes = {"outcome": "asked", "reply": verdict.question, "question": verdict.question}
        return plan.model_copy(update={**changes, "options": verdict.options})
    if verdict.calls:
        return plan.model_copy(update={"outcome": "changed", "calls": verdict.calls})
    return plan
