"""The base of every model: one set of names, camelCase outside and snake_case inside, nothing unknown let in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel


class Schema(BaseModel):
    """Stored attributes, API fields, events and the generated TypeScript types all take their names from subclasses."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        # A function validates few of the models that it imports. Bodies of requests and envelopes are not to wait for a
        # first request, though: shared/web says so of them.
        defer_build=True,
        # Answers and events are written out whole, and their schemas promise it.
        json_schema_serialization_defaults_required=True,
    )


_ADAPTERS: list[TypeAdapter[Any]] = []


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """A TypeAdapter for the life of the process, built when it is first used."""
    made = TypeAdapter[Any](kind, config=ConfigDict(defer_build=True))
    _ADAPTERS.append(made)
    return made


def build_all() -> None:
    """Build every model and adapter there is, before anybody uses it."""
    for model in _under(Schema):
        model.model_rebuild()
    for adapter in _ADAPTERS:
        adapter.rebuild()


def _under(model: type[Schema]) -> Iterator[type[Schema]]:
    for each in model.__subclasses__():
        yield each
        yield from _under(each)
