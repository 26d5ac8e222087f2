"""Documents of the scripted model, which fit a JSON Schema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.model.documents import DocumentWriter, UnsupportedSchema
from local.model.prose import brief_of
from local.model.tokens import STAMP, stamped

BRIEF = brief_of(["Topic: the sea\nLength: three lines"])

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
def test_a_document_fits_its_schema_and_never_changes(schema: dict[str, Any], prompt: str) -> None:
    brief = brief_of([prompt])
    document = DocumentWriter(schema, brief).write()
    check(document, schema)
    assert DocumentWriter(schema, brief).write() == document


@given(schema=schemas.map(lambda schema: {"type": "object", "properties": {"v": schema}}), count=st.integers(1, 60))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_document_with_time_stamps_is_valid_and_has_the_exact_number_of_tokens(
    schema: dict[str, Any], count: int
) -> None:
    tokens = stamped(DocumentWriter(schema, BRIEF).write(), count)
    assert len(tokens) == count
    check(json.loads("".join(tokens).replace(STAMP, "1700000000000000000 ")), schema)


def test_a_document_for_an_unknown_schema_names_the_subject_of_the_prompt() -> None:
    item = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("title", "reason", "line", "summary")},
        "required": ["title", "reason", "line", "summary"],
    }
    schema = {"type": "object", "properties": {"verses": {"type": "array", "minItems": 4, "items": item}}}
    document = DocumentWriter(schema, BRIEF).write()
    check(document, schema)
    verses = document["verses"]
    assert len({verse["title"] for verse in verses}) == 4
    assert all("the sea" in verse[name] for verse in verses for name in ("title", "line", "summary"))


def test_a_recursive_schema_gives_a_finite_document() -> None:
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
def test_an_unsupported_schema_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedSchema):
        DocumentWriter(schema, BRIEF).write()
