"""The third stage of a chat job: write and build what changes, so that saving is one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from shared.apps.video.briefs import BRIEFED, facts_of, outcomes_of, pictures_of
from shared.apps.video.build.report import SceneBuilder
from shared.apps.video.building import ProjectBuilds
from shared.apps.video.changes import PutScene, SetProject
from shared.apps.video.code_text import described
from shared.apps.video.component import Briefed, Component
from shared.apps.video.events import SceneStatus, scene_key
from shared.apps.video.facts import Facts
from shared.apps.video.models import BuiltChange, MadeComponent, PlayedScene, PreparedAnswer
from shared.apps.video.plan import Plan
from shared.apps.video.reading import ProjectReading
from shared.apps.video.reformatting import format_after, replayed, scaled
from shared.apps.video.scene import Format
from shared.apps.video.tools.effects import VideoOutcome, WriteComponent, WritePlan, WriteScene
from shared.apps.video.writing import ComponentWriter, Made, build_item
from shared.errors import ChangeRefused
from shared.llm.model import ChatModel, ImagePart
from shared.stages.stage import StageContext

MADE: Final = 90.0
"""Progress in percent when everything is built."""
MOST_SUMMARY: Final = 300


class MakeScenes:
    """Let the model write each component, build all that changes, and hand on what is to be saved."""

    name = "make_scenes"

    def __init__(self, model: ChatModel, reading: ProjectReading, builder: SceneBuilder) -> None:
        self._model = model
        self._reading = reading
        self._builder = builder

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the answer with all changes and their builds. The project is as it was: nothing is saved yet.

        Raises:
            ChangeRefused: the client's own code or values do not build.
            InvalidModelOutput: the model's code does not build, even after the repair.
            The model's faults, and those of the build.
        """
        assert context.previous is not None  # noqa: S101 - not the first stage
        briefed = Briefed.model_validate(context.previous.output)
        plan = briefed.plan
        if plan.outcome != "changed":
            return _prepared(plan).model_dump(mode="json")
        facts = await asyncio.to_thread(facts_of, self._reading, context, plan)
        outcomes = outcomes_of(facts, plan)
        after = format_after(facts, outcomes)
        then = replace(facts, format=after)
        builds = ProjectBuilds(self._builder, self._reading, context.job, then)
        more, played = (await replayed(builds, facts, after, outcomes)) if after != facts.format else ([], [])
        written = await self._write_all(context, then, builds, briefed.components)
        direct = await self._build_all(context, facts, after, builds, outcomes, len(briefed.components), played)
        made = [*_in_order(outcomes, [_played_in(after, each) for each in written], list(direct)), *more]
        context.output.report_progress(MADE)
        return _prepared(plan, outcomes, briefed.components, made).model_dump(mode="json")

    async def _write_all(
        self, context: StageContext, facts: Facts, builds: ProjectBuilds, components: Sequence[Component]
    ) -> Sequence[Made]:
        made: list[Made] = []
        for component in components:
            begin = BRIEFED + (MADE - BRIEFED) * len(made) / len(components)
            share = (MADE - BRIEFED) / len(components)

            def progress_of(done: float, begin: float = begin, share: float = share) -> float:
                return begin + share * done

            async def images(component: Component = component) -> tuple[ImagePart, ...]:
                return await pictures_of(self._reading, context, component.work)

            writer = ComponentWriter(self._model, context, facts, builds, progress_of=progress_of)
            made.append(await writer.make(component, images))
            context.output.report_progress(begin + share)
        return made

    async def _build_all(
        self,
        context: StageContext,
        facts: Facts,
        after: Format,
        builds: ProjectBuilds,
        outcomes: Sequence[VideoOutcome],
        number: int,
        played: Sequence[PlayedScene],
    ) -> Sequence[Made]:
        """Return the changes that no model writes, built where they play what was not played before.

        `after` is the format that the project will have, and `played` the scenes that play in it as they are.
        """
        made: list[Made] = []
        for outcome in outcomes:
            for effect in outcome.effects:
                if isinstance(effect, PutScene):
                    number += 1
                    made.append(await _rebuilt(context, facts, after, builds, effect, number))
                elif isinstance(effect, SetProject):
                    made.append(Made(BuiltChange(change=effect, played=tuple(played)), frozenset()))
                elif not isinstance(effect, WriteScene | WritePlan | WriteComponent):
                    made.append(Made(BuiltChange(change=effect), frozenset()))
        return made


