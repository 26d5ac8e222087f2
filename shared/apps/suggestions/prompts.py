"""What the model is told."""

from __future__ import annotations

from shared.apps.suggestions.models import SuggestionInput, Suggestions
from shared.llm.model import Message, OutputSchema
from shared.stages.model_answers import strict_schema

SYSTEM = (
    "You are a product engineer. Suggest features for the page or component the user names. Be specific to it, be "
    "practical, and keep every text to a few sentences. Answer with JSON that fits the given schema and nothing else."
)


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
    return strict_schema("suggestions", Suggestions)
