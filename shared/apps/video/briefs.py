"""The second stage of a chat job: the briefs of new scenes, each kept when it is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

from shared.apps.video.component import Brief, Briefed, Component, order_of, scene_works
from shared.apps.video.facts import Facts
from shared.apps.video.plan import Plan
from shared.apps.video.reading import ProjectReading
from shared.apps.video.tools.effects import VideoOutcome, WriteComponent, WritePlan, WriteScene
from shared.apps.video.tools.toolbox import check, drafts_needed, run
from shared.apps.video.writing_prompts import (
    WrittenBrief,
    WrittenPlan,
    brief_messages,
    brief_schema,
    plan_messages,
    plan_schema,
)
from shared.errors import InternalFault
from shared.json_values import value_in
from shared.llm.model import ChatModel, ImagePart
from shared.log.event_log import json_bytes
from shared.stages.repaired_answers import ask_and_repair
from shared.stages.stage import StageContext
from shared.tools.result import ToolResult

BRIEFED: Final = 20.0
"""Progress in percent after the briefs."""
DEFAULT_SECONDS: Final = 3.0
"""Length of a new scene for which nothing says a length."""
COMPONENT_SECONDS: Final = 2.0
MOST_ITEM_BYTES: Final = 60_000
"""Largest brief, or plan of several, that is kept as an item, in bytes of JSON."""


class BriefScenes:
    """Let the model say what each new scene shows. Edits, components and own code need no brief."""

    name = "brief_scenes"

    def __init__(self, model: ChatModel, reading: ProjectReading) -> None:
        self._model = model
        self._reading = reading

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the plan and the components to write.

        Raises InvalidModelOutput if a brief is not valid even after a repair, and the model faults.
        """
        assert context.previous is not None  # noqa: S101 - not the first stage
        plan = Plan.model_validate(context.previous.output)
        components: list[Component] = []
        if plan.outcome == "changed":
            facts = await asyncio.to_thread(facts_of, self._reading, context, plan)
            for work in works_of(facts, plan):
                components += await self._briefed(context, facts, work, len(components))
        context.output.report_progress(BRIEFED)
        return Briefed(plan=plan, components=tuple(components)).model_dump(mode="json")

    async def _briefed(
        self, context: StageContext, facts: Facts, work: WriteScene | WritePlan | WriteComponent, index: int
    ) -> Sequence[Component]:
        if isinstance(work, WritePlan):
            return await self._planned(context, facts, work, index)
        number = index + 1
        kept = context.items.get(f"brief-{number}")
        if kept is not None:
            return [Component.model_validate(kept)]
        order, brief = order_of(facts, work, index), present_brief(facts, work)
        if brief is None:
            assert isinstance(work, WriteScene)  # noqa: S101 - a component has a brief
            named = work.name or work.instruction[:60].strip() or "New scene"
            waiting = Component(number=number, order=order, work=work, brief=_placeholder(named, work.instruction))
            await context.append_event(waiting.stage_event("brief", "started"))
            images = await self._pictures(context, work)
            prompt = brief_messages(facts, work, images)
            written = await ask_and_repair(self._model, context, WrittenBrief, prompt, brief_schema(), name="brief")
            brief = _brief_of(written, name=work.name, seconds=work.seconds)
        else:
            starting = Component(number=number, order=order, work=work, brief=brief)
            await context.append_event(starting.stage_event("brief", "started"))
        scene = facts.scene(work.scene_id) if isinstance(work, WriteScene) else None
        rate = scene.entry.playback_rate if scene is not None else 1
        component = Component(number=number, order=order, work=work, brief=brief, playback_rate=rate)
        await _keep(context, component)
        return [component]

    async def _planned(self, context: StageContext, facts: Facts, work: WritePlan, index: int) -> Sequence[Component]:
        numbers = range(index + 1, index + 1 + len(work.scene_ids))
        plan = await self._plan(context, facts, work, f"plan-{numbers[0]}")
        scale = work.seconds / sum(each.seconds for each in plan.scenes) if work.seconds is not None else 1
        components = []
        for number, scene, written in zip(numbers, scene_works(work), plan.scenes, strict=True):
            kept = context.items.get(f"brief-{number}")
            if kept is not None:
                components.append(Component.model_validate(kept))
                continue
            brief = _brief_of(written, name=None, seconds=round(written.seconds * scale, 2))
            order = order_of(facts, scene.model_copy(update={"after": work.after}), number - 1)
            component = Component(number=number, order=order, work=scene, brief=brief)
            await context.append_event(component.stage_event("brief", "started"))
            await _keep(context, component)
            components.append(component)
        return components

    async def _plan(self, context: StageContext, facts: Facts, work: WritePlan, key: str) -> WrittenPlan:
        """Return the plan that an earlier attempt has kept, or let the model write one, and keep it."""
        kept = context.items.get(key)
        if kept is not None:
            return WrittenPlan.model_validate(kept)
        images = await self._pictures(context, work)
        count = len(work.scene_ids)

        def misfit(plan: WrittenPlan) -> str | None:
            return None if len(plan.scenes) == count else f"scenes: must be exactly {count}, not {len(plan.scenes)}"

        prompt = plan_messages(facts, work, images)
        plan = await ask_and_repair(
            self._model, context, WrittenPlan, prompt, plan_schema(), name="brief", misfit=misfit
        )
        data = plan.model_dump(mode="json", by_alias=True)
        if len(json.dumps(data)) <= MOST_ITEM_BYTES:
            await context.add_item(key, data)
        return plan

    async def _pictures(self, context: StageContext, work: WriteScene | WritePlan) -> tuple[ImagePart, ...]:
        return await pictures_of(self._reading, context, work)


