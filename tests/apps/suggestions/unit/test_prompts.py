"""The prompts for suggestions and the schema of the output."""

from __future__ import annotations

from typing import Any

from shared.apps.suggestions.models import SuggestionInput
from shared.apps.suggestions.prompts import output_schema, request_messages
from shared.stages.model_answers import STRICT_UNSUPPORTED

# https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
ACCEPTED = {
    "$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "items", "maxItems", "minItems",
    "properties", "required", "type",
}  # fmt: skip


def wanted(**fields: Any) -> SuggestionInput:
    values = {"pageOrComponent": "Checkout", "featureType": "integration", "priorityLevel": "high", **fields}
    return SuggestionInput.model_validate(values)


def keywords(schema: Any) -> set[str]:
    """Return every keyword of the schema, without property names."""
    if isinstance(schema, list):
        return set().union(*map(keywords, schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    found = set(schema)
    for key, value in schema.items():
        below = value.values() if key in {"properties", "$defs"} else [value]
        found |= set().union(*map(keywords, below)) if below else set()
    return found


def objects(schema: Any) -> list[dict[str, Any]]:
    """Return every object schema inside this schema."""
    if isinstance(schema, list):
        return [each for item in schema for each in objects(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [each for value in schema.values() for each in objects(value)]


def test_the_schema_uses_only_keywords_that_strict_output_accepts() -> None:
    schema = output_schema().schema
    assert keywords(schema) <= ACCEPTED
    assert not keywords(schema) & STRICT_UNSUPPORTED


def test_every_object_of_the_schema_requires_all_its_properties_and_no_others() -> None:
    found = objects(output_schema().schema)
    assert len(found) == 2
    for each in found:
        assert each["additionalProperties"] is False
        assert set(each["required"]) == set(each["properties"])


def test_the_schema_keeps_a_property_that_is_named_like_a_keyword() -> None:
    (suggestion,) = output_schema().schema["$defs"].values()
    assert set(suggestion["properties"]) == {"title", "rationale", "description", "implementationConsiderations"}
    assert "title" not in suggestion


def test_the_request_contains_the_input() -> None:
    system, user = request_messages(wanted(additionalContext="mobile first"))
    assert (system.role, user.role) == ("system", "user")
    for words in ("Checkout", "integration", "high", "mobile first"):
        assert words in user.content
    assert "Context" not in request_messages(wanted())[1].content
