"""Define the input and the result of a suggestion job."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from shared.jobs.pipeline import JobInput
from shared.schema import Schema

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class FeatureType(StrEnum):
    """The kinds of feature that a job can suggest."""

    ENHANCEMENT = "enhancement"
    NEW_CAPABILITY = "new-capability"
    OPTIMIZATION = "optimization"
    UI_IMPROVEMENT = "ui-improvement"
    INTEGRATION = "integration"


class PriorityLevel(StrEnum):
    """How urgently the features are needed."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class SuggestionInput(JobInput):
    """The input of a suggestion job: what to suggest features for."""

    page_or_component: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        description="the page or component that the suggestions are for"
    )
    feature_type: FeatureType
    priority_level: PriorityLevel
    additional_context: str | None = Field(default=None, max_length=1000)


class Suggestion(Schema):
    """One suggested feature."""

    title: Title
    rationale: Prose = Field(description="why it is worth doing")
    description: Prose = Field(description="what it does for the user")
    implementation_considerations: Annotated[tuple[Prose, ...], Field(min_length=1, max_length=12)] = Field(
        description="what to mind when building it"
    )


class Suggestions(Schema):
    """The result of a feature suggestion job."""

    suggestions: Annotated[tuple[Suggestion, ...], Field(min_length=1, max_length=10)]
