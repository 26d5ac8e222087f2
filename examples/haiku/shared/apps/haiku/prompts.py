"""Write the prompt of a haiku job."""

from __future__ import annotations

from shared.apps.haiku.models import Haiku, HaikuInput
from shared.llm.model import Message, OutputSchema
from shared.stages.model_answers import strict_schema

_SYSTEM = "You write haiku. Answer with JSON that fits the given schema and nothing else."


def request_messages(job_input: HaikuInput) -> tuple[Message, ...]:
    """Return the prompt that asks for a haiku."""
    return Message("system", _SYSTEM), Message("user", f"Topic: {job_input.topic}")


def output_schema() -> OutputSchema:
    """Return the schema that the model's output must match."""
    return strict_schema("haiku", Haiku)
