"""The decision as a model writes it, and the calls that follow from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.apps.video.facts import Facts
from shared.apps.video.models import RequestedTool, ToolName
from shared.json_values import value_in
from shared.llm.model import OutputSchema
from shared.stages.model_answers import strict_form

SCHEMA_NAME: Final = "scene_decision"


class _Written(BaseModel):
    """The base of what a model writes: every field is required, as strict structured output wants it."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid")


class WrittenImageUse(_Written):
    """How the message wants an image to be used."""

    image_id: str
    use: Literal["embed", "recreate", "reference"]
    where: str | None = Field(max_length=200)


class WrittenOperation(_Written):
    """An operation of a JSON Patch; `value` is JSON text, because a schema cannot leave its type open."""

    op: Literal["add", "replace", "remove", "move"]
    path: str = Field(max_length=300)
    from_: str | None = Field(alias="from", max_length=300)
    value: str | None = Field(max_length=4_000)


class Alternative(_Written):
    """Another tool that the message could mean."""

    tool: ToolName
    confidence: float = Field(ge=0, le=1)


class WrittenPreference(_Written):
    """A standing wish that the message states."""

    key: str = Field(min_length=1, max_length=60)
    value: str = Field(min_length=1, max_length=300)


Kind: TypeAlias = Literal[
    "addScene",
    "editScene",
    "deleteScene",
    "changeDuration",
    "planScenes",
    "applyPatch",
    "generateComponent",
    "answer",
]
"""A tool, or `answer` for a message that changes nothing."""

Sureness = Annotated[float, Field(ge=0, le=1)]


class Decision(_Written):
    """What a message asks for. The model writes the reason first, so that it decides after it."""

    reason: str = Field(max_length=300)
    tool: Kind
    targets: tuple[str, ...] = Field(max_length=200)
    references: tuple[str, ...] = Field(max_length=10)
    image_uses: tuple[WrittenImageUse, ...] = Field(max_length=8)
    instruction: str = Field(max_length=2_000)
    name: str | None = Field(max_length=100)
    after: str | None
    count: int | None
    mode: Literal["trim", "retime", "stretch"] | None
    seconds: float | None
    factor: float | None
    delta_seconds: float | None
    rewrite: bool
    operations: tuple[WrittenOperation, ...] = Field(max_length=50)
    confidence: Sureness
    alternatives: tuple[Alternative, ...] = Field(max_length=3)
    question: str | None = Field(max_length=300)
    preferences: tuple[WrittenPreference, ...] = Field(max_length=5)
    reply: str = Field(max_length=1_000)


def decision_schema(facts: Facts, allowed_tools: Collection[str] | None = None) -> OutputSchema:
    """Return the schema of a decision about this project: scenes and images can only be those that it has.

    With `allowed_tools`, only these tools can be chosen, and `answer`.
    """
    schema = Decision.model_json_schema(by_alias=True)
    scenes = [each.scene_id for each in facts.scenes]
    images = [each.image_id for each in facts.images]
    fields = schema["properties"]
    for name in ("targets", "references"):
        fields[name] |= {"items": _one_of(scenes), **({} if scenes else {"maxItems": 0})}
    fields["after"] = {"anyOf": [_one_of([*scenes, "first"]), {"type": "null"}]}
    schema["$defs"]["WrittenImageUse"]["properties"]["imageId"] = _one_of(images)
    if not images:
        fields["imageUses"]["maxItems"] = 0
    if allowed_tools is not None:
        tools = [each for each in get_args(ToolName) if each in allowed_tools]
        fields["tool"]["enum"] = [*tools, "answer"]
        schema["$defs"]["Alternative"]["properties"]["tool"] = _one_of(tools)
        fields["alternatives"] |= {} if tools else {"maxItems": 0}
    return strict_form(SCHEMA_NAME, schema)


def _one_of(values: list[str]) -> dict[str, Any]:
    return {"type": "string", "enum": values} if values else {"type": "string", "maxLength": 64}


def calls_of(decision: Decision, facts: Facts, tool: ToolName | None = None) -> tuple[RequestedTool, ...]:
    """Return the calls that follow from the decision, or those of another `tool` with the same arguments.

    A tool of one scene is called once for each target.
    """
    kind = tool or decision.tool
    if kind == "answer":
        return ()
    calls = _arguments(decision, facts, kind)
    return tuple(RequestedTool(name=kind, arguments=_without_nulls(each)) for each in calls)


def _arguments(decision: Decision, facts: Facts, tool: ToolName) -> Iterator[dict[str, Any]]:
    """Yield the arguments of each call of the tool."""
    known = tuple(dict.fromkeys(each for each in decision.targets if facts.scene(each) is not None))
    written = _written_arguments(decision, facts)
    placed = {"after": _after(decision, facts), "seconds": decision.seconds}
    match tool:
        case "addScene":
            yield {**written, **placed, "name": decision.name, "references": _references(decision, facts)}
        case "planScenes":
            yield {**written, **placed, "count": decision.count}
        case "generateComponent":
            yield {**written, "name": decision.name}
        case "deleteScene":
            yield {"sceneIds": list(known)}
        case "applyPatch":
            yield {"ops": [_operation(each) for each in decision.operations]}
        case "editScene":
            more = {"rewrite": decision.rewrite, "references": _references(decision, facts)}
            yield from ({**written, **more, "sceneId": each} for each in known)
        case "changeDuration":
            amount = {"seconds": decision.seconds, "factor": decision.factor, "deltaSeconds": decision.delta_seconds}
            yield from ({**amount, "sceneId": each, "mode": decision.mode} for each in known)


def _written_arguments(decision: Decision, facts: Facts) -> dict[str, Any]:
    images = {each.image_id for each in facts.images}
    uses = [each.model_dump(by_alias=True) for each in decision.image_uses if each.image_id in images]
    return {"instruction": decision.instruction, "imageUses": uses}


def _references(decision: Decision, facts: Facts) -> list[str]:
    return [each for each in dict.fromkeys(decision.references) if facts.scene(each) is not None][:4]


def _after(decision: Decision, facts: Facts) -> str | None:
    return decision.after if decision.after == "first" or facts.scene(decision.after) is not None else None


def _operation(written: WrittenOperation) -> dict[str, Any]:
    operation: dict[str, Any] = {"op": written.op, "path": written.path}
    if written.from_ is not None:
        operation["from"] = written.from_
    if written.value is not None:
        operation["value"] = value_in(written.value)
    return operation


def _without_nulls(value: Any) -> Any:
    """Return arguments without those that the model left open; null inside a patch is a value."""
    return {key: _image_use(each) for key, each in value.items() if each is not None}


def _image_use(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(each, dict) and "imageId" in each for each in value):
        return [{key: each for key, each in use.items() if each is not None} for use in value]
    return value
