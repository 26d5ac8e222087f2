"""Let the model write one scene or component until it builds: once, and once more with all errors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from shared.apps.video.build.report import BuildError, BuildReport
from shared.apps.video.building import ProjectBuilds
from shared.apps.video.changes import ProjectChange, PutComponent, PutScene
from shared.apps.video.code_text import NoCode, code_in, described, props_in
from shared.apps.video.component import Component
from shared.apps.video.facts import Facts
from shared.apps.video.models import BuiltChange
from shared.apps.video.scene import Build, ComponentDraft, SceneDraft
from shared.apps.video.tools.effects import WriteComponent
from shared.apps.video.writing_prompts import code_messages, edit_messages, frames_of, repair_messages
from shared.errors import ChangeRefused, InvalidModelOutput
from shared.llm.model import ChatModel, ImagePart, Message
from shared.log.event_log import json_bytes
from shared.schema import Schema
from shared.stages.model_answers import reset_text, stream_output
from shared.stages.stage import StageContext

EXPECTED_CHARS: Final = 3_000
"""The usual length of a scene's code in characters, from which progress is estimated."""
MOST_JS_BYTES: Final = 48_000
"""Largest compiled code in an item, in bytes; a longer one is read when the scene is saved."""
MOST_ITEM_BYTES: Final = 60_000
MOST_CODE_BYTES: Final = 52_000
"""Largest code in an item, in bytes of JSON: its errors fit beside it."""
SHOWN_OF_LONG: Final = MOST_CODE_BYTES // 6
"""How many characters of a longer code are kept: JSON writes a character in at most six bytes."""


class Written(Schema):
    """The code of one component, as it is kept. `errors` are what is to be repaired, or what could not be.

    `text_end` is how many characters of the job's text belong to this component and to those before it.
    """

    code: str
    errors: tuple[BuildError, ...] = ()
    repaired: bool = False
    failed: bool = False
    text_end: int = Field(ge=0)


@dataclass(frozen=True, slots=True)
class Made:
    """A change that builds, and the images that its code shows."""

    change: BuiltChange
    images: frozenset[str]


