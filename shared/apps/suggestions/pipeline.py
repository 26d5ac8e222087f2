"""Define the `suggestion` pipeline; its state machine is statemachines/suggestion.asl.yaml."""

from __future__ import annotations

from shared.apps.suggestions.models import SuggestionInput, Suggestions
from shared.jobs.pipeline import Pipeline

PIPELINE = Pipeline(
    name="suggestion",
    input_model=SuggestionInput,
    result_model=Suggestions,
    stages=("generate_suggestions", "validate_suggestions"),
    run_seconds=3600,
    title=lambda asked: str(asked.page_or_component),
)
"""From the description of a page or component to valid suggestions."""
