"""What the model is told, and the schema it is held to."""

from __future__ import annotations

from typing import Any

from shared.apps.suggestions.models import SuggestionInput
from shared.apps.suggestions.prompts import output_schema, repair_messages, request_messages
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
    """Every keyword in use, property names left out."""
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
    """Every object schema in it."""
    if isinstance(schema, list):
        return [each for item in schema for each in objects(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [each for value in schema.values() for each in objects(value)]


def test_the_schema_uses_only_keywords_strict_output_accepts() -> None:
    schema = output_schema().schema
    assert keywords(schema) <= ACCEPTED
    assert not keywords(schema) & STRICT_UNSUPPORTED


def test_every_object_of_the_schema_is_closed_and_requires_all_it_has() -> None:
    found = objects(output_schema().schema)
    assert len(found) == 2
    for each in found:
        assert each["additionalProperties"] is False
        assert set(each["required"]) == set(each["properties"])


def test_a_property_called_like_a_keyword_stays() -> None:
    (suggestion,) = output_schema().schema["$defs"].values()
    assert set(suggestion["properties"]) == {"title", "rationale", "description", "implementationConsiderations"}
    assert "title" not in suggestion


def test_the_request_names_what_was_asked_for() -> None:
    system, user = request_messages(wanted(additionalContext="mobile first"))
    assert (system.role, user.role) == ("system", "user")
    for words in ("Checkout", "integration", "high", "mobile first"):
        assert words in user.content
    assert "Context" not in request_messages(wanted())[1].content


def test_a_repair_shows_the_answer_and_what_is_wrong_with_it() -> None:
    *request, answer, complaint = repair_messages(wanted(), "the answer", "title: missing")
    assert tuple(request) == request_messages(wanted())
    assert (answer.role, answer.content) == ("assistant", "the answer")
    assert complaint.role == "user"
    assert "title: missing" in complaint.content
