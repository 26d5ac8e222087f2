"""Write the prompts of a suggestion job."""

from __future__ import annotations

from shared.apps.suggestions.models import SuggestionInput, Suggestions
from shared.llm.model import Message, OutputSchema
from shared.stages.model_answers import strict_schema

_SYSTEM = (
    "You are a product engineer. Suggest features for the page or component the user names. Be specific to it, be "
    "practical, and keep every text to a few sentences. Answer with JSON that fits the given schema and nothing else."
)


def request_messages(job_input: SuggestionInput) -> tuple[Message, ...]:
    """Return the prompt that asks for suggestions."""
    lines = [
        f"Page or component: {job_input.page_or_component}",
        f"Kind of feature: {job_input.feature_type}",
        f"Priority: {job_input.priority_level}",
        "Give three suggestions.",
    ]
    if job_input.additional_context:
        lines.append(f"Context: {job_input.additional_context}")
    return Message("system", _SYSTEM), Message("user", "\n".join(lines))


def output_schema() -> OutputSchema:
    """Return the schema that the model's output must match."""
    return strict_schema("suggestions", Suggestions)
