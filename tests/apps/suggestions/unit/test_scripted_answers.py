"""The scripted model's output for feature suggestions."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest

from local.model.answers.suggestions import answer, feature_brief
from local.model.application_answers import application_answer
from local.model.documents import DocumentWriter
from local.model.prompt import Prompt
from local.model.tokens import STAMP, stamped
from shared.apps.suggestions.models import Suggestions
from shared.apps.suggestions.prompts import output_schema

BRIEF = feature_brief("Page or component: Checkout page\nFeature type: integration\nPriority: critical")

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


def prompt_of(text: str) -> Prompt:
    """Return a prompt of the pipeline with this user message."""
    schema = output_schema()
    wanted = {"type": "json_schema", "name": schema.name, "schema": schema.schema}
    return Prompt("scripted-1", [{"role": "user", "content": text}], wanted, most_tokens=None)


def test_suggestions_name_the_page_and_differ_from_each_other() -> None:
    document = DocumentWriter(SUGGESTIONS, BRIEF).write()
    jsonschema_rs.validate(SUGGESTIONS, json.loads(json.dumps(document)))
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
def test_the_brief_is_read_from_every_form_of_a_prompt(prompt: str) -> None:
    brief = feature_brief(prompt)
    assert (brief.subject, brief.feature_type, brief.priority) == ("Cart", "optimization", "low")


def test_every_token_of_a_benchmark_has_a_time_stamp() -> None:
    tokens = stamped(DocumentWriter(SUGGESTIONS, BRIEF).write(), 200)
    assert [token.count(STAMP) for token in tokens] == [1] * 200


@pytest.mark.parametrize(
    "prompt", ["a page", f"Page or component: {'x' * 200}", f"Page or component: {'long words ' * 18}"]
)
@pytest.mark.parametrize("stamps", [0, 200, 2000])
def test_suggestions_respect_lengths_that_strict_schemas_cannot_express(prompt: str, stamps: int) -> None:
    document = answer(prompt_of(prompt))
    if stamps:
        document = json.loads("".join(stamped(document, stamps)).replace(STAMP, "1700000000000000000 "))
    assert len(Suggestions.model_validate(document).suggestions) == 3


def test_only_a_prompt_with_the_applications_schema_gets_its_output() -> None:
    prompt = prompt_of("Page or component: Cart")
    assert application_answer(prompt) == answer(prompt)
    other = Prompt(prompt.model, prompt.messages, {**prompt.response_format, "schema": {"type": "object"}}, None)
    assert application_answer(other) is None
