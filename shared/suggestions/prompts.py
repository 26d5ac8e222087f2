"""What the model is told."""

from __future__ import annotations

from typing import Any

from shared.llm.model import Message, OutputSchema
from shared.suggestions.models import SuggestionInput, Suggestions

SYSTEM = (
    "You are a product engineer. Suggest features for the page or component the user names. Be specific to it, be "
    "practical, and keep every text to a few sentences. Answer with JSON that fits the given schema and nothing else."
)

STRICT_UNSUPPORTED = frozenset({"minLength", "maxLength", "title", "default"})
"""Keywords that strict structured output does not take; the validate stage checks what they say."""


def request_messages(wanted: SuggestionInput) -> tuple[Message, ...]:
    lines = [
        f"Page or component: {wanted.page_or_component}",
        f"Kind of feature: {wanted.feature_type}",
        f"Priority: {wanted.priority_level}",
        "Give three suggestions.",
    ]
    if wanted.additional_context:
        lines.append(f"Context: {wanted.additional_context}")
    return Message("system", SYSTEM), Message("user", "\n".join(lines))


def repair_messages(wanted: SuggestionInput, answer: str, complaint: str) -> tuple[Message, ...]:
    """The same request again, with the answer that did not fit and what is wrong with it."""
    return (
        *request_messages(wanted),
        Message("assistant", answer),
        Message("user", f"This does not fit the schema: {complaint}\nAnswer again, with JSON that does."),
    )


def output_schema() -> OutputSchema:
    """The schema of `Suggestions` in the subset strict structured output understands."""
    return OutputSchema("suggestions", _strict(Suggestions.model_json_schema(by_alias=True)))


def _strict(schema: Any, *, names: bool = False) -> Any:
    """`names`: the keys at this level are property names, not keywords."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _strict(value, names=key in {"properties", "$defs"} and not names)
        for key, value in schema.items()
        if names or key not in STRICT_UNSUPPORTED
    }