class ComponentWriter:
    """Make one component. Every step is kept, so that a retried attempt asks the model for what is missing only."""

    def __init__(
        self,
        model: ChatModel,
        context: StageContext,
        facts: Facts,
        builds: ProjectBuilds,
        *,
        progress_of: Callable[[float], float],
    ) -> None:
        self._model = model
        self._context = context
        self._facts = facts
        self._builds = builds
        self._progress_of = progress_of

    async def make(self, component: Component, images: Callable[[], Any]) -> Made:
        """Return the change with its build.

        Raises:
            ChangeRefused: the client's own code does not build.
            InvalidModelOutput: the model's code does not build, even after the repair.
            The model's faults, and those of the build.
        """
        if component.work.tsx_code is not None:
            return await self._own(component, component.work.tsx_code)
        prompt: tuple[Message, ...] | None = None
        written = self._kept(component)
        while True:
            if written is None or written.errors:
                prompt = prompt or self._prompt(component, await images())
                written = await self._write(component, prompt, written)
            report = None if written.errors else await self._build(component, written)
            if report is not None and not report.errors:
                return await self._finish(component, written.code, report)
            errors = tuple(written.errors or (report.errors if report else ()))
            written = await self._to_repair(component, written, errors)

    # ---- code --------------------------------------------------------------------------------------------------------

    def _kept(self, component: Component) -> Written | None:
        """Return the code that an earlier attempt has kept; None if it is to be written from the beginning."""
        kept = self._context.items.get(_code_key(component))
        written = None if kept is None else Written.model_validate(kept)
        return None if written is None or written.failed else written

    def _prompt(self, component: Component, images: tuple[ImagePart, ...]) -> tuple[Message, ...]:
        work = component.work
        if isinstance(work, WriteComponent) or work.base_version is None or work.rewrite:
            return code_messages(self._facts, work, component.brief, images)
        return edit_messages(self._facts, work, component.brief, images)

    async def _write(self, component: Component, prompt: tuple[Message, ...], before: Written | None) -> Written:
        """Let the model write the code; `before` is code to repair. What it writes is kept if it is code."""
        context, repair = self._context, before is not None
        writing = component.status_event("repairing" if repair else "writing")
        await context.append_event(component.stage_event("code", "started", repair=repair), writing)
        if before is not None:
            prompt = repair_messages(prompt, before.code, before.errors)
        keep = self._text_before
        await stream_output(self._model, context, prompt, None, progress_of=self._progress, keep=keep)
        output = context.output.text[keep:]
        context.output.write("\n")  # the output is whole, so it needs no cursor any more
        written = self._read(component, output, repaired=repair)
        if not written.errors:
            finished = component.stage_event("code", "finished", repair=repair)
            await context.add_item(_code_key(component), written.model_dump(mode="json"), event=finished)
        return written

    def _read(self, component: Component, output: str, *, repaired: bool) -> Written:
        end = len(self._context.output.text)
        try:
            code = code_in(output, self._present_code(component))
        except NoCode as none:
            return Written(code=output[:SHOWN_OF_LONG], errors=none.errors, repaired=repaired, text_end=end)
        if json_bytes(code) > MOST_CODE_BYTES:
            message = "the code is too long: write a shorter scene"
            long = BuildError(kind="limit", rule="too-large", message=message)
            return Written(code=code[:SHOWN_OF_LONG], errors=(long,), repaired=repaired, text_end=end)
        return Written(code=code, repaired=repaired, text_end=end)

    async def _to_repair(self, component: Component, written: Written, errors: tuple[BuildError, ...]) -> Written:
        """Keep the errors for the repair, and drop the code from the job's text.

        Raises InvalidModelOutput if this was the repair.
        """
        context = self._context
        failed = component.stage_event("build", "failed", repair=written.repaired, errors=errors)
        if written.repaired:
            ended = written.model_copy(update={"errors": errors, "failed": True})
            await context.add_item(_code_key(component), ended.model_dump(mode="json"), event=failed)
            await context.append_event(component.status_event("failed"))
            raise InvalidModelOutput(_failure(component, errors))
        keep = self._text_before_component(component)
        message = f"“{component.name}” does not work and is being repaired: {_short(errors)}"
        await reset_text(context, "REPAIR", message, keep=keep, progress=self._progress(0))
        to_repair = written.model_copy(update={"errors": errors, "text_end": keep})
        await context.add_item(_code_key(component), to_repair.model_dump(mode="json"), event=failed)
        return to_repair

    @property
    def _text_before(self) -> int:
        """How many characters of the job's text are kept: those of the stages and components before."""
        previous = self._context.previous
        kept = [int(data["textEnd"]) for data in self._context.items.values() if "textEnd" in data]
        return max([len(previous.text) if previous else 0, *kept])

    def _text_before_component(self, component: Component) -> int:
        """How many characters of the job's text were kept before this component was written."""
        previous, own = self._context.previous, _code_key(component)
        items = self._context.items.items()
        kept = [int(data["textEnd"]) for key, data in items if "textEnd" in data and key != own]
        return max([len(previous.text) if previous else 0, *kept])

    def _progress(self, length: int) -> float:
        return self._progress_of(min(0.8, length / EXPECTED_CHARS * 0.8))

    def _present_code(self, component: Component) -> str | None:
        if isinstance(component.work, WriteComponent):
            return None
        scene = self._facts.scene(component.work.scene_id)
        return scene.draft.tsx_code if scene is not None and scene.draft is not None else None

    # ---- build -------------------------------------------------------------------------------------------------------

    async def _own(self, component: Component, code: str) -> Made:
        """Build the client's own code. Raises ChangeRefused with all errors if it does not build."""
        await self._context.append_event(
            component.stage_event("code", "started"), component.stage_event("code", "finished")
        )
        report = await self._build(component, Written(code=code, text_end=0))
        if not report.errors:
            return await self._finish(component, code, report)
        await self._context.append_event(
            component.stage_event("build", "failed", errors=report.errors), component.status_event("failed")
        )
        raise ChangeRefused(f"the code does not build, and nothing was changed:\n{described(report.errors)}")

    async def _build(self, component: Component, written: Written) -> BuildReport:
        kept = self._context.items.get(_build_key(component))
        if kept is not None and kept.get("jsCode") is not None and kept.get("code") == _digest(written.code):
            build = Build(**{name: kept[alias] for name, alias in _BUILD_FIELDS.items()})
            return BuildReport(build, images=frozenset(kept["images"]))
        started = component.stage_event("build", "started", repair=written.repaired)
        await self._context.append_event(started, component.status_event("building"))
        if isinstance(component.work, WriteComponent):
            frames = frames_of(component.brief.seconds, self._facts)
            return await self._builds.build_component(written.code, frames)
        return await self._builds.build_scene(self._draft(component, written.code, frozenset()))

    async def _finish(self, component: Component, code: str, report: BuildReport) -> Made:
        """Keep the build, and tell that the scene can be played."""
        assert report.build is not None  # noqa: S101 - it has no errors
        change: ProjectChange
        work = component.work
        if isinstance(work, WriteComponent):
            draft = ComponentDraft(name=work.name, tsx_code=code)
            change = PutComponent(name=work.name, base_version=work.base_version, draft=draft)
            self._builds.add_component(work.name, report.build)
        else:
            change = PutScene(
                scene_id=work.scene_id,
                base_version=work.base_version,
                after=work.after,
                draft=self._draft(component, code, report.images),
            )
        if _build_key(component) not in self._context.items:
            finished = component.stage_event("build", "finished")
            item = build_item(change, report.build, order=component.order, code=_digest(code))
            playable = component.status_event("playable")
            await self._context.add_item(_build_key(component), item, event=finished, then=playable)
        return Made(BuiltChange(change=change, build=report.build), report.images)

    def _draft(self, component: Component, code: str, images: frozenset[str]) -> SceneDraft:
        brief, present = component.brief, self._facts.scene(getattr(component.work, "scene_id", None))
        layout = present.draft.layout_json if present is not None and present.draft is not None else None
        if brief.summary:
            layout = {**(layout or {}), "summary": brief.summary}
        return SceneDraft(
            name=brief.name,
            tsx_code=code,
            duration_in_frames=frames_of(brief.seconds, self._facts),
            playback_rate=component.playback_rate,
            props={**brief.props, **props_in(code)},
            layout_json=layout,
            images=tuple(sorted(images)),
        )


