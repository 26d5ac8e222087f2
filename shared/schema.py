"""The base of all data models: camelCase names outside, snake_case names inside, unknown fields refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel


class Schema(BaseModel):
    """The base class of stored items, API bodies and events; the TypeScript types are generated from its subclasses."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        # A function uses few of the models that it imports, so build each model when it is first used. shared/web
        # builds request bodies and envelopes at start-up, so that the first request does not wait for them.
        defer_build=True,
        # Responses and events contain every field, also those with a default, so their JSON Schema requires them.
        json_schema_serialization_defaults_required=True,
    )


_ADAPTERS: list[TypeAdapter[Any]] = []


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """Return a new TypeAdapter that is built when it is first used. Call this once per type, at module level."""
    adapter = TypeAdapter[Any](kind, config=ConfigDict(defer_build=True))
    _ADAPTERS.append(adapter)
    return adapter


def build_all() -> None:
    """Build every Schema subclass and every adapter of `adapter_of` now, instead of at first use."""
    for model in _subclasses(Schema):
        model.model_rebuild()
    for adapter in _ADAPTERS:
        adapter.rebuild()


def _subclasses(model: type[Schema]) -> Iterator[type[Schema]]:
    for subclass in model.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
