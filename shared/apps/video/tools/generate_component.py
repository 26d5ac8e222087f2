"""The tool `generateComponent`: write a reusable component that scenes look up by its name."""

from __future__ import annotations

from pydantic import Field, model_validator

from shared.apps.video.facts import Facts
from shared.apps.video.ids import ComponentName
from shared.apps.video.tools.effects import (
    ImageUse,
    Instruction,
    VideoEffect,
    VideoOutcome,
    WriteComponent,
    check_something_to_write,
    done,
    misfit,
    refused,
)
from shared.schema import Schema
from shared.tools.result import Change
from shared.tools.tool import Tool

MAX_COMPONENTS = 50
"""Most components of a project."""


class GenerateComponent(Schema):
    """Write a component of this name, or write the one again that has it. With `tsxCode` no model writes it."""

    name: ComponentName
    instruction: Instruction | None = None
    base_version: int | None = Field(default=None, ge=1)
    image_uses: tuple[ImageUse, ...] = Field(default=(), max_length=8)
    tsx_code: str | None = None

    _has_something_to_write = model_validator(mode="after")(check_something_to_write)


def generate_component(facts: Facts, call: GenerateComponent) -> VideoOutcome:
    """Return the component to write."""
    present = facts.component(call.name)
    if present is not None and call.base_version not in {None, present.version}:
        return refused(
            "COMPONENT_CHANGED",
            f"the component {call.name} has version {present.version} now, not {call.base_version}",
            "read it again and repeat the call",
        )
    if present is None and len(facts.components) >= MAX_COMPONENTS:
        return refused("TOO_MANY_COMPONENTS", f"a project has at most {MAX_COMPONENTS} components")
    wrong = misfit(facts, (), call.image_uses)
    if wrong is not None:
        return wrong
    work = WriteComponent(
        name=call.name,
        base_version=present.version if present else None,
        instruction=call.instruction or "",
        image_uses=call.image_uses,
        tsx_code=call.tsx_code,
    )
    verb = "Change" if present else "Add"
    return done(f"{verb} the component {call.name}", work, changes=(Change(kind="component", id=call.name),))


TOOL: Tool[Facts, VideoEffect] = Tool(
    "generateComponent",
    "Write a reusable component, such as a counter or a logo, that several scenes can use.",
    GenerateComponent,
    generate_component,
    lambda _: "Write a component",
)
