"""The base of every model: one set of names, camelCase outside and snake_case inside, nothing unknown let in."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
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
        # Answers and events are written out whole, and their schemas promise it.
        json_schema_serialization_defaults_required=True,
    )