_BUILD_FIELDS: Final = {"js_code": "jsCode", "compiler": "compiler", "runtime": "runtime", "digest": "digest"}


def build_item(change: ProjectChange, build: Build, *, order: int, code: str | None = None) -> dict[str, Any]:
    """Return what watchers play before the change is saved. Code that is too large for an item is left out.

    `code` is a digest of the source, by which a retried attempt knows that the build is of the same.
    """
    item: dict[str, Any] = {"draft": True, "order": order, "jsCode": build.js_code, "code": code}
    item |= {"compiler": build.compiler, "runtime": build.runtime, "digest": build.digest, "images": []}
    match change:
        case PutScene(draft=draft):
            item |= {
                "sceneId": change.scene_id,
                "name": draft.name,
                "durationInFrames": draft.duration_in_frames,
                "playbackRate": draft.playback_rate,
                "props": draft.props,
                "images": list(draft.images),
            }
        case PutComponent():
            item |= {"component": change.name, "name": change.name}
        case _:
            pass
    if len(build.js_code.encode()) > MOST_JS_BYTES or json_bytes(item) > MOST_ITEM_BYTES:
        item["jsCode"] = None
    if json_bytes(item) > MOST_ITEM_BYTES:
        item["props"] = None
    return item


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _code_key(component: Component) -> str:
    return f"code-{component.number}"


def _build_key(component: Component) -> str:
    return f"build-{component.number}"


def _short(errors: Sequence[BuildError]) -> str:
    first = errors[0]
    place = f"line {first.line}, column {first.column}: " if first.line else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{place}{first.message}{more}"


def _failure(component: Component, errors: Sequence[BuildError]) -> str:
    return (
        f"the code of “{component.name}” does not work, even after a repair: {_short(errors)}. "
        "Nothing was changed; resume the job to have it written again, or say it in other words"
    )
