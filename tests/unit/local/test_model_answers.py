"""What the scripted model says."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.model.documents import STAMP, DocumentWriter, UnsupportedSchema, split_exactly, split_tokens, stamped
from local.model.prose import brief_of, essay
from shared.apps.suggestions.models import Suggestions
from shared.apps.suggestions.prompts import output_schema

BRIEF = brief_of(["Page or component: Checkout page\nFeature type: integration\nPriority: critical"])

names = st.sampled_from(["title", "rationale", "description", "implementationConsiderations", "steps", "x", "priority"])


@st.composite
def bounded(draw: st.DrawFn, kind: str, low: str, high: str, most: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": kind}
    least = draw(st.none() | st.integers(0, most))
    if least is not None:
        schema[low] = least
    if draw(st.booleans()):
        schema[high] = (least or 0) + draw(st.integers(0, most))
    return schema


scalars = (
    st.just({"type": "boolean"})
    | st.just({"type": "null"})
    | st.just({"type": ["string", "null"]})
    | st.sampled_from([{"type": "string", "format": kind} for kind in ("date", "date-time", "email", "uuid")])
    | st.builds(lambda values: {"enum": values}, st.lists(st.text(max_size=5) | st.integers(), min_size=1, max_size=4))
    | st.builds(lambda value: {"const": value}, st.text(max_size=5))
    | bounded("string", "minLength", "maxLength", 400)
    | bounded("integer", "minimum", "maximum", 50)
    | bounded("number", "minimum", "maximum", 50)
    | st.builds(
        lambda low, step: {
            "type": "integer",
            "exclusiveMinimum": low,
            "exclusiveMaximum": low + 2 * step,
            "multipleOf": step,
        },
        st.integers(-50, 50),
        st.integers(1, 7),
    )
)


def composites(parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    properties = st.dictionaries(names, parts, max_size=4)
    objects = properties.flatmap(
        lambda of: st.builds(
            lambda required: {"type": "object", "properties": of, "required": required, "additionalProperties": False},
            st.lists(st.sampled_from(sorted(of)), unique=True) if of else st.just([]),
        )
    )
    arrays = st.builds(
        lambda items, bounds: {**bounds, "items": items}, parts, bounded("array", "minItems", "maxItems", 5)
    )
    choices = st.builds(lambda of: {"anyOf": of}, st.lists(parts, min_size=1, max_size=3))
    return objects | arrays | choices


schemas = st.recursive(scalars, composites, max_leaves=12)


def check(document: Any, schema: dict[str, Any]) -> None:
    jsonschema_rs.validate(schema, json.loads(json.dumps(document)))


@given(schema=schemas, prompt=st.text(max_size=40))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_document_fits_its_schema_and_is_the_same_every_time(schema: dict[str, Any], prompt: str) -> None:
    brief = brief_of([prompt])
    document = DocumentWriter(schema, brief).write()
    check(document, schema)
    assert DocumentWriter(schema, brief).write() == document


@given(schema=schemas.map(lambda schema: {"type": "object", "properties": {"v": schema}}), count=st.integers(1, 60))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_time_stamps_leave_the_document_valid_and_the_count_exact(schema: dict[str, Any], count: int) -> None:
    tokens = stamped(DocumentWriter(schema, BRIEF).write(), count)
    assert len(tokens) == count
    check(json.loads("".join(tokens).replace(STAMP, "1700000000000000000 ")), schema)


SUGGESTIONS = {
    "type": "object",
    "properties": {
        "suggestions": {"type": "array", "minItems": 4, "maxItems": 7, "items": {"$ref": "#/$defs/Suggestion"}}
    },
    "required": ["suggestions"],
    "additionalProperties": False,
    "$defs": {
        "Suggestion": {
            "type": "object",
            "properties": {
                "title": {"type": "string", "minLength": 1, "maxLength": 120},
                "rationale": {"type": "string", "minLength": 1, "maxLength": 1000},
                "description": {"type": "string", "minLength": 1, "maxLength": 2000},
                "implementationConsiderations": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 8,
                    "items": {"type": "string"},
                },
            },
            "required": ["title", "rationale", "description", "implementationConsiderations"],
            "additionalProperties": False,
        }
    },
}


def test_suggestions_speak_of_what_the_prompt_names_and_differ() -> None:
    document = DocumentWriter(SUGGESTIONS, BRIEF).write()
    check(document, SUGGESTIONS)
    suggestions = document["suggestions"]
    assert len(suggestions) == 4
    assert all("the Checkout page" in suggestion["title"] for suggestion in suggestions)
    assert len({suggestion["title"] for suggestion in suggestions}) == 4
    assert "people are stopped by it today" in suggestions[0]["rationale"], "the priority is critical"
    assert len(set(suggestions[0]["implementationConsiderations"])) == 3


@pytest.mark.parametrize(
    "prompt",
    [
        "Page or component: Cart\nFeature type: optimization\nPriority level: low",
        "Page or component: Cart\nKind of feature: optimization\nPriority: low\nContext: an integration is critical",
        '{"pageOrComponent": "Cart", "featureType": "optimization", "priorityLevel": "low"}',
        "- **pageOrComponent**: Cart\n- **featureType**: optimization\n- **priorityLevel**: low",
    ],
)
def test_the_brief_is_found_however_the_prompt_writes_it(prompt: str) -> None:
    brief = brief_of([prompt])
    assert (brief.subject, brief.feature_type, brief.priority) == ("Cart", "optimization", "low")


def test_every_token_of_a_benchmark_carries_a_time_stamp_inside_the_document() -> None:
    tokens = stamped(DocumentWriter(SUGGESTIONS, BRIEF).write(), 200)
    assert [token.count(STAMP) for token in tokens] == [1] * 200


@pytest.mark.parametrize(
    "prompt", ["a page", f"Page or component: {'x' * 200}", f"Page or component: {'long words ' * 18}"]
)
@pytest.mark.parametrize("stamps", [0, 200, 2000])
def test_suggestions_keep_to_lengths_that_strict_schemas_cannot_state(prompt: str, stamps: int) -> None:
    document = DocumentWriter(output_schema().schema, brief_of([prompt])).write()
    if stamps:
        document = json.loads("".join(stamped(document, stamps)).replace(STAMP, "1700000000000000000 "))
    assert len(Suggestions.model_validate(document).suggestions) == 3


def test_a_recursive_schema_ends() -> None:
    node = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        },
        "required": ["name", "next", "children"],
    }
    schema = {"$ref": "#/$defs/Node", "$defs": {"Node": node}}
    check(DocumentWriter(schema, BRIEF).write(), schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^x"},
        {"type": "string", "format": "ipv6"},
        {"$ref": "#/$defs/Missing"},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "array", "uniqueItems": True, "minItems": 3, "items": {"enum": [1, 2]}},
        {"not": {"type": "string"}},
        {"type": "set"},
    ],
)
def test_what_it_cannot_write_it_says(schema: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedSchema):
        DocumentWriter(schema, BRIEF).write()


@given(text=st.text())
def test_tokens_are_the_text(text: str) -> None:
    assert "".join(split_tokens(text)) == text


@given(text=st.text(), count=st.integers(1, 50))
def test_an_exact_number_of_tokens_is_the_text_with_blanks_at_most(text: str, count: int) -> None:
    tokens = split_exactly(text, count)
    assert len(tokens) == count
    assert all(tokens)
    assert "".join(tokens).rstrip(" ") == text.rstrip(" ")


def test_prose_names_its_origin() -> None:
    assert "scripted model" in essay(BRIEF)