def _played_in(format_: Format, made: Made) -> Made:
    """Return the change of a model with the format in which it was played."""
    return Made(made.change.model_copy(update={"format": format_}), made.images)


async def _rebuilt(
    context: StageContext, facts: Facts, after: Format, builds: ProjectBuilds, put: PutScene, number: int
) -> Made:
    """Build a present scene with other values. Raises ChangeRefused with all errors if it does not play with them."""
    scene = facts.scene(put.scene_id)
    if scene is not None and put.draft.duration_in_frames == scene.entry.duration_in_frames:
        put = put.model_copy(update={"draft": scaled(put.draft, facts.format, after)})
    key, order = scene_key(put.scene_id), max(1, facts.number_of(put.scene_id))
    status = SceneStatus(key=key, scene_id=put.scene_id, name=put.draft.name, order=order, status="building")
    await context.append_event(status)
    report = await builds.rebuilt(put, in_its_format=after == facts.format)
    if report.build is None:
        await context.append_event(status.model_copy(update={"status": "failed"}))
        raise ChangeRefused(
            f"{facts.label(put.scene_id)} does not play with these values, and nothing was changed:\n"
            f"{described(report.errors)}"
        )
    if f"build-{number}" not in context.items:
        item = build_item(put, report.build, order=order)
        await context.add_item(f"build-{number}", item, event=status.model_copy(update={"status": "playable"}))
    return Made(BuiltChange(change=put, build=report.build, format=after), report.images)


def _in_order(outcomes: Sequence[VideoOutcome], written: list[Made], direct: list[Made]) -> list[Made]:
    """Return all changes in the order of the calls that made them."""
    made: list[Made] = []
    for outcome in outcomes:
        for effect in outcome.effects:
            match effect:
                case WritePlan():
                    made += [written.pop(0) for _ in effect.scene_ids]
                case WriteScene() | WriteComponent():
                    made.append(written.pop(0))
                case _:
                    made.append(direct.pop(0))
    return made


def _prepared(
    plan: Plan,
    outcomes: Sequence[VideoOutcome] = (),
    components: Sequence[Component] = (),
    made: Sequence[Made] = (),
) -> PreparedAnswer:
    summary = _summary(outcomes, components)
    changes: Sequence[BuiltChange] = tuple(each.change for each in made)
    nothing = plan.outcome == "changed" and not changes
    images = frozenset[str]().union(*(each.images for each in made))
    return PreparedAnswer(
        outcome="answered" if nothing else plan.outcome,
        base_revision=plan.revision,
        choice=plan.choice,
        reply=f"{summary}." if nothing or not plan.reply else plan.reply,
        summary=summary,
        question=plan.question,
        options=plan.options,
        changes=tuple(changes),
        learned=plan.learned,
        images_used=tuple(sorted(images)),
        made=tuple(MadeComponent(key=each.key, scene_id=each.scene_id, name=each.name) for each in components),
    )


def _summary(outcomes: Sequence[VideoOutcome], components: Sequence[Component]) -> str:
    """Return in one line what the revision changes."""
    names = [f"“{each.name}”" for each in components if each.work.base_version is None]
    added = f"Add {', '.join(names)}" if names else ""
    others = [
        outcome.result.summary
        for outcome in outcomes
        if not any(isinstance(each, WriteScene | WritePlan | WriteComponent) for each in outcome.effects)
        or any(getattr(each, "base_version", None) is not None for each in outcome.effects)
    ]
    return "; ".join([*([added] if added else []), *others])[:MOST_SUMMARY]