async def pictures_of(
    reading: ProjectReading, context: StageContext, work: WriteScene | WritePlan | WriteComponent
) -> tuple[ImagePart, ...]:
    """Return the images that a work uses, for the model."""
    found = [asyncio.to_thread(reading.picture, context.job, each.image_id) for each in work.image_uses]
    return tuple(await asyncio.gather(*found))


def facts_of(reading: ProjectReading, context: StageContext, plan: Plan) -> Facts:
    """Return the facts at the plan's revision, with the drafts that its calls need."""
    drafts = frozenset[str]().union(*(drafts_needed(call) for call in plan.calls))
    return reading.facts(context.job, plan.revision, plan.calls, drafts)


def works_of(facts: Facts, plan: Plan) -> list[WriteScene | WritePlan | WriteComponent]:
    """Return what a model has to write for the plan's calls, in their order."""
    effects = (each for outcome in outcomes_of(facts, plan) for each in outcome.effects)
    return [each for each in effects if isinstance(each, WriteScene | WritePlan | WriteComponent)]


def outcomes_of(facts: Facts, plan: Plan) -> list[VideoOutcome]:
    """Return the outcomes of the plan's calls, which are the same in every stage: the tools are pure."""
    outcomes = []
    for call in plan.calls:
        checked = check(call)
        outcome = None if isinstance(checked, ToolResult) else run(facts, checked)
        if outcome is None or not outcome.result.ok:
            raise InternalFault(f"the call of {call.name} was possible when it was decided, and is not any more")
        outcomes.append(outcome)
    return outcomes


def present_brief(facts: Facts, work: WriteScene | WriteComponent) -> Brief | None:
    """Return the brief of what needs no model for it: components, present scenes, and own code. None for others."""
    if isinstance(work, WriteComponent):
        return Brief(name=work.name, purpose=work.instruction, seconds=COMPONENT_SECONDS)
    scene = facts.scene(work.scene_id)
    if scene is not None and scene.draft is not None:
        draft = scene.draft
        summary = str((draft.layout_json or {}).get("summary") or "")
        seconds = draft.duration_in_frames / facts.format.fps
        return Brief(name=scene.name, purpose=work.instruction, seconds=seconds, props=draft.props, summary=summary)
    if work.tsx_code is not None:
        return Brief(
            name=work.name or "Own scene",
            purpose=work.instruction,
            seconds=work.seconds or DEFAULT_SECONDS,
            props=work.props,
        )
    return None


def _placeholder(name: str, purpose: str) -> Brief:
    return Brief(name=name, purpose=purpose, seconds=DEFAULT_SECONDS)


def _brief_of(written: WrittenBrief, *, name: str | None, seconds: float | None) -> Brief:
    return Brief(
        name=name or written.name,
        purpose=written.purpose,
        seconds=seconds or written.seconds,
        elements=written.elements,
        palette=written.palette,
        motion=written.motion,
        props={each.key: value_in(each.value) for each in written.props},
        summary=written.summary,
    )


async def _keep(context: StageContext, component: Component) -> None:
    """Store the brief that a model wrote, tell that it is finished, and announce its scene."""
    work = component.work
    finished, planned = component.stage_event("brief", "finished"), component.status_event("planned")
    data = component.model_dump(mode="json")
    # What is present already, or in the job's input, needs no item. A brief that is too large for one is asked again.
    if work.tsx_code is None and work.base_version is None and json_bytes(data) <= MOST_ITEM_BYTES:
        await context.add_item(f"brief-{component.number}", data, event=finished, then=planned)
    else:
        await context.append_event(finished, planned)
